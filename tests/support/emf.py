"""Read the metrics that functions print for CloudWatch (embedded metric format).

https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True)
class Metric:
    """A metric with its values in one log line."""

    namespace: str
    name: str
    dimensions: tuple[tuple[str, str], ...]  # sorted
    values: tuple[float, ...]


def metrics(printed: str, name: str | None = None) -> list[Metric]:
    """Return the metrics in a function's output, or those with one name, in order."""
    found = [metric for line in printed.splitlines() for metric in _of_line(line)]
    return [metric for metric in found if name in (None, metric.name)]


def _of_line(line: str) -> Iterator[Metric]:
    try:
        entry = json.loads(line)
    except ValueError:
        return
    if not isinstance(entry, dict):
        return
    for directive in entry.get("_aws", {}).get("CloudWatchMetrics", []):
        for keys in directive["Dimensions"]:
            dimensions = tuple(sorted((key, entry[key]) for key in keys))
            for definition in directive["Metrics"]:
                values = entry[definition["Name"]]
                yield Metric(
                    directive["Namespace"],
                    definition["Name"],
                    dimensions,
                    tuple(values if isinstance(values, list) else [values]),
                )
