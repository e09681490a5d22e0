"""Clients of the account that the environment's credentials belong to."""

import os
from functools import cached_property
from typing import Any

import boto3
from botocore.config import Config

# An operator is waiting: without a network the first answer comes after seconds, not minutes.
_CONFIG = Config(
    connect_timeout=5, read_timeout=30, retries={"mode": "standard", "total_max_attempts": 3}
)


class Aws:
    """The account and region that the CDK's command line would take."""

    @cached_property
    def session(self) -> Any:
        """A session; the CDK and most shells set AWS_REGION, which boto3 does not read."""
        return boto3.Session(region_name=os.environ.get("AWS_REGION") or None)

    @property
    def region(self) -> str:
        """The region, or nothing where none is set."""
        return self.session.region_name or ""

    def client(self, service: str) -> Any:
        """Return a client of the service; raises BotoCoreError without a region."""
        return self.session.client(service, config=_CONFIG)
