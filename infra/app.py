"""Synthesize the stack of a stage; no network, no AWS account and no Docker are needed.

Under the CDK's command line (`make deploy STAGE=dev`), or alone:
`python -m infra.app --stage local --out DIR`. Fields of `infra.config.SETTABLE` can be set with
`-c text_provider=openai`, or `--set text_provider=openai`; under the CDK's command line also in
`cdk.context.json`, below the stage's name.
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
    made = App(
        # Both ways of running take the feature flags from the same place.
        context={**_flags(), **context},
        outdir=str(out) if out else None,
        analytics_reporting=False,
        tree_metadata=False,
    )
    VideoStack(made, stage)
    return made


def synthesize(stage: config.Stage, out: Path) -> Path:
    """Write the cloud assembly of the stage into `out` and return the path of its template.

    Raises SystemExit when a layer is not built.
    """
    assembly = synth(app(stage, out=out))
    return Path(assembly.directory) / assembly.get_stack_by_name(stage.stack_name).template_file


def _flags() -> Mapping[str, Any]:
    settings: dict[str, Any] = json.loads((ROOT / "cdk.json").read_text(encoding="utf-8"))
    flags: dict[str, Any] = settings["context"]
    return flags


def _from_command_line() -> None:
    """Under the CDK's command line: everything comes as context.

    A `-c` goes before what cdk.context.json says for the stage.
    """
    context = App(context=dict(_flags())).node
    name = context.try_get_context("stage") or "dev"
    changes = {
        key: value for key in config.SETTABLE if (value := context.try_get_context(key)) is not None
    }
    stored = config.settings(context.try_get_context(name))
    synth(app(config.stage(name, {**stored, **changes})))


def synth(made: App) -> CloudAssembly:
    """Synthesize, and let everybody read the staged assets.

    Lambda runs code as another user than the one who packed it: under umask 077 a clone's files,
    and so those of the assets, could be read by nobody else.
    """
    assembly = made.synth()
    for asset in Path(assembly.directory).glob("asset.*"):
        if asset.is_dir():
            tree.normalise(asset)
    return assembly


def main() -> None:
    """Synthesize as the arguments say, or as the CDK's command line says."""
    parser = argparse.ArgumentParser(prog="python -m infra.app", description=__doc__)
    parser.add_argument("--stage", choices=list(config.STAGES))
    parser.add_argument("--out", type=Path, help="folder of the cloud assembly")
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
