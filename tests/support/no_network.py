"""For tiers without a network: a test that opens a socket fails."""

import pytest
from pytest_socket import disable_socket


@pytest.fixture(autouse=True)
def no_network() -> None:
    """Allow no sockets but Unix ones, which the event loop needs."""
    disable_socket(allow_unix_socket=True)
