"""`make bootstrap` and `make deploy`: run the CDK, with checks before and next steps after."""

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
    """Make the CDK's bucket and roles in the account and region; again is harmless."""
    account = site.client("sts").get_caller_identity()["Account"]
    if _cdk(site, "bootstrap", f"aws://{account}/{site.region}"):
        raise OperatorError("The bootstrap failed; its reason is above.")


def deploy(site: Site, changes: Mapping[str, str]) -> None:
    """Deploy the stage after a look at what that needs, and print what is left to do.

    `changes` go before the stage's stored settings, and these before what the deployed stack keeps
    (the image of its NAT instance). Raises OperatorError when something is missing
    or the deployment fails.
    """
    if not doctor.report(doctor.before_deployment(site)):
        raise OperatorError("Nothing was deployed. Correct what failed, then run this again.")
    stage, name = site.stage.name, site.stage.stack_name
    OUTPUTS.mkdir(parents=True, exist_ok=True)
    outputs = OUTPUTS / f"{stage}.json"
    kept = kept_settings.of(
        name, cloudformation=site.client("cloudformation"), ec2=site.client("ec2")
    )
    settings = {"stage": stage, **_without(kept, config.stored(stage)), **changes}
    context = [f"--context={key}={value}" for key, value in settings.items()]
    # Without a terminal there is nobody who could approve.
    approval = [] if sys.stdin.isatty() else ["--require-approval=never"]
    # A bucket that a destroyed stack kept is taken over, not made.
    adopt = ["--import-existing-resources"] if settings.get("media_bucket") else []
    if _cdk(site, "deploy", name, *context, f"--outputs-file={outputs}", *approval, *adopt):
        raise OperatorError(failure(site))
    found = json.loads(outputs.read_text(encoding="utf-8"))[name]
    print(next_steps(site, found, outputs))


def failure(site: Site) -> str:
    """Return how a failed deployment left the stack, why, and what helps."""
    cloudformation, name = site.client("cloudformation"), site.stage.stack_name
    state = stack.find(cloudformation, name)
    if state is None:
        return "The deployment failed before CloudFormation began; nothing was changed."
    lines = [f"The deployment failed; the stack {name} is {state.status}."]
    if why := stack.reason(cloudformation, name):
        lines.append(f"It began with {why}")
    lines.append(_what_helps(state, site.stage.name))
    return "\n".join(lines)


def next_steps(site: Site, outputs: Mapping[str, str], file: Path) -> str:
    """Return the steps that only a person can do, ready to paste."""
    stage, arn = site.stage.name, outputs["ProvidersSecretArn"]
    secret = site.client("secretsmanager").get_secret_value(SecretId=arn)["SecretString"]
    names = [name for name in json.loads(secret) if name.endswith("_API_KEY")]
    keys = json.dumps(dict.fromkeys(names, "..."))
    steps = [
        f"Deployed: {outputs['ApiUrl']} (all outputs: {file.relative_to(node.PROJECT)})",
        "",
        "Two steps are left, where they are not done yet. The providers' keys, without which",
        "videos are made offline, without AI:",
        "",
        f"  aws secretsmanager put-secret-value --region {site.region} \\",
        f"    --secret-id {arn} \\",
        f"    --secret-string '{keys}'",
        "",
        "And a key for whoever calls the API:",
        "",
        f'  make key STAGE={stage} OPTIONS="--user ann"',
        "",
        f"`make verify STAGE={stage}` tries the stage out, free of charge.",
    ]
    return "\n".join(steps)


def _without(settings: Mapping[str, str], others: Mapping[str, str]) -> dict[str, str]:
    return {key: value for key, value in settings.items() if key not in others}


def _what_helps(state: StackState, stage: str) -> str:
    if state.can_be_deployed:
        return "The version before it runs on. Correct the cause, then deploy again."
    return stack.way_out(state, stage)


def _cdk(site: Site, *arguments: str) -> int:
    """Run the pinned CDK command line in the site's region and return its exit status."""
    command = [*node.command("aws-cdk", "bin/cdk"), *arguments]
    region = {"AWS_REGION": site.region, "AWS_DEFAULT_REGION": site.region}  # for every program
    environment = {**node.environment(os.environ), **region}
    return subprocess.run(command, check=False, cwd=node.PROJECT, env=environment).returncode
