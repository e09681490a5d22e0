"""Checks of runs and of the sweeper, from data that is readable outside the VPC."""

from datetime import datetime, timedelta

from infra.operator.checks import Finding, Site, fail, ok, warn

# A run with many scenes may wait for its provider for an hour.
_LONG_RUN = timedelta(hours=2)
# The sweeper runs every five minutes, and its metric arrives a few minutes late.
_SWEEP_OVERDUE, _WINDOW = timedelta(minutes=20), timedelta(hours=3)
_MAX_NAMES = 5


def stuck(site: Site) -> Finding:
    """Check that no execution has been running for hours."""
    stack = site.stack
    if stack is None or not stack.is_deployed:
        return ok("There are no runs before the first deployment.")
    pages = (
        site.client("stepfunctions")
        .get_paginator("list_executions")
        .paginate(stateMachineArn=stack.outputs["StateMachineArn"], statusFilter="RUNNING")
    )
    running = [execution for page in pages for execution in page["executions"]]
    long = [run["name"] for run in running if site.now - run["startDate"] > _LONG_RUN]
    if long:
        names = ", ".join(long[:_MAX_NAMES]) + (", …" if len(long) > _MAX_NAMES else "")
        return warn(
            f"{len(long)} of {len(running)} runs have been running for over two hours: {names}.",
            "See their executions in the Step Functions console. Stopping an execution fails its "
            "run, which can be resumed.",
        )
    return ok(f"{len(running)} runs are open, none for over two hours.")


def sweeps(site: Site) -> Finding:
    """Check that the sweeper, which ends interrupted runs, ran recently and without errors."""
    stack = site.stack
    if stack is None or not stack.is_deployed:
        return ok("There are no sweeps before the first deployment.")
    remedy = "See the log of `sweeper` and its rule in EventBridge."
    last, _ = _metric(site, "Invocations")
    if last is None or site.now - last > _SWEEP_OVERDUE:
        if site.now - stack.created < _SWEEP_OVERDUE:
            return ok("The sweeper has not run yet; the stack is new.")
        since = f"since {last:%H:%M} UTC" if last else f"for {_WINDOW.seconds // 3600} hours"
        return fail(f"The sweeper has not run {since}; it is scheduled every five minutes.", remedy)
    failed, errors = _metric(site, "Errors")
    if failed is not None:
        return warn(
            f"The sweeper failed {errors:.0f} times, most recently at {failed:%H:%M} UTC.", remedy
        )
    return ok(f"The sweeper last ran at {last:%H:%M} UTC.")


def _metric(site: Site, name: str) -> tuple[datetime | None, float]:
    """Return the last time that the sweeper's metric was not zero, and its sum over the window."""
    assert site.stack is not None
    response = site.client("cloudwatch").get_metric_statistics(
        Namespace="AWS/Lambda",
        MetricName=name,
        Dimensions=[{"Name": "FunctionName", "Value": site.stack.outputs["SweeperFunctionName"]}],
        StartTime=site.now - _WINDOW,
        EndTime=site.now,
        Period=60,
        Statistics=["Sum"],
    )
    points = [point for point in response["Datapoints"] if point["Sum"] > 0]
    last = max((point["Timestamp"] for point in points), default=None)
    return last, sum(point["Sum"] for point in points)
