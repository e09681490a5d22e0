"""`make key`: what it says when no key can be minted."""

import subprocess
import sys
from pathlib import Path

PROJECT = Path(__file__).parents[3]


def mint(*options: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the command as in a shell without AWS."""
    return subprocess.run(
        [sys.executable, "-m", "infra.operator.keys", *options],
        cwd=PROJECT,
        env={"HOME": "/nonexistent", "AWS_EC2_METADATA_DISABLED": "true", **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_without_a_region_or_credentials_it_says_so() -> None:
    for environment in ({}, {"AWS_REGION": "us-east-1", "AWS_DEFAULT_REGION": "us-east-1"}):
        done = mint("--stage", "dev", **environment)
        assert (done.returncode, done.stdout) == (1, "")
        assert "No key was made. Check credentials, region and --stage." in done.stderr
        assert "Traceback" not in done.stderr


def test_region_of_the_cdk_is_enough() -> None:
    done = mint("--stage", "dev", AWS_REGION="eu-north-1")
    assert "There are no AWS credentials" in done.stderr


def test_an_unknown_stage_or_option_names_those_that_are_known() -> None:
    for options, known in ((["--stage", "moon"], "prod"), (["--colour", "red"], "--daily-cap")):
        done = mint(*options)
        assert done.returncode == 2
        assert known in done.stderr
