"""Every benchmark at its smallest size, so that defects are noticed.

Benchmarks that need a cloud are in tests/e2e. No figure is asserted: a benchmark raises if the
measured code fails.
"""

from collections.abc import Callable

import pytest

from tests.benchmarks import __main__ as bench
from tests.e2e import test_benchmarks


@pytest.mark.parametrize("measure", bench.ALONE.values(), ids=list(bench.ALONE))
def test_benchmark_prints_table(
    measure: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    measure(smallest=True)
    assert "  ---" in capsys.readouterr().out


def test_every_benchmark_is_tested() -> None:
    assert bench.ON_A_CLOUD.keys() == test_benchmarks.BENCHMARKS.keys()
