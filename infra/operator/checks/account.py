"""Checks of the AWS account and region, before a deployment."""

import base64
import difflib
import re
from pathlib import Path

import boto3
from botocore.exceptions import ClientError

import common.database
from infra.constructs.database import ENGINE
from infra.operator.checks import Finding, Site, fail, ok, warn
from infra.operator.stack import way_out

BOOTSTRAP_PARAMETER = "/cdk-bootstrap/hnb659fds/version"
# What the CDK's default synthesizer asks for; a test compares it with the manifest.
BOOTSTRAP_VERSION = 6
# No RDS Proxy ("Limitations of RDS Proxy" in the RDS User Guide), and no Graviton instances.
UNSUPPORTED_ZONES = {"use1-az3", "usw1-az2", "apne1-az3"}
_ROOTS = Path(common.database.__file__).with_name("amazon-ca-bundle.pem")


def credentials(site: Site) -> Finding:
    """AWS knows who is asking."""
    caller = site.client("sts").get_caller_identity()
    return ok(f"Account {caller['Account']}, as {caller['Arn']}.")


def region(site: Site) -> Finding:
    """The region exists, and the database's certificate can be checked there."""
    if not site.region:
        return fail("No region is set.", "Set AWS_REGION, such as AWS_REGION=us-east-1.")
    known = boto3.Session().get_available_regions("rds")
    if site.region not in known:
        near = difflib.get_close_matches(site.region, known, n=1)
        meant = f" Is it {near[0]}?" if near else ""
        return fail(f"There is no region {site.region!r}.{meant}", "Set AWS_REGION.")
    if site.region not in _regions_of_roots():
        return fail(
            f"The certificate of databases in {site.region} is not known here.",
            "Append the region's authorities to amazon-ca-bundle.pem: docs/operations.md, Regions.",
        )
    return ok(f"{site.region}.")


def bootstrap(site: Site) -> Finding:
    """The CDK has its bucket and roles in this account and region."""
    remedy = f"`make bootstrap STAGE={site.stage.name}`, once for an account and region."
    try:
        found = site.client("ssm").get_parameter(Name=BOOTSTRAP_PARAMETER)["Parameter"]["Value"]
    except ClientError as error:
        if error.response["Error"]["Code"] != "ParameterNotFound":
            raise
        return fail("The CDK is not bootstrapped in this account and region.", remedy)
    if int(found) < BOOTSTRAP_VERSION:
        return fail(f"The CDK's bootstrap is version {found}, not {BOOTSTRAP_VERSION}.", remedy)
    return ok(f"The CDK's bootstrap is version {found}.")


def zones(site: Site) -> Finding:
    """The zones that the stack will use offer everything that is put there."""
    answer = site.client("ec2").describe_availability_zones(
        Filters=[{"Name": "opt-in-status", "Values": ["opt-in-not-required"]}]
    )
    there = {
        zone["ZoneName"]: zone["ZoneId"]
        for zone in answer["AvailabilityZones"]
        if zone["State"] == "available"
    }
    usable = [name for name, number in sorted(there.items()) if number not in UNSUPPORTED_ZONES]
    advice = f'Set availability_zones, such as "{",".join(usable[-2:])}".'
    chosen = site.stage.availability_zones or tuple(sorted(there))[:2]
    if missing := [name for name in chosen if name not in there]:
        return fail(f"There is no zone {', '.join(missing)} in {site.region}.", advice)
    if bad := [name for name in chosen if name not in usable]:
        return fail(
            f"The zone {bad[0]} ({there[bad[0]]}) has neither RDS Proxy nor Graviton instances.",
            advice,
        )
    return ok(f"Zones {', '.join(f'{name} ({there[name]})' for name in chosen)}.")


def database(site: Site) -> Finding:
    """RDS offers the stage's instance with the stack's major version."""
    kind = f"db.{site.stage.database_instance}"
    assert ENGINE.engine_version is not None
    major = ENGINE.engine_version.major_version
    pages = (
        site.client("rds")
        .get_paginator("describe_orderable_db_instance_options")
        .paginate(Engine="postgres", DBInstanceClass=kind, Vpc=True)
    )
    versions = {
        option["EngineVersion"] for page in pages for option in page["OrderableDBInstanceOptions"]
    }
    if not any(version.split(".")[0] == major for version in versions):
        return fail(
            f"RDS does not offer PostgreSQL {major} on {kind} in {site.region}.",
            "Choose another region.",
        )
    return ok(f"RDS offers PostgreSQL {major} on {kind}.")


def state(site: Site) -> Finding:
    """CloudFormation takes a deployment of the stack."""
    found = site.stack
    if found is None:
        return ok(f"The stack {site.stage.stack_name} is not deployed yet.")
    if not found.can_be_deployed:
        return fail(f"The stack is {found.status}.", way_out(found, site.stage.name))
    if found.status in ("UPDATE_ROLLBACK_COMPLETE", "UPDATE_FAILED"):
        return warn(
            f"The stack is {found.status}: the last deployment failed, the version before it runs.",
            "Correct the cause, which the stack's events name, and deploy again.",
        )
    return ok(f"The stack is {found.status}.")


def _regions_of_roots() -> set[str]:
    """Return the regions whose certificate authorities are in the bundle."""
    pem = re.findall(r"-----BEGIN CERTIFICATE-----(.*?)-----END", _ROOTS.read_text(), re.DOTALL)
    found: set[str] = set()
    for body in pem:
        names = re.findall(rb"Amazon RDS ([a-z0-9-]+) Root CA", base64.b64decode(body))
        found |= {name.decode() for name in names}
    return found
