"""Gap: CloudFormation refuses alarms on metric math.

Nobody is called by an alarm on a developer's machine. The alarm is recorded on the first metric of
its expression, so that the template deploys unchanged.
"""

from typing import Any

from infra.local.launcher_settings import LauncherSettings
from infra.local.patches import _ministack


def apply(settings: LauncherSettings) -> None:
    """Put an alarm's first metric in place of its expression."""
    provisioners = _ministack.provisioners()
    record = provisioners._cw_metric_alarm_record

    def record_first_metric(name: str, properties: dict[str, Any]) -> Any:
        return record(name, _on_first_metric(properties))

    provisioners._cw_metric_alarm_record = record_first_metric


def _on_first_metric(properties: dict[str, Any]) -> dict[str, Any]:
    for query in properties.get("Metrics") or ():
        if "MetricStat" in query:
            stat = query["MetricStat"]
            kept = {key: value for key, value in properties.items() if key != "Metrics"}
            return {
                **kept,
                "MetricName": stat["Metric"]["MetricName"],
                "Namespace": stat["Metric"]["Namespace"],
                "Dimensions": stat["Metric"].get("Dimensions", []),
                "Period": stat["Period"],
                "Statistic": stat["Stat"],
            }
    return properties
