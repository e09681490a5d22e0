"""`make bootstrap` and `make deploy`: check prerequisites, run the CDK, print the next steps."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from infra import config, kept_settings, node
from infra.operator import doctor, stack
from infra.operator.checks import Site
from infra.operator.errors import OperatorError
from infra.operator.stack import StackState

OUTPUTS = node.PROJECT / "build" / "outputs"


def bootstrap(site: Site) -> None:
    """Create the CDK's bucket and roles in the account and region. Idempotent."""
    account = site.client("sts").get_caller_identity()["Account"]
    if _cdk(site, "bootstrap", f"aws://{account}/{site.region}"):
        raise OperatorError("The bootstrap failed. See the output above.")


def deploy(site: Site, changes: Mapping[str, str]) -> None:
    """Check the prerequisites, deploy the stage, and print the remaining steps.

    `changes` take precedence over cdk.context.json, which takes precedence over the settings of the
    deployed stack (`kept_settings`). Raises OperatorError if a check or the deployment fails.
    """
    if not doctor.report(doctor.before_deployment(site)):
        raise OperatorError("Nothing was deployed. Fix the failed checks, then run this again.")
    stage, name = site.stage.name, site.stage.stack_name
    OUTPUTS.mkdir(parents=True, exist_ok=True)
    outputs = OUTPUTS / f"{stage}.json"
    deployed = kept_settings.deployed_settings(
        name, cloudformation=site.client("cloudformation"), ec2=site.client("ec2")
    )
    settings = {"stage": stage, **_without(deployed, config.stored(stage)), **changes}
    context = [f"--context={key}={value}" for key, value in settings.items()]
    # Without a terminal the CDK's approval prompt cannot be answered.
    approval = [] if sys.stdin.isatty() else ["--require-approval=never"]
    # Import a bucket that a deleted stack retained, instead of creating one.
    imports = ["--import-existing-resources"] if settings.get("media_bucket") else []
    if _cdk(site, "deploy", name, *context, f"--outputs-file={outputs}", *approval, *imports):
        raise OperatorError(failure(site))
    stack_outputs = json.loads(outputs.read_text(encoding="utf-8"))[name]
    print(next_steps(site, stack_outputs, outputs))


def failure(site: Site) -> str:
    """Return the state of the stack after a failed deployment, the cause, and the fix."""
    cloudformation, name = site.client("cloudformation"), site.stage.stack_name
    state = stack.find(cloudformation, name)
    if state is None:
        return "The deployment failed before CloudFormation started; nothing was changed."
    lines = [f"The deployment failed; the stack {name} is {state.status}."]
    if why := stack.reason(cloudformation, name):
        lines.append(f"First failure: {why}")
    lines.append(_recovery(state, site.stage.name))
    return "\n".join(lines)


def next_steps(site: Site, outputs: Mapping[str, str], file: Path) -> str:
    """Return the manual steps that follow a deployment, as commands to paste."""
    stage, arn = site.stage.name, outputs["ProvidersSecretArn"]
    secret = site.client("secretsmanager").get_secret_value(SecretId=arn)["SecretString"]
    names = [name for name in json.loads(secret) if name.endswith("_API_KEY")]
    keys = json.dumps(dict.fromkeys(names, "..."))
    steps = [
        f"Deployed: {outputs['ApiUrl']} (all outputs: {file.relative_to(node.PROJECT)})",
        "",
        "Next steps, if this is the first deployment:",
        "",
        "Store the providers' keys. Without them videos are made offline, without AI:",
        "",
        f"  aws secretsmanager put-secret-value --region {site.region} \\",
        f"    --secret-id {arn} \\",
        f"    --secret-string '{keys}'",
        "",
        "Mint an API key:",
        "",
        f'  make key STAGE={stage} OPTIONS="--user ann"',
        "",
        f"Test the stage, free of charge, with `make verify STAGE={stage}`.",
    ]
    return "\n".join(steps)


def _without(settings: Mapping[str, str], overrides: Mapping[str, str]) -> dict[str, str]:
    return {key: value for key, value in settings.items() if key not in overrides}


def _recovery(state: StackState, stage: str) -> str:
    if state.can_be_deployed:
        return "The previous version is still running. Fix the cause, then deploy again."
    return stack.recovery(state, stage)


def _cdk(site: Site, *arguments: str) -> int:
    """Run the pinned CDK CLI in the site's region and return its exit status."""
    command = [*node.command("aws-cdk", "bin/cdk"), *arguments]
    region = {
        "AWS_REGION": site.region,
        "AWS_DEFAULT_REGION": site.region,
    }  # for the CLI and its SDKs
    environment = {**node.environment(os.environ), **region}
    return subprocess.run(command, check=False, cwd=node.PROJECT, env=environment).returncode
