"""`python -m infra.operator doctor|bootstrap|deploy --stage dev`: see `make help`."""

import argparse
import sys
from collections.abc import Mapping, Sequence

from botocore.exceptions import BotoCoreError, ClientError

from infra import config, node
from infra.operator import deploy, doctor
from infra.operator.aws import Aws
from infra.operator.checks import Site
from infra.operator.errors import OperatorError, explain

_COMMANDS = {
    "doctor": "look at everything that the stage needs",
    "bootstrap": "prepare the account and region for the CDK",
    "deploy": "deploy the stage",
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; 1, with the reason in a sentence or two, when it did not succeed."""
    parser = argparse.ArgumentParser(prog="python -m infra.operator", description=__doc__)
    parser.add_argument("command", choices=_COMMANDS, metavar="command", help=_help())
    parser.add_argument("--stage", required=True)
    parser.add_argument(
        "-c", "--context", action="append", default=[], metavar="SETTING=VALUE",
        help="goes before what cdk.context.json says",
    )  # fmt: skip
    chosen = parser.parse_args(arguments)
    try:
        return _run(chosen.command, chosen.stage, _changes(chosen.context))
    except (OperatorError, node.NodeError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
    except (BotoCoreError, ClientError) as error:
        print(f"error: {explain(error)}", file=sys.stderr)
    except KeyboardInterrupt:
        print("\nInterrupted. What CloudFormation has begun goes on by itself.", file=sys.stderr)
        return 130
    return 1


def _run(command: str, name: str, changes: Mapping[str, str]) -> int:
    if name == "local":
        site = _local(changes)
    else:
        aws = Aws()
        stage = config.stage(name, {**config.stored(name), **changes})
        site = Site(stage, aws, aws.region)
    if command == "doctor":
        return 0 if doctor.report(doctor.whole(site)) else 1
    if name == "local":
        raise OperatorError("The local cloud is deployed by `python -m infra.local deploy`.")
    if command == "bootstrap":
        deploy.bootstrap(site, aws)
    else:
        deploy.deploy(site, aws, changes)
    return 0


def _local(changes: Mapping[str, str]) -> Site:
    from infra.local import connection, settings
    from infra.local.errors import LocalCloudError

    link = connection.current()
    if link is None:
        raise OperatorError("No local cloud runs in this clone; start one with `make up`.")
    try:
        configured = settings.configured().stage
    except LocalCloudError as error:
        raise OperatorError(str(error)) from error
    return Site(config.stage("local", {**configured, **changes}), link)


def _changes(given: Sequence[str]) -> dict[str, str]:
    pairs = [part.partition("=") for part in given]
    if wrong := [key for key, equals, _ in pairs if not equals]:
        raise ValueError(f"-c {wrong[0]}: expected SETTING=VALUE.")
    return {key: value for key, _, value in pairs}


def _help() -> str:
    return "; ".join(f"{name}: {text}" for name, text in _COMMANDS.items())


if __name__ == "__main__":
    sys.exit(main())
