"""`make doctor`: check everything that a stage needs, without changing anything."""

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

# Each group needs what the one before it looks at.
MACHINE: Checks = {
    "cdk": machine.cdk,
    "python": machine.python,
    "layers": machine.layers,
    "umask": machine.umask,
}
ENTRANCE: Checks = {"region": account.region, "credentials": account.credentials}
ACCOUNT: Checks = {
    "bootstrap": account.bootstrap,
    "zones": account.zones,
    "database": account.database,
    "concurrency": quotas.concurrency,
    "quotas": quotas.room,
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
    """Look at what a deployment needs; of the account only when it can be reached."""
    yield from _looked_at(site, MACHINE)
    for name, check in ENTRANCE.items():
        finding = look(site, check)
        yield name, finding
        if finding.level is not Level.OK:
            return
    yield from _looked_at(site, ACCOUNT)


def whole(site: Site) -> Iterator[tuple[str, Finding]]:
    """Look at everything."""
    if site.stage.name == "local":
        yield from _looked_at(site, LOCAL)
        return
    seen = {}
    for name, finding in before_deployment(site):
        seen[name] = finding
        yield name, finding
    yield from _looked_at(site, DEPLOYED if ACCOUNT.keys() <= seen.keys() else UNDEPLOYED)


def report(findings: Iterator[tuple[str, Finding]]) -> bool:
    """Print each finding as it comes; return whether none is a failure."""
    count = dict.fromkeys(Level, 0)
    for name, finding in findings:
        count[finding.level] += 1
        print(f"{finding.level:4}  {name:11}  {finding.text}", flush=True)
        if finding.remedy:
            print(f"{'':19}{finding.remedy}", flush=True)
    print(f"Failures: {count[Level.FAIL]}. Warnings: {count[Level.WARN]}.")
    return not count[Level.FAIL]


def _looked_at(site: Site, checks: Checks) -> Iterator[tuple[str, Finding]]:
    for name, check in checks.items():
        yield name, look(site, check)


def look(site: Site, check: Check) -> Finding:
    """Return what a check finds; a call that AWS refuses is a finding too."""
    try:
        return check(site)
    except ClientError as error:
        if check is account.credentials:
            return fail(explain(error))
        # Whoever deploys through a role may not be allowed to look at everything.
        return warn(f"This could not be looked at. {explain(error)}")
    except BotoCoreError as error:
        return fail(explain(error))
