"""`make doctor`: read-only checks of everything that a stage needs."""

from collections.abc import Iterator, Mapping

from botocore.exceptions import BotoCoreError, ClientError

from infra.operator.checks import (
    Check,
    Finding,
    Level,
    Site,
    account,
    fail,
    machine,
    providers,
    quotas,
    runs,
    warn,
)
from infra.operator.errors import explain

Checks = Mapping[str, Check]

# Each group depends on the one before it.
MACHINE: Checks = {
    "cdk": machine.cdk,
    "python": machine.python,
    "layers": machine.layers,
    "umask": machine.umask,
}
ACCESS: Checks = {"region": account.region, "credentials": account.credentials}
ACCOUNT: Checks = {
    "bootstrap": account.bootstrap,
    "zones": account.zones,
    "database": account.database,
    "concurrency": quotas.concurrency,
    "quotas": quotas.capacity,
    "offers": providers.regions,
    "stack": account.state,
}
DEPLOYED: Checks = {
    "openai": providers.openai,
    "runway": providers.runway,
    "models": providers.shutdowns,
    "runs": runs.stuck,
    "sweeper": runs.sweeps,
}
UNDEPLOYED: Checks = {"models": providers.shutdowns}
LOCAL: Checks = {**MACHINE, "stack": account.state, **DEPLOYED}


def before_deployment(site: Site) -> Iterator[tuple[str, Finding]]:
    """Check the prerequisites of a deployment; those of the account only if AWS is reachable."""
    yield from _run_all(site, MACHINE)
    for name, check in ACCESS.items():
        finding = run_check(site, check)
        yield name, finding
        if finding.level is not Level.OK:
            return
    yield from _run_all(site, ACCOUNT)


def run_checks(site: Site) -> Iterator[tuple[str, Finding]]:
    """Run all checks of the stage."""
    if site.stage.name == "local":
        yield from _run_all(site, LOCAL)
        return
    checked = set()
    for name, finding in before_deployment(site):
        checked.add(name)
        yield name, finding
    yield from _run_all(site, DEPLOYED if ACCOUNT.keys() <= checked else UNDEPLOYED)


def report(findings: Iterator[tuple[str, Finding]]) -> bool:
    """Print each finding as it is made; return True if none is a failure."""
    count = dict.fromkeys(Level, 0)
    for name, finding in findings:
        count[finding.level] += 1
        print(f"{finding.level:4}  {name:11}  {finding.text}", flush=True)
        if finding.remedy:
            print(f"{'':19}{finding.remedy}", flush=True)
    print(f"Failures: {count[Level.FAIL]}. Warnings: {count[Level.WARN]}.")
    return not count[Level.FAIL]


def _run_all(site: Site, checks: Checks) -> Iterator[tuple[str, Finding]]:
    for name, check in checks.items():
        yield name, run_check(site, check)


def run_check(site: Site, check: Check) -> Finding:
    """Run one check; errors of AWS calls become findings."""
    try:
        return check(site)
    except ClientError as error:
        if check is account.credentials:
            return fail(explain(error))
        # A deployment role need not have the permissions that every check requires.
        return warn(f"This could not be checked. {explain(error)}")
    except BotoCoreError as error:
        return fail(explain(error))
