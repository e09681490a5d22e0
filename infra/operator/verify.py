"""`make verify`: the user-facing tests against the API of a deployed stage."""

import os
import subprocess
import sys
from collections.abc import Sequence

from infra import node
from infra.operator import keys
from infra.operator.errors import OperatorError

# What the tests find in their environment (tests/e2e/stage.py).
URL, OPERATOR_KEY, MAX_COST = "VERIFY_URL", "VERIFY_OPERATOR_KEY", "VERIFY_MAX_COST"
_PROCESSES = 4


def verify(
    deployment: keys.Deployment, *, max_cost: str | None = None, only: Sequence[str] = ()
) -> None:
    """Run the tests that are marked `deployed`; raises OperatorError when one fails.

    They mint test keys of users of their own, and remove both in the end. With `max_cost` one
    more makes a paid video, which may cost so many US dollars.
    """
    try:
        found = {URL: deployment.base_url, OPERATOR_KEY: keys.operator_key(deployment)}
    except keys.MintError as error:
        raise OperatorError(str(error)) from error
    if max_cost is not None:
        found[MAX_COST] = max_cost
    print(f"Trying out {deployment.base_url}", flush=True)
    command = [sys.executable, "-m", "pytest", "-q", "-m", "deployed", f"-n{_PROCESSES}"]
    done = subprocess.run(
        [*command, "--dist=loadfile", "tests/e2e", *only],
        check=False,
        cwd=node.PROJECT,
        env={**os.environ, **found},
    )
    if done.returncode != 0:
        raise OperatorError(
            "Something does not work as documented, see above. What the tests made is removed, as "
            "far as the stage let them; their keys end after a day."
        )
