"""The command line of the operator's commands: `python -m infra.operator doctor --stage dev`."""

import argparse
import sys
from collections.abc import Mapping, Sequence

from botocore.exceptions import BotoCoreError, ClientError

from infra import config, node
from infra.local import connection, settings
from infra.local.errors import LocalCloudError
from infra.operator import deploy, destroy, doctor, keys, verify
from infra.operator.aws import Aws
from infra.operator.checks import Site
from infra.operator.errors import OperatorError, explain

_COMMANDS = {
    "doctor": "look at everything that the stage needs",
    "bootstrap": "prepare the account and region for the CDK",
    "deploy": "deploy the stage",
    "verify": "try out the deployed stage",
    "destroy": "delete the stage and, except of prod, its data",
}
_LOCALLY = {
    "bootstrap": "The local cloud needs no bootstrap: `make up`.",
    "deploy": "The local cloud is deployed by `make up` and `make deploy`.",
    "destroy": "The local cloud is not in AWS: `make clean` stops and removes it.",
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; 1, with the reason in a sentence or two, when it did not succeed."""
    parser = argparse.ArgumentParser(prog="python -m infra.operator", description=__doc__)
    parser.add_argument("command", choices=_COMMANDS, metavar="command", help=_help())
    parser.add_argument("--stage", required=True)
    parser.add_argument(
        "-c",
        "--context",
        action="append",
        default=[],
        metavar="SETTING=VALUE",
        help="goes before what cdk.context.json says",
    )
    parser.add_argument("--max-cost", metavar="USD", help="verify: make one paid video too")
    parser.add_argument("--confirm", metavar="STAGE", help="destroy: the name, instead of a prompt")
    chosen = parser.parse_args(arguments)
    try:
        return _run(chosen)
    except (OperatorError, node.NodeError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
    except (BotoCoreError, ClientError) as error:
        print(f"error: {explain(error)}", file=sys.stderr)
    except KeyboardInterrupt:
        print("\nInterrupted. What CloudFormation has begun goes on by itself.", file=sys.stderr)
        return 130
    return 1


def _run(chosen: argparse.Namespace) -> int:
    command, name, changes = chosen.command, chosen.stage, _changes(chosen.context)
    if name == "local" and command in _LOCALLY:
        raise OperatorError(_LOCALLY[command])
    site = _local(changes) if name == "local" else _cloud(name, changes)
    if command == "doctor":
        return 0 if doctor.report(doctor.whole(site)) else 1
    if command == "verify":
        verify.verify(_deployment(site), max_cost=chosen.max_cost)
    elif command == "bootstrap":
        deploy.bootstrap(site)
    elif command == "deploy":
        deploy.deploy(site, changes)
    else:
        destroy.destroy(site, chosen.confirm)
    return 0


def _cloud(name: str, changes: Mapping[str, str]) -> Site:
    stage, aws = config.stage(name, {**config.stored(name), **changes}), Aws()
    return Site(stage, aws, aws.region)


def _local(changes: Mapping[str, str]) -> Site:
    link = connection.current()
    if link is None:
        raise OperatorError("No local cloud runs in this clone; start one with `make up`.")
    try:
        configured = settings.configured().stage
    except LocalCloudError as error:
        raise OperatorError(str(error)) from error
    return Site(config.stage("local", {**configured, **changes}), link)


def _deployment(site: Site) -> keys.Deployment:
    """Return what keys are minted on; raises OperatorError before the first deployment."""
    if isinstance(site.clients, connection.Connection):
        return site.clients
    stage = site.stage
    if site.stack is None or not site.stack.is_deployed:
        raise OperatorError(
            f"The stack {stage.stack_name} is not deployed in {site.region}. Check AWS_REGION, or "
            f"`make deploy STAGE={stage.name}`."
        )
    return keys.CloudDeployment(stage.name)


def _changes(given: Sequence[str]) -> dict[str, str]:
    pairs = [part.partition("=") for part in given]
    if wrong := [key for key, equals, _ in pairs if not equals]:
        raise ValueError(f"-c {wrong[0]}: expected SETTING=VALUE.")
    return {key: value for key, _, value in pairs}


def _help() -> str:
    return "; ".join(f"{name}: {text}" for name, text in _COMMANDS.items())


if __name__ == "__main__":
    sys.exit(main())
