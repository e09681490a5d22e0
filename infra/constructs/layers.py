"""The layers, built beforehand by `python -m layers`."""

from aws_cdk import AssetHashType
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from infra.config import Stage
from layers import build
from layers.platforms import PLATFORMS

RUNTIME = lambda_.Runtime.PYTHON_3_13
ARCHITECTURE = lambda_.Architecture.ARM_64


class Layers(Construct):
    """Third-party code: `dependencies` for every function, `ffmpeg` and `speech` for some."""

    def __init__(self, scope: Construct, construct_id: str, *, stage: Stage) -> None:
        super().__init__(scope, construct_id)
        self.dependencies = self._layer("dependencies", "Python packages of the lock file", stage)
        self.ffmpeg = self._layer("ffmpeg", "The program ffmpeg, under the GPL", stage)
        self.speech = self._layer("speech", "The offline voice eSpeak NG, under the GPL", stage)

    def _layer(self, name: str, what: str, stage: Stage) -> lambda_.LayerVersion:
        stamp = build.read_stamp(stage.layers, name)
        if stamp is None or stamp.inputs != build.inputs(PLATFORMS[stage.layers]()):
            raise SystemExit(
                f"The layer {name} for {stage.layers} is not built, or older than its sources. "
                f"Run `python -m layers {stage.layers}`."
            )
        return lambda_.LayerVersion(
            self,
            name.capitalize(),
            description=what,
            code=lambda_.Code.from_asset(
                str(build.folder(stage.layers, name)),
                # Known from the build, so that synthesis need not read 200 MB again.
                asset_hash=stamp.digest,
                asset_hash_type=AssetHashType.CUSTOM,
            ),
            compatible_runtimes=[RUNTIME],
            compatible_architectures=[ARCHITECTURE],
        )
