"""Checks of the account's service quotas."""

from collections.abc import Callable
from dataclasses import dataclass

from botocore.exceptions import ClientError

from infra.config import Stage
from infra.operator.checks import Finding, Site, fail, ok, warn

# New accounts may have 10. Below this a few clients who wait, or two videos at once, use it up.
_COMFORTABLE = 100
# The authorizer and the API for one request, the inbox, the sweeper, and one scene.
_LEAST = 5


@dataclass(frozen=True)
class _Quota:
    """A quota, how much of it a first deployment needs, and how much is in use."""

    service: str
    code: str
    name: str
    needed: Callable[[Stage], int]
    used: Callable[[Site], int]


def _vpcs(site: Site) -> int:
    pages = site.client("ec2").get_paginator("describe_vpcs").paginate()
    return sum(len(page["Vpcs"]) for page in pages)


def _addresses(site: Site) -> int:
    return len(site.client("ec2").describe_addresses()["Addresses"])


def _databases(site: Site) -> int:
    pages = site.client("rds").get_paginator("describe_db_instances").paginate()
    return sum(len(page["DBInstances"]) for page in pages)


def _processors(site: Site) -> int:
    """Count the virtual processors of running instances."""
    pages = (
        site.client("ec2")
        .get_paginator("describe_instances")
        .paginate(Filters=[{"Name": "instance-state-name", "Values": ["pending", "running"]}])
    )
    instances = [
        instance
        for page in pages
        for reservation in page["Reservations"]
        for instance in reservation["Instances"]
    ]
    return sum(
        one["CpuOptions"]["CoreCount"] * one["CpuOptions"]["ThreadsPerCore"] for one in instances
    )


_QUOTAS = (
    _Quota("vpc", "L-F678F1CE", "VPCs", lambda stage: 1, _vpcs),
    _Quota(
        "ec2", "L-0263D0A3", "elastic IP addresses", lambda s: int(s.nat == "gateway"), _addresses
    ),
    _Quota(
        "ec2", "L-1216C47A", "vCPUs of instances", lambda s: 2 * (s.nat == "instance"), _processors
    ),
    _Quota("rds", "L-7B6409FD", "database instances", lambda stage: 1, _databases),
)


def concurrency(site: Site) -> Finding:
    """The account has enough concurrent Lambda executions."""
    code = "L-B99A9384"
    value = _value(site, "lambda", code)
    remedy = f"Ask for more: {_request('lambda', code, 1000)}"
    if value < _LEAST:
        return fail(
            f"The account has {value} concurrent Lambda executions, too few for a video.", remedy
        )
    if value < _COMFORTABLE:
        return warn(
            f"The account has only {value} concurrent Lambda executions: videos are made scene by "
            "scene, and requests get 503 while many clients wait.",
            remedy,
        )
    return ok(f"The account has {value} concurrent Lambda executions.")


def room(site: Site) -> Finding:
    """The account has room for what a first deployment makes."""
    if site.stack is not None:
        return ok("What the stack needs is there already.")
    short, asks = [], []
    for quota in _QUOTAS:
        needed = quota.needed(site.stage)
        if not needed:
            continue
        allowed, used = _value(site, quota.service, quota.code), quota.used(site)
        if used + needed > allowed:
            short.append(f"{quota.name} ({used} of {allowed} used, {needed} needed)")
            asks.append(_request(quota.service, quota.code, used + needed))
    if short:
        remedy = "Remove what is not needed, or ask for more: " + "; ".join(asks)
        return fail(f"The account has no room for the stack: {', '.join(short)}.", remedy)
    return ok("The account has room for the stack.")


def _value(site: Site, service: str, code: str) -> int:
    """Return the account's quota; AWS's own where the account has none of its own."""
    quotas = site.client("service-quotas")
    try:
        answer = quotas.get_service_quota(ServiceCode=service, QuotaCode=code)
    except ClientError as error:
        if error.response["Error"]["Code"] != "NoSuchResourceException":
            raise
        answer = quotas.get_aws_default_service_quota(ServiceCode=service, QuotaCode=code)
    return int(answer["Quota"]["Value"])


def _request(service: str, code: str, value: int) -> str:
    return (
        f"`aws service-quotas request-service-quota-increase --service-code {service} "
        f"--quota-code {code} --desired-value {value}`"
    )
