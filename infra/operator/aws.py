"""boto3 clients for the AWS account of the environment's credentials."""

import os
from functools import cached_property
from typing import Any

import boto3
from botocore.config import Config

# Commands are interactive: without a network they fail within seconds, not minutes.
_CONFIG = Config(
    connect_timeout=5, read_timeout=30, retries={"mode": "standard", "total_max_attempts": 3}
)


class Aws:
    """The account and region that the CDK CLI would use."""

    @cached_property
    def session(self) -> Any:
        """A session in AWS_REGION, which the CDK reads but boto3 does not."""
        return boto3.Session(region_name=os.environ.get("AWS_REGION") or None)

    @property
    def region(self) -> str:
        """The region, or an empty string if none is set."""
        return self.session.region_name or ""

    def client(self, service: str) -> Any:
        """Return a client for the service; raises BotoCoreError if no region is set."""
        return self.session.client(service, config=_CONFIG)
