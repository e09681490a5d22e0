"""Checks of the account's service quotas."""

from collections.abc import Callable
from dataclasses import dataclass

from botocore.exceptions import ClientError

from infra.config import Stage
from infra.operator.checks import Finding, Site, fail, ok, warn

# New accounts may have 10. Below 100, a few waiting clients or two concurrent videos exhaust it.
_COMFORTABLE = 100
# The authorizer and the API for one request, the inbox, the sweeper, and one scene.
_MINIMUM = 5


@dataclass(frozen=True)
class _Quota:
    """A service quota, the amount that a first deployment needs, and the amount in use."""

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
    """Return the number of vCPUs of running instances."""
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
        instance["CpuOptions"]["CoreCount"] * instance["CpuOptions"]["ThreadsPerCore"]
        for instance in instances
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
    """Check the account's quota of concurrent Lambda executions."""
    code = "L-B99A9384"
    value = _value(site, "lambda", code)
    remedy = f"Request an increase: {_request('lambda', code, 1000)}"
    if value < _MINIMUM:
        return fail(
            f"The account has {value} concurrent Lambda executions, too few for a video.", remedy
        )
    if value < _COMFORTABLE:
        return warn(
            f"The account has only {value} concurrent Lambda executions: scenes are made one after "
            "another, and requests fail with 503 under load.",
            remedy,
        )
    return ok(f"The account has {value} concurrent Lambda executions.")


def capacity(site: Site) -> Finding:
    """Check that the account's quotas allow a first deployment."""
    if site.stack is not None:
        return ok("The stack exists, so no further quota is needed.")
    exceeded, requests = [], []
    for quota in _QUOTAS:
        needed = quota.needed(site.stage)
        if not needed:
            continue
        allowed, used = _value(site, quota.service, quota.code), quota.used(site)
        if used + needed > allowed:
            exceeded.append(f"{quota.name} ({used} of {allowed} used, {needed} needed)")
            requests.append(_request(quota.service, quota.code, used + needed))
    if exceeded:
        remedy = "Delete unused resources, or request an increase: " + "; ".join(requests)
        return fail(f"The stack exceeds quotas of the account: {', '.join(exceeded)}.", remedy)
    return ok("The account's quotas allow the stack.")


def _value(site: Site, service: str, code: str) -> int:
    """Return the account's quota, or AWS's default if the account has none applied."""
    quotas = site.client("service-quotas")
    try:
        response = quotas.get_service_quota(ServiceCode=service, QuotaCode=code)
    except ClientError as error:
        if error.response["Error"]["Code"] != "NoSuchResourceException":
            raise
        response = quotas.get_aws_default_service_quota(ServiceCode=service, QuotaCode=code)
    return int(response["Quota"]["Value"])


def _request(service: str, code: str, value: int) -> str:
    return (
        f"`aws service-quotas request-service-quota-increase --service-code {service} "
        f"--quota-code {code} --desired-value {value}`"
    )
