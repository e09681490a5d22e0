"""The port to the state machine: start and stop the execution of a run, and ask how it ended."""

import json

from botocore.exceptions import BotoCoreError, ClientError

from common.aws import clients
from common.domain.errors import TransientError
from common.domain.video import RunTarget


def start(state_machine_arn: str, run_id: str, video_id: str, work: RunTarget) -> None:
    """Start the run's execution, once: the run's id is its name. Raises TransientError.

    Starting it again while it is there, or after it ended, changes nothing. The execution goes on
    with the caller's trace: botocore sends its id (X-Amzn-Trace-Id).
    """
    given = {
        "run_id": run_id,
        "video_id": video_id,
        "step": work.scope.value,
        # Where the story is not written by this run, the scenes to work on.
        "story": {"scenes": sorted(work.versions)},
    }
    try:
        clients.step_functions().start_execution(
            stateMachineArn=state_machine_arn,
            name=run_id,
            input=json.dumps(given),
        )
    except ClientError as error:
        if error.response.get("Error", {}).get("Code") != "ExecutionAlreadyExists":
            raise _unavailable() from error
    except BotoCoreError as error:
        raise _unavailable() from error


def status(state_machine_arn: str, run_id: str) -> str | None:
    """Return the execution's status (`RUNNING`, `SUCCEEDED`, …); None when there is none."""
    try:
        return clients.step_functions().describe_execution(
            executionArn=execution_arn(state_machine_arn, run_id)
        )["status"]
    except ClientError as error:
        if error.response.get("Error", {}).get("Code") == "ExecutionDoesNotExist":
            return None
        raise _unavailable() from error
    except BotoCoreError as error:
        raise _unavailable() from error


def stop(state_machine_arn: str, run_id: str, reason: str) -> None:
    """Stop the run's execution, if it is there and under way. Raises TransientError."""
    try:
        clients.step_functions().stop_execution(
            executionArn=execution_arn(state_machine_arn, run_id), cause=reason
        )
    except ClientError as error:
        if error.response.get("Error", {}).get("Code") != "ExecutionDoesNotExist":
            raise _unavailable() from error
    except BotoCoreError as error:
        raise _unavailable() from error


def execution_arn(state_machine_arn: str, run_id: str) -> str:
    """Return the ARN of the run's execution."""
    return f"{state_machine_arn.replace(':stateMachine:', ':execution:')}:{run_id}"


def _unavailable() -> TransientError:
    return TransientError(
        "Step Functions did not answer; the run is kept and will be started.",
        code="pipeline.unavailable",
    )
