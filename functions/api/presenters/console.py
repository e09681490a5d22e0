"""URLs of runs and traces in the AWS console."""

from dataclasses import dataclass

from common.aws import executions

_HOSTS = {
    "aws": "console.aws.amazon.com",
    "aws-us-gov": "console.amazonaws-us-gov.com",
    "aws-cn": "console.amazonaws.cn",
}


@dataclass(frozen=True, slots=True)
class Console:
    """The AWS console of the account and region of the state machine.

    URLs are None for a local deployment (without a state machine), and in a partition whose console
    host is unknown.
    """

    state_machine_arn: str | None = None

    def run(self, run_id: str) -> str | None:
        """Return the URL of the execution of the run."""
        if self.state_machine_arn is None:
            return None
        arn = executions.execution_arn(self.state_machine_arn, run_id)
        return self._page("states", f"#/v2/executions/details/{arn}")

    def trace(self, trace_id: str | None) -> str | None:
        """Return the URL of the trace; None for a trace that was not sampled."""
        return None if trace_id is None else self._page("cloudwatch", f"#xray:traces/{trace_id}")

    def _page(self, service: str, fragment: str) -> str | None:
        if self.state_machine_arn is None:
            return None
        _, partition, _, region, *_ = self.state_machine_arn.split(":")
        host = _HOSTS.get(partition)
        if host is None:
            return None
        return f"https://{region}.{host}/{service}/home?region={region}{fragment}"
