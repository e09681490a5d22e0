"""Gap: CloudFormation rejects alarms on metric math.

Local alarms notify no one, so the patch records the alarm with the first metric of its expression,
and the template deploys unchanged.
"""

from typing import Any

from infra.local.launcher_settings import LauncherSettings
from infra.local.patches import _ministack


def apply(settings: LauncherSettings) -> None:
    """Replace an alarm's expression with its first metric."""
    provisioners = _ministack.provisioners()
    record = provisioners._cw_metric_alarm_record

    def record_first_metric(name: str, properties: dict[str, Any]) -> Any:
        return record(name, _on_first_metric(properties))

    provisioners._cw_metric_alarm_record = record_first_metric


def _on_first_metric(properties: dict[str, Any]) -> dict[str, Any]:
    for query in properties.get("Metrics") or ():
        if "MetricStat" in query:
            stat = query["MetricStat"]
            other_properties = {key: value for key, value in properties.items() if key != "Metrics"}
            return {
                **other_properties,
                "MetricName": stat["Metric"]["MetricName"],
                "Namespace": stat["Metric"]["Namespace"],
                "Dimensions": stat["Metric"].get("Dimensions", []),
                "Period": stat["Period"],
                "Statistic": stat["Stat"],
            }
    return properties
