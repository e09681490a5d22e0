"""Every benchmark at its smallest size, so that none breaks unnoticed.

Those that need a cloud are in tests/e2e. No figure is asserted: a benchmark raises when what it
measures does not work.
"""

from collections.abc import Callable

import pytest

from tests.benchmarks import __main__ as bench
from tests.e2e import test_benchmarks


@pytest.mark.parametrize("measure", bench.ALONE.values(), ids=list(bench.ALONE))
def test_a_benchmark_runs(measure: Callable[..., None], capsys: pytest.CaptureFixture[str]) -> None:
    measure(smallest=True)
    assert "  ---" in capsys.readouterr().out


def test_no_benchmark_is_left_out() -> None:
    assert bench.ON_A_CLOUD.keys() == test_benchmarks.MEASURES.keys()
