"""Function processes: the same environment as in Lambda, isolated from this machine."""

import json
import os
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from infra.local import runtime
from infra.local.connection import Connection
from tests.local.conftest import invoke, psutil

EXPECTED = {
    "AWS_ACCESS_KEY_ID",
    "AWS_DEFAULT_REGION",
    "AWS_ENDPOINT_URL",
    "AWS_EXECUTION_ENV",
    "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
    "AWS_LAMBDA_FUNCTION_NAME",
    "AWS_LAMBDA_FUNCTION_VERSION",
    "AWS_LAMBDA_INITIALIZATION_TYPE",
    "AWS_LAMBDA_LOG_GROUP_NAME",
    "AWS_LAMBDA_LOG_STREAM_NAME",
    "AWS_LAMBDA_RUNTIME_API",
    "AWS_REGION",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "LAMBDA_RUNTIME_DIR",
    "LAMBDA_TASK_ROOT",
    "LANG",
    "LD_LIBRARY_PATH",
    "MEDIA_BUCKET",  # of the template
    "PATH",
    "PYTHONPATH",
    "PYTHONPYCACHEPREFIX",
    "TMPDIR",
    "TZ",
    "_HANDLER",
}
# Set by the shell, by Python, or by X-Ray for the invocation.
TOLERATED = {"LC_CTYPE", "PWD", "OLDPWD", "SHLVL", "_", "_X_AMZN_TRACE_ID"}


def test_function_environment_matches_lambda(small: Connection) -> None:
    result = invoke(small, {})["environment"]
    assert set(result) - TOLERATED == EXPECTED
    assert result["AWS_ACCESS_KEY_ID"].startswith("ASIA")  # the credentials of its role, not root's
    assert result["MEDIA_BUCKET"] == small.outputs["MediaBucketName"]


def test_function_imports_only_layers_and_runtime_client(small: Connection) -> None:
    assert invoke(small, {"action": "boto3"})["errorType"] == "ModuleNotFoundError"
    result = invoke(small, {})
    assert result["greeting"] == "hello from the layer"
    assert result["tool"] == "tool of the layer\n"
    assert not any("site-packages" in path for path in result["path"])


def test_function_has_layers_at_opt_and_private_tmp(small: Connection, root: Path) -> None:
    if os.geteuid() != 0 or not runtime.can_isolate(root):
        pytest.skip("needs mount namespaces; test_copies.py tests the alternative")
    marker = Path("/tmp") / f"host-{os.getpid()}"
    marker.touch()
    try:
        result = invoke(small, {})
    finally:
        marker.unlink()
    assert result["layer_file"].startswith("/opt/python/")
    assert marker.name not in result["tmp"]
    assert not Path("/tmp/mine").exists()


def test_function_error_name_reaches_state_machine(small: Connection) -> None:
    machine = small.client("stepfunctions")
    execution = machine.start_execution(
        stateMachineArn=small.outputs["StateMachineArn"], input='{"action": "fail"}'
    )
    for _ in range(100):
        description = machine.describe_execution(executionArn=execution["executionArn"])
        if description["status"] != "RUNNING":
            break
        time.sleep(0.1)
    assert description["status"] == "SUCCEEDED"  # caught by error name
    assert json.loads(description["output"])["Error"] == "OutOfPaint"


def test_function_process_is_reused_and_parallel_calls_are_isolated(small: Connection) -> None:
    assert invoke(small, {})["pid"] == invoke(small, {})["pid"]
    started = time.monotonic()
    with ThreadPoolExecutor(4) as pool:
        calls = pool.map(lambda _: invoke(small, {"action": "sleep", "seconds": 1.0}), range(4))
        processes = {call["pid"] for call in calls}
    assert len(processes) == 4
    assert time.monotonic() - started < 3.5


def test_function_timeout_kills_child_processes(small: Connection) -> None:
    name = small.outputs["LookName"]
    client = small.client("lambda")
    client.update_function_configuration(FunctionName=name, Timeout=2)
    try:
        assert invoke(small, {"action": "child"})["errorType"] == "Sandbox.Timedout"
    finally:
        client.update_function_configuration(FunctionName=name, Timeout=20)
    commands = [
        " ".join(process.info["cmdline"] or []) for process in psutil.process_iter(["cmdline"])
    ]
    assert "sleep 317" not in commands


def test_function_output_is_logged(small: Connection, root: Path) -> None:
    invoke(small, {"action": "fail"})
    assert "OutOfPaint: no blue left" in (root / "log" / "functions.log").read_text()
