"""`make verify`: the end-to-end tests, run against the API of a deployed stage."""

import os
import subprocess
import sys
from collections.abc import Sequence

from infra import node
from infra.operator import keys
from infra.operator.errors import OperatorError

# Environment variables of the tests (tests/e2e/stage.py).
URL, OPERATOR_KEY, MAX_COST = "VERIFY_URL", "VERIFY_OPERATOR_KEY", "VERIFY_MAX_COST"
_PROCESSES = 4


def verify(
    deployment: keys.Deployment, *, max_cost: str | None = None, only: Sequence[str] = ()
) -> None:
    """Run the tests marked `deployed`; raises OperatorError if one fails.

    The tests mint test keys for users of their own and delete them afterwards. With `max_cost` (in
    US dollars) one more test makes a paid video under that cap.
    """
    try:
        variables = {URL: deployment.base_url, OPERATOR_KEY: keys.operator_key(deployment)}
    except keys.MintError as error:
        raise OperatorError(str(error)) from error
    if max_cost is not None:
        variables[MAX_COST] = max_cost
    print(f"Testing {deployment.base_url}", flush=True)
    command = [sys.executable, "-m", "pytest", "-q", "-m", "deployed", f"-n{_PROCESSES}"]
    process = subprocess.run(
        [*command, "--dist=loadfile", "tests/e2e", *only],
        check=False,
        cwd=node.PROJECT,
        env={**os.environ, **variables},
    )
    if process.returncode != 0:
        raise OperatorError(
            "The stage does not work as documented. See the failures above. The tests have deleted "
            "what they created, if the stage allowed it; their keys expire after a day."
        )
