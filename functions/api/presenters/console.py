"""Links into the console of AWS."""

from dataclasses import dataclass

from common.aws import executions

_HOSTS = {
    "aws": "console.aws.amazon.com",
    "aws-us-gov": "console.amazonaws-us-gov.com",
    "aws-cn": "console.amazonaws.cn",
}


@dataclass(frozen=True, slots=True)
class Console:
    """The console of the account that the state machine is in; None: there is none.

    There is none on one machine, nor in a partition whose console is not known.
    """

    state_machine_arn: str | None = None

    def run(self, run_id: str) -> str | None:
        """Return where the run's execution is seen."""
        if self.state_machine_arn is None:
            return None
        arn = executions.execution_arn(self.state_machine_arn, run_id)
        return self._page("states", f"#/v2/executions/details/{arn}")

    def trace(self, trace_id: str | None) -> str | None:
        """Return where the trace is seen, if it was sampled."""
        return None if trace_id is None else self._page("cloudwatch", f"#xray:traces/{trace_id}")

    def _page(self, service: str, place: str) -> str | None:
        if self.state_machine_arn is None:
            return None
        _, partition, _, region, *_ = self.state_machine_arn.split(":")
        host = _HOSTS.get(partition)
        if host is None:
            return None
        return f"https://{region}.{host}/{service}/home?region={region}{place}"
