"""Checks of the AWS account and region before a deployment."""

import base64
import difflib
import re
from pathlib import Path

import boto3
from botocore.exceptions import ClientError

import common.database
from infra.constructs.database import ENGINE
from infra.operator.checks import Finding, Site, fail, ok, warn
from infra.operator.stack import recovery

BOOTSTRAP_PARAMETER = "/cdk-bootstrap/hnb659fds/version"
# The version that the CDK's default synthesizer requires; a test compares it with the manifest.
BOOTSTRAP_VERSION = 6
# Without RDS Proxy ("Limitations of RDS Proxy" in the RDS User Guide) and Graviton instances.
UNSUPPORTED_ZONES = {"use1-az3", "usw1-az2", "apne1-az3"}
_ROOTS = Path(common.database.__file__).with_name("amazon-ca-bundle.pem")


def credentials(site: Site) -> Finding:
    """Check that AWS accepts the credentials."""
    caller = site.client("sts").get_caller_identity()
    return ok(f"Account {caller['Account']}, as {caller['Arn']}.")


def region(site: Site) -> Finding:
    """Check that the region exists and that its RDS certificates can be verified."""
    if not site.region:
        return fail("No region is set.", "Set AWS_REGION, such as AWS_REGION=us-east-1.")
    known = boto3.Session().get_available_regions("rds")
    if site.region not in known:
        near = difflib.get_close_matches(site.region, known, n=1)
        suggestion = f" Did you mean {near[0]}?" if near else ""
        return fail(f"Unknown region {site.region!r}.{suggestion}", "Set AWS_REGION.")
    if site.region not in _regions_of_roots():
        return fail(
            f"The certificate of databases in {site.region} is not in amazon-ca-bundle.pem.",
            "Append the region's certificate authorities: see Regions in docs/operations.md.",
        )
    return ok(f"{site.region}.")


def bootstrap(site: Site) -> Finding:
    """Check that the CDK is bootstrapped in the account and region."""
    remedy = f"Run `make bootstrap STAGE={site.stage.name}` once per account and region."
    try:
        parameter = site.client("ssm").get_parameter(Name=BOOTSTRAP_PARAMETER)["Parameter"]
    except ClientError as error:
        if error.response["Error"]["Code"] != "ParameterNotFound":
            raise
        return fail("The CDK is not bootstrapped in this account and region.", remedy)
    version = parameter["Value"]
    if int(version) < BOOTSTRAP_VERSION:
        return fail(
            f"The CDK bootstrap is version {version}; {BOOTSTRAP_VERSION} or later is required.",
            remedy,
        )
    return ok(f"The CDK bootstrap is version {version}.")


def zones(site: Site) -> Finding:
    """Check that the stack's availability zones offer RDS Proxy and Graviton instances."""
    response = site.client("ec2").describe_availability_zones(
        Filters=[{"Name": "opt-in-status", "Values": ["opt-in-not-required"]}]
    )
    available = {
        zone["ZoneName"]: zone["ZoneId"]
        for zone in response["AvailabilityZones"]
        if zone["State"] == "available"
    }
    usable = [name for name, number in sorted(available.items()) if number not in UNSUPPORTED_ZONES]
    advice = f'Set availability_zones, such as "{",".join(usable[-2:])}".'
    chosen = site.stage.availability_zones or tuple(sorted(available))[:2]
    if missing := [name for name in chosen if name not in available]:
        return fail(f"{site.region} has no availability zone {', '.join(missing)}.", advice)
    if unsupported := [name for name in chosen if name not in usable]:
        return fail(
            f"The availability zone {unsupported[0]} ({available[unsupported[0]]}) has neither RDS "
            "Proxy nor Graviton instances.",
            advice,
        )
    zone_list = ", ".join(f"{name} ({available[name]})" for name in chosen)
    return ok(f"Availability zones {zone_list}.")


def database(site: Site) -> Finding:
    """Check that RDS offers the stage's instance class with the stack's PostgreSQL version."""
    instance_class = f"db.{site.stage.database_instance}"
    assert ENGINE.engine_version is not None
    major = ENGINE.engine_version.major_version
    pages = (
        site.client("rds")
        .get_paginator("describe_orderable_db_instance_options")
        .paginate(Engine="postgres", DBInstanceClass=instance_class, Vpc=True)
    )
    versions = {
        option["EngineVersion"] for page in pages for option in page["OrderableDBInstanceOptions"]
    }
    if not any(version.split(".")[0] == major for version in versions):
        return fail(
            f"RDS does not offer PostgreSQL {major} on {instance_class} in {site.region}.",
            "Choose another region.",
        )
    return ok(f"RDS offers PostgreSQL {major} on {instance_class}.")


def state(site: Site) -> Finding:
    """Check that CloudFormation accepts a deployment of the stack."""
    stack = site.stack
    if stack is None:
        return ok(f"The stack {site.stage.stack_name} is not deployed yet.")
    if not stack.can_be_deployed:
        return fail(f"The stack is {stack.status}.", recovery(stack, site.stage.name))
    if stack.status in ("UPDATE_ROLLBACK_COMPLETE", "UPDATE_FAILED"):
        return warn(
            f"The stack is {stack.status}: the last deployment failed, and the previous version "
            "is running.",
            "Fix the cause that the stack's events name, then deploy again.",
        )
    return ok(f"The stack is {stack.status}.")


def _regions_of_roots() -> set[str]:
    """Return the regions whose certificate authorities are in the bundle."""
    pem = re.findall(r"-----BEGIN CERTIFICATE-----(.*?)-----END", _ROOTS.read_text(), re.DOTALL)
    regions: set[str] = set()
    for body in pem:
        names = re.findall(rb"Amazon RDS ([a-z0-9-]+) Root CA", base64.b64decode(body))
        regions |= {name.decode() for name in names}
    return regions
