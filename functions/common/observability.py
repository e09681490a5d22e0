"""Logs, traces and metrics, the same in every function.

Logs are JSON with the run's id bound. They hold ids, codes and figures: no prompt, no picture,
no key, no link. Powertools reads service, namespace and level from the environment.
"""

from aws_lambda_powertools import Logger, Metrics, Tracer
from aws_lambda_powertools.metrics import MetricUnit

__all__ = ["MetricUnit", "logger", "metrics", "tracer"]

logger = Logger(log_uncaught_exceptions=False)
metrics = Metrics()
# Patching every library that X-Ray knows doubles the import time; AWS calls are what matters.
tracer = Tracer(patch_modules=("botocore",))
