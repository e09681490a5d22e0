"""`make key`: its messages when no key can be minted."""

import subprocess
import sys
from pathlib import Path

PROJECT = Path(__file__).parents[3]


def mint(*options: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the command in an environment without AWS credentials."""
    return subprocess.run(
        [sys.executable, "-m", "infra.operator.keys", *options],
        cwd=PROJECT,
        env={"HOME": "/nonexistent", "AWS_EC2_METADATA_DISABLED": "true", **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_make_key_without_region_or_credentials_is_explained() -> None:
    for environment in ({}, {"AWS_REGION": "us-east-1", "AWS_DEFAULT_REGION": "us-east-1"}):
        process = mint("--stage", "dev", **environment)
        assert (process.returncode, process.stdout) == (1, "")
        assert "No key was created. Check credentials, region and --stage." in process.stderr
        assert "Traceback" not in process.stderr


def test_make_key_accepts_the_region_of_the_cdk() -> None:
    process = mint("--stage", "dev", AWS_REGION="eu-north-1")
    assert "No AWS credentials were found" in process.stderr


def test_make_key_lists_valid_stages_and_options() -> None:
    for options, known in ((["--stage", "moon"], "prod"), (["--colour", "red"], "--daily-cap")):
        process = mint(*options)
        assert process.returncode == 2
        assert known in process.stderr
