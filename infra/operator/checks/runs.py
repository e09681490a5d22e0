"""Checks of runs and of the sweeper, by what can be read from outside the VPC."""

from datetime import datetime, timedelta

from infra.operator.checks import Finding, Site, fail, ok, warn

# A run of many scenes that waits for its provider may take an hour.
_LONG = timedelta(hours=2)
# The schedule has five minutes, and its metric comes a few minutes late.
_SWEPT, _WINDOW = timedelta(minutes=20), timedelta(hours=3)
_SHOWN = 5


def stuck(site: Site) -> Finding:
    """No execution has been running for hours."""
    stack = site.stack
    if stack is None or not stack.is_deployed:
        return ok("There are no runs before the first deployment.")
    pages = (
        site.client("stepfunctions")
        .get_paginator("list_executions")
        .paginate(stateMachineArn=stack.outputs["StateMachineArn"], statusFilter="RUNNING")
    )
    running = [execution for page in pages for execution in page["executions"]]
    long = [one["name"] for one in running if site.now - one["startDate"] > _LONG]
    if long:
        names = ", ".join(long[:_SHOWN]) + (", …" if len(long) > _SHOWN else "")
        return warn(
            f"{len(long)} of {len(running)} runs have been running for over two hours: {names}.",
            "Look at their executions in the Step Functions console; stopping one fails its run, "
            "which can be resumed.",
        )
    return ok(f"{len(running)} runs are open, none for over two hours.")


def sweeps(site: Site) -> Finding:
    """The sweeper, which closes what a crash left open, ran lately and without an error."""
    stack = site.stack
    if stack is None or not stack.is_deployed:
        return ok("There are no sweeps before the first deployment.")
    remedy = "Look at the log of `sweeper`, and at its rule in EventBridge."
    last, _ = _metric(site, "Invocations")
    if last is None or site.now - last > _SWEPT:
        if site.now - stack.created < _SWEPT:
            return ok("The stack is too young to have been swept.")
        since = f"since {last:%H:%M} UTC" if last else f"for {_WINDOW.seconds // 3600} hours"
        return fail(f"The sweeper has not run {since}; it should every five minutes.", remedy)
    failed, errors = _metric(site, "Errors")
    if failed is not None:
        return warn(f"The sweeper failed {errors:.0f} times, last at {failed:%H:%M} UTC.", remedy)
    return ok(f"The last sweep was at {last:%H:%M} UTC.")


def _metric(site: Site, name: str) -> tuple[datetime | None, float]:
    """Return when the sweeper's metric was last above zero, and its sum over the window."""
    assert site.stack is not None
    answer = site.client("cloudwatch").get_metric_statistics(
        Namespace="AWS/Lambda",
        MetricName=name,
        Dimensions=[{"Name": "FunctionName", "Value": site.stack.outputs["SweeperFunctionName"]}],
        StartTime=site.now - _WINDOW,
        EndTime=site.now,
        Period=60,
        Statistics=["Sum"],
    )
    points = [point for point in answer["Datapoints"] if point["Sum"] > 0]
    last = max((point["Timestamp"] for point in points), default=None)
    return last, sum(point["Sum"] for point in points)
