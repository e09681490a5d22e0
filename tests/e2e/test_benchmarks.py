"""The benchmarks that need a cloud, at their smallest size. Others are in tests/benchmarks."""

from collections.abc import Callable

import pytest

from infra.local.connection import Connection
from tests.benchmarks import api_requests, demo, orchestration

BENCHMARKS: dict[str, Callable[[Connection], None]] = {
    "requests": lambda link: api_requests.measure_on(link, smallest=True),
    "orchestration": lambda link: orchestration.measure_on(link, smallest=True),
    "demo": demo.measure_on,
}


@pytest.mark.parametrize("measure", BENCHMARKS.values(), ids=list(BENCHMARKS))
def test_benchmark_with_cloud_prints_table(
    measure: Callable[[Connection], None], link: Connection, capsys: pytest.CaptureFixture[str]
) -> None:
    measure(link)
    assert "  ---" in capsys.readouterr().out
