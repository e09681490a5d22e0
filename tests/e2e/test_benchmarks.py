"""The benchmarks that need a cloud, at their smallest size; the others: tests/benchmarks."""

from collections.abc import Callable

import pytest

from infra.local.connection import Connection
from tests.benchmarks import api_requests, demo, orchestration

MEASURES: dict[str, Callable[[Connection], None]] = {
    "requests": lambda link: api_requests.measure_on(link, smallest=True),
    "orchestration": lambda link: orchestration.measure_on(link, smallest=True),
    "demo": demo.measure_on,
}


@pytest.mark.parametrize("measure", MEASURES.values(), ids=list(MEASURES))
def test_a_benchmark_runs(
    measure: Callable[[Connection], None], link: Connection, capsys: pytest.CaptureFixture[str]
) -> None:
    measure(link)
    assert "  ---" in capsys.readouterr().out
