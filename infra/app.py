"""Synthesize the stack of a stage, without network access, an AWS account or Docker.

The CDK CLI runs this module (`make deploy STAGE=dev`); it also runs standalone:
`python -m infra.app --stage local --out DIR`. Override a field of `infra.config.SETTABLE` with
`-c text_provider=openai` (CDK CLI) or `--set text_provider=openai` (standalone). The CDK CLI also
reads overrides from `cdk.context.json`, under the stage's name.
"""

import argparse
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from aws_cdk import App
from aws_cdk.cx_api import CloudAssembly

from infra import config
from infra.stack import VideoStack
from layers import tree

ROOT = Path(__file__).resolve().parent.parent


def app(stage: config.Stage, *, out: Path | None = None, **context: Any) -> App:
    """Return the app with the stage's stack, not yet synthesized."""
    cdk_app = App(
        # The CDK CLI passes the feature flags of cdk.json; a standalone run has to read them.
        context={**_flags(), **context},
        outdir=str(out) if out else None,
        analytics_reporting=False,
        tree_metadata=False,
    )
    VideoStack(cdk_app, stage)
    return cdk_app


def synthesize(stage: config.Stage, out: Path) -> Path:
    """Write the stage's cloud assembly into `out` and return the path of its template.

    Raises SystemExit if a layer is not built.
    """
    assembly = synth(app(stage, out=out))
    return Path(assembly.directory) / assembly.get_stack_by_name(stage.stack_name).template_file


def _flags() -> Mapping[str, Any]:
    settings: dict[str, Any] = json.loads((ROOT / "cdk.json").read_text(encoding="utf-8"))
    flags: dict[str, Any] = settings["context"]
    return flags


def _from_command_line() -> None:
    """Synthesize with the stage and settings that the CDK CLI passes as context.

    A `-c` option takes precedence over the stage's entry in cdk.context.json.
    """
    context = App(context=dict(_flags())).node
    name = context.try_get_context("stage") or "dev"
    changes = {
        key: value for key in config.SETTABLE if (value := context.try_get_context(key)) is not None
    }
    stored = config.settings(context.try_get_context(name))
    synth(app(config.stage(name, {**stored, **changes})))


def synth(cdk_app: App) -> CloudAssembly:
    """Synthesize, and make the staged assets readable by every user.

    Lambda runs the code as a different user than the one that packed it. In a clone that was
    checked out under umask 077, that user could not read the files.
    """
    assembly = cdk_app.synth()
    for asset in Path(assembly.directory).glob("asset.*"):
        if asset.is_dir():
            tree.normalise(asset)
    return assembly


def main() -> None:
    """Synthesize the stage that the arguments, or the CDK CLI's context, name."""
    parser = argparse.ArgumentParser(prog="python -m infra.app", description=__doc__)
    parser.add_argument("--stage", choices=list(config.STAGES))
    parser.add_argument("--out", type=Path, help="output directory of the cloud assembly")
    parser.add_argument("--set", action="append", default=[], metavar="FIELD=VALUE")
    arguments = parser.parse_args()
    try:
        if arguments.stage is None:
            _from_command_line()
            return
        changes = dict(part.split("=", 1) for part in arguments.set)
        stage = config.stage(arguments.stage, changes)
    except ValueError as error:
        parser.error(str(error))
    template = synthesize(stage, arguments.out or ROOT / "build" / "assembly" / stage.name)
    sys.stdout.write(f"{template}\n")


if __name__ == "__main__":
    main()
