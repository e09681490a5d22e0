"""Step Functions executions of runs: start, stop, and read the status."""

import json

from botocore.exceptions import BotoCoreError, ClientError

from common.aws import clients
from common.domain.errors import TransientError
from common.domain.video import RunTarget


def start(state_machine_arn: str, run_id: str, video_id: str, work: RunTarget) -> None:
    """Start the execution of a run. Raises TransientError.

    The call is idempotent, because the run's id is the execution's name: starting it again while it
    runs or after it ended has no effect. The execution continues the caller's X-Ray trace, whose id
    botocore sends in X-Amzn-Trace-Id.
    """
    execution_input = {
        "run_id": run_id,
        "video_id": video_id,
        "step": work.scope.value,
        # The scenes to work on, if this run does not write the story.
        "story": {"scenes": sorted(work.versions)},
    }
    try:
        clients.step_functions().start_execution(
            stateMachineArn=state_machine_arn,
            name=run_id,
            input=json.dumps(execution_input),
        )
    except ClientError as error:
        if error.response.get("Error", {}).get("Code") != "ExecutionAlreadyExists":
            raise _unavailable() from error
    except BotoCoreError as error:
        raise _unavailable() from error


def status(state_machine_arn: str, run_id: str) -> str | None:
    """Return the execution's status (`RUNNING`, `SUCCEEDED`, …); None if it does not exist.

    Raises TransientError.
    """
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
    """Stop the run's execution, if it exists and is running. Raises TransientError."""
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
        "Step Functions could not be reached. The run is stored and will be started automatically.",
        code="pipeline.unavailable",
    )
