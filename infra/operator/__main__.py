"""Command-line interface for operators: `python -m infra.operator doctor --stage dev`."""

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
    "doctor": "check everything that the stage needs",
    "bootstrap": "bootstrap the CDK in the account and region",
    "deploy": "deploy the stage",
    "verify": "run the end-to-end tests against the deployed stage",
    "destroy": "delete the stage and, except for prod, its data",
}
_LOCAL_ALTERNATIVES = {
    "bootstrap": "The local cloud needs no bootstrap. Start it with `make up`.",
    "deploy": "Deploy the local cloud with `make up` or `make deploy`.",
    "destroy": "The local cloud is not in AWS. Stop and remove it with `make clean`.",
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status; errors are printed to standard error."""
    parser = argparse.ArgumentParser(prog="python -m infra.operator", description=__doc__)
    parser.add_argument("command", choices=_COMMANDS, metavar="command", help=_help())
    parser.add_argument("--stage", required=True)
    parser.add_argument(
        "-c",
        "--context",
        action="append",
        default=[],
        metavar="SETTING=VALUE",
        help="override a setting of cdk.context.json; repeatable",
    )
    parser.add_argument(
        "--max-cost", metavar="USD", help="verify: also make one paid video, up to this cost"
    )
    parser.add_argument(
        "--confirm", metavar="STAGE", help="destroy: the stage's name, to skip the prompt"
    )
    options = parser.parse_args(arguments)
    try:
        return _run(options)
    except (OperatorError, node.NodeError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
    except (BotoCoreError, ClientError) as error:
        print(f"error: {explain(error)}", file=sys.stderr)
    except KeyboardInterrupt:
        print(
            "\nInterrupted. CloudFormation continues any operation that it has started.",
            file=sys.stderr,
        )
        return 130
    return 1


def _run(options: argparse.Namespace) -> int:
    command, name, changes = options.command, options.stage, _changes(options.context)
    if name == "local" and command in _LOCAL_ALTERNATIVES:
        raise OperatorError(_LOCAL_ALTERNATIVES[command])
    site = _local(changes) if name == "local" else _cloud(name, changes)
    if command == "doctor":
        return 0 if doctor.report(doctor.run_checks(site)) else 1
    if command == "verify":
        verify.verify(_deployment(site), max_cost=options.max_cost)
    elif command == "bootstrap":
        deploy.bootstrap(site)
    elif command == "deploy":
        deploy.deploy(site, changes)
    else:
        destroy.destroy(site, options.confirm)
    return 0


def _cloud(name: str, changes: Mapping[str, str]) -> Site:
    stage, aws = config.stage(name, {**config.stored(name), **changes}), Aws()
    return Site(stage, aws, aws.region)


def _local(changes: Mapping[str, str]) -> Site:
    link = connection.current()
    if link is None:
        raise OperatorError("No local cloud is running in this clone. Start one with `make up`.")
    try:
        configured = settings.configured().stage
    except LocalCloudError as error:
        raise OperatorError(str(error)) from error
    return Site(config.stage("local", {**configured, **changes}), link)


def _deployment(site: Site) -> keys.Deployment:
    """Return the deployment to mint keys on; raises OperatorError if the stage is not deployed."""
    if isinstance(site.clients, connection.Connection):
        return site.clients
    stage = site.stage
    if site.stack is None or not site.stack.is_deployed:
        raise OperatorError(
            f"The stack {stage.stack_name} is not deployed in {site.region}. Check AWS_REGION, or "
            f"run `make deploy STAGE={stage.name}`."
        )
    return keys.CloudDeployment(stage.name)


def _changes(options: Sequence[str]) -> dict[str, str]:
    pairs = [part.partition("=") for part in options]
    if invalid := [key for key, equals, _ in pairs if not equals]:
        raise ValueError(f"-c {invalid[0]}: expected SETTING=VALUE.")
    return {key: value for key, _, value in pairs}


def _help() -> str:
    return "; ".join(f"{name}: {text}" for name, text in _COMMANDS.items())


if __name__ == "__main__":
    sys.exit(main())
