"""The Lambda layers, which `python -m layers` builds before synthesis."""

from aws_cdk import AssetHashType
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from infra.config import Stage
from layers import build
from layers.platforms import PLATFORMS

RUNTIME = lambda_.Runtime.PYTHON_3_13
ARCHITECTURE = lambda_.Architecture.ARM_64


class Layers(Construct):
    """Layers with third-party code: `dependencies` for all functions, the others for some."""

    def __init__(self, scope: Construct, construct_id: str, *, stage: Stage) -> None:
        super().__init__(scope, construct_id)
        self.dependencies = self._layer("dependencies", "Python packages of the lock file", stage)
        self.ffmpeg = self._layer("ffmpeg", "The program ffmpeg, under the GPL", stage)
        self.speech = self._layer("speech", "The offline voice eSpeak NG, under the GPL", stage)

    def _layer(self, name: str, description: str, stage: Stage) -> lambda_.LayerVersion:
        stamp = build.read_stamp(stage.layers, name)
        if stamp is None or stamp.inputs != build.inputs(PLATFORMS[stage.layers]()):
            raise SystemExit(
                f"The layer {name} for {stage.layers} is not built or out of date. "
                f"Run `python -m layers {stage.layers}`."
            )
        return lambda_.LayerVersion(
            self,
            name.capitalize(),
            description=description,
            code=lambda_.Code.from_asset(
                str(build.folder(stage.layers, name)),
                # From the build's stamp, so that synthesis does not hash 200 MB.
                asset_hash=stamp.digest,
                asset_hash_type=AssetHashType.CUSTOM,
            ),
            compatible_runtimes=[RUNTIME],
            compatible_architectures=[ARCHITECTURE],
        )
