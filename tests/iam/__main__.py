"""`make iam`: remove each permission of each role in turn, and expect a test of tests/e2e to fail.

First all of tests/e2e runs with all permissions; IAM's decisions during each test show which ones
it uses. Then each permission that is not in `exceptions.toml` is removed from the role's policy,
and the shortest tests that used it run until one fails after a denial of the permission.
`python -m tests.iam ROLE ...` does this only for these roles.
"""

import contextlib
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from infra.local.cloud import Cloud, running_cloud
from layers.lock import ROOT
from tests.e2e.client import RUNNING
from tests.iam.rights import Grant, Right, Roles, as_list, complaints, decisions, unnoticed, unused

TIER = ROOT / "tests" / "e2e"
LOG = ROOT / "build" / "iam.log"
REFUSED = 4  # passing tests with a denial until the permission counts as not needed
TRIES = 12  # maximum of tests; those without a decision, because of a warm function, do not count


@dataclass
class Tests:
    """A pytest plug-in that uses the running cloud for tests/e2e and records used permissions."""

    cloud: Cloud
    roles: Roles
    used: dict[str, set[Right]] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)

    @property
    def log(self) -> Path:
        """The emulator's log of IAM decisions."""
        return self.cloud.logs / "iam.jsonl"

    def pytest_configure(self, config: pytest.Config) -> None:
        config.stash[RUNNING] = self.cloud

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        start, began = self.log.stat().st_size, time.monotonic()
        result = yield
        if item.nodeid not in self.used:  # only with all permissions
            self.used[item.nodeid] = self.roles.used(decisions(self.log, start))
            self.seconds[item.nodeid] = time.monotonic() - began
        return result

    def run(self, *which: str) -> bool:
        """Run these tests with output to a file; return whether all passed."""
        options = ["-q", "-p", "no:cacheprovider", "-p", "no:randomly"]
        with LOG.open("a") as log, contextlib.redirect_stdout(log):
            code = pytest.main([*options, *which], plugins=[self])
        if code not in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED):
            raise RuntimeError(f"pytest ended with {code!r}; see {LOG}")
        return code == pytest.ExitCode.OK

    def users(self, right: Right) -> list[str]:
        """Return the tests that may fail without a permission: its users, the shortest first.

        They are followed by users of other permissions of the role, because a function reads its
        secret at start, in an arbitrary test, and without it fails in all of them.
        """
        direct = {test for test, used in self.used.items() if right in used}
        others = {
            test
            for test, used in self.used.items()
            if direct and any(one.role == right.role for one in used)
        }
        return sorted(others, key=lambda test: (test not in direct, self.seconds[test]))


@contextlib.contextmanager
def without(roles: Roles, right: Right) -> Iterator[list[Grant]]:
    """Remove a permission within the context; yield its grants."""
    grants = [grant for grant in roles.grants if grant.right == right]
    places = {(grant.role_name, grant.policy_name) for grant in grants}
    before = {place: roles.document(*place) for place in places}
    for (role, policy), document in before.items():
        patterns = {grant.pattern for grant in grants}
        statements = [
            rest
            for statement in document["Statement"]
            for rest in _reduced(statement, right.action, patterns)
        ]
        roles.put(role, policy, {**document, "Statement": statements})
    try:
        _restart_warm_functions(roles, right.role)
        yield grants
    finally:
        for place, document in before.items():
            roles.put(*place, document)
        _restart_warm_functions(roles, right.role)


def _reduced(statement: dict[str, object], action: str, patterns: set[str]) -> list[object]:
    """Return a statement without an action on some resources, as up to two statements."""
    actions, resources = as_list(statement["Action"]), as_list(statement["Resource"])
    if statement["Effect"] != "Allow" or action not in actions:
        return [statement]
    parts = (
        ([one for one in actions if one != action], resources),
        ([action], [one for one in resources if one not in patterns]),
    )
    return [{**statement, "Action": a, "Resource": r} for a, r in parts if a and r]


def _restart_warm_functions(roles: Roles, function: str) -> None:
    """Restart warm processes, which cache secrets, by changing the function's description."""
    roles.link.client("lambda").update_function_configuration(
        FunctionName=f"{roles.link.stack}-{function}", Description=f"Since {time.time()}"
    )


def try_without(tests: Tests, right: Right) -> str:
    """Return the result without a permission; it starts with `needed` if a test failed."""
    passed: list[str] = []
    for test in tests.users(right)[:TRIES]:
        with without(tests.roles, right) as grants:
            start = tests.log.stat().st_size
            failed = not tests.run("-x", test)
            refused = any(
                grant.covers(decision) and not decision["allowed"]
                for decision in decisions(tests.log, start)
                for grant in grants
            )
        if failed and refused:
            return f"needed by {test}"
        passed += [test] if refused else []
        if len(passed) == REFUSED:
            break
    return f"NOT NEEDED; passed without it: {', '.join(passed) or 'no test requested it'}"


def main() -> int:
    """Try all permissions; return the exit code."""
    LOG.parent.mkdir(exist_ok=True)
    LOG.unlink(missing_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)  # PostgreSQL does not run as root
        with running_cloud(Path(folder, "cloud")) as cloud:
            roles = Roles(cloud.connection)
            tests = Tests(cloud, roles)
            granted = {grant.right for grant in roles.grants}
            if not tests.run(str(TIER)):
                print(f"A test fails with all permissions; see {LOG}.")
                return 1
            wrong = complaints(granted, roles.used(decisions(tests.log)))
            print("\n".join(wrong))
            tried = [
                right
                for right in sorted(granted)
                if not any(entry.covers(right) for entry in unused() + unnoticed())
                and right.role in (sys.argv[1:] or [right.role])
            ]
            for number, right in enumerate(tried, 1):
                outcome = try_without(tests, right)
                wrong += [] if outcome.startswith("needed") else [str(right)]
                print(f"{number} of {len(tried)} {right}: {outcome}", flush=True)
    print(f"{len(tried)} permissions tried, {len(wrong)} violations.")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
