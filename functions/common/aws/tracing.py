"""Metrics and traces. Powertools reads service and namespace from the environment."""

import warnings

from aws_lambda_powertools import Metrics, Tracer
from aws_lambda_powertools.metrics import MetricUnit

__all__ = ["MetricUnit", "metrics", "tracer"]

metrics = Metrics()
# Most invocations have no metrics, for which Powertools would log a warning each time.
warnings.filterwarnings("ignore", "No application metrics to publish")
# `common.aws.clients` patches botocore when it creates the first client. With `auto_patch`, X-Ray
# imports every library that it knows, which doubles the import time.
tracer = Tracer(auto_patch=False)
