"""Only callers on this machine reach the emulator, and none its administration."""

from pathlib import Path

import pytest
import requests

from infra.local.connection import Connection
from infra.local.loopback_guard import refusal
from tests.local.conftest import belongs, invoke, psutil

HOME = (b"host", b"127.0.0.1:4566")


@pytest.mark.parametrize(
    "host",
    [
        b"127.0.0.1",
        b"127.0.0.1:4566",
        b"localhost:1",
        b"LOCALHOST",
        b"abc.execute-api.localhost:80",
        b"[::1]:8",
        b"127.9.9.9",
    ],
)
def test_own_names_pass(host: bytes) -> None:
    assert refusal("/", [(b"host", host)]) is None


@pytest.mark.parametrize(
    "host",
    [
        b"evil.example",
        b"127.0.0.1.evil.example",
        b"evil.example:4566",
        b"localhost.evil.example",
        b"192.168.1.5",
        b"0.0.0.0",
        b"",
        b"[",
        b"127.0.0.1@evil.example",
        b"user@evil.example",
    ],
)
def test_foreign_hosts_are_refused(host: bytes) -> None:
    assert "Host" in str(refusal("/", [(b"host", host)]))


def test_two_hosts_or_none_are_refused() -> None:
    assert refusal("/", [])
    assert refusal("/", [HOME, (b"Host", b"evil.example")])


@pytest.mark.parametrize(
    "origin", [b"http://localhost:3000", b"http://127.0.0.1:8080", b"http://app.localhost"]
)
def test_own_pages_pass(origin: bytes) -> None:
    assert refusal("/", [HOME, (b"Origin", origin)]) is None


@pytest.mark.parametrize(
    "origin",
    [b"https://evil.example", b"null", b"", b"http://127.0.0.1.evil.example", b"file://", b"["],
)
def test_foreign_pages_are_refused(origin: bytes) -> None:
    assert "Origin" in str(refusal("/", [HOME, (b"origin", origin)]))


def test_administration_is_refused() -> None:
    assert refusal("/_ministack/reset", [HOME])
    assert refusal("/_ministack/config", [HOME])
    assert refusal("/_localstack/anything", [HOME])
    assert refusal("/_ministack/health", [HOME]) is None
    assert refusal("/_ministack/cfn-response/abc", [HOME]) is None


@pytest.mark.parametrize(
    "header", [{"Host": "evil.example"}, {"Origin": "https://evil.example"}, {"Origin": "null"}]
)
def test_refused_on_the_wire(small: Connection, header: dict[str, str]) -> None:
    answer = requests.post(f"{small.endpoint}/2015-03-31/functions", headers=header, timeout=5)
    assert answer.status_code == 403
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.json()["code"] == "local.forbidden"
    assert "access-control-allow-origin" not in answer.headers


def test_reset_is_refused_on_the_wire(small: Connection) -> None:
    answer = requests.post(f"{small.endpoint}/_ministack/reset", timeout=5)
    assert answer.status_code == 403
    assert small.client("s3").list_buckets()["Buckets"]


def test_without_credentials_nothing_is_told(small: Connection) -> None:
    listing = requests.get(f"{small.endpoint}/2015-03-31/functions/", timeout=5)
    objects = requests.get(f"{small.endpoint}/{small.outputs['MediaBucketName']}", timeout=5)
    assert (listing.status_code, objects.status_code) == (403, 403)


def test_every_server_listens_on_loopback_only(small: Connection, root: Path) -> None:
    invoke(small, {})
    addresses = {
        connection.laddr.ip
        for process in psutil.process_iter(["cmdline", "environ"])
        if belongs(process, root)
        for connection in process.net_connections("inet")
        if connection.status == psutil.CONN_LISTEN
    }
    assert addresses == {"127.0.0.1"}
