"""The loopback guard: only local callers reach the emulator, and nobody its administration."""

from pathlib import Path

import pytest
import requests

from infra.local.connection import Connection
from infra.local.loopback_guard import refusal
from tests.local.conftest import belongs, invoke, psutil

LOCAL_HOST = (b"host", b"127.0.0.1:4566")


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
def test_guard_accepts_loopback_host(host: bytes) -> None:
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
def test_guard_rejects_foreign_host(host: bytes) -> None:
    assert "Host" in str(refusal("/", [(b"host", host)]))


def test_guard_rejects_missing_or_duplicate_host() -> None:
    assert refusal("/", [])
    assert refusal("/", [LOCAL_HOST, (b"Host", b"evil.example")])


@pytest.mark.parametrize(
    "origin", [b"http://localhost:3000", b"http://127.0.0.1:8080", b"http://app.localhost"]
)
def test_guard_accepts_loopback_origin(origin: bytes) -> None:
    assert refusal("/", [LOCAL_HOST, (b"Origin", origin)]) is None


@pytest.mark.parametrize(
    "origin",
    [b"https://evil.example", b"null", b"", b"http://127.0.0.1.evil.example", b"file://", b"["],
)
def test_guard_rejects_foreign_origin(origin: bytes) -> None:
    assert "Origin" in str(refusal("/", [LOCAL_HOST, (b"origin", origin)]))


def test_guard_rejects_administration_paths() -> None:
    assert refusal("/_ministack/reset", [LOCAL_HOST])
    assert refusal("/_ministack/config", [LOCAL_HOST])
    assert refusal("/_localstack/anything", [LOCAL_HOST])
    assert refusal("/_ministack/health", [LOCAL_HOST]) is None
    assert refusal("/_ministack/cfn-response/abc", [LOCAL_HOST]) is None


@pytest.mark.parametrize(
    "header", [{"Host": "evil.example"}, {"Origin": "https://evil.example"}, {"Origin": "null"}]
)
def test_guard_rejects_request_over_http(small: Connection, header: dict[str, str]) -> None:
    response = requests.post(f"{small.endpoint}/2015-03-31/functions", headers=header, timeout=5)
    assert response.status_code == 403
    assert response.headers["Content-Type"] == "application/problem+json"
    assert response.json()["code"] == "local.forbidden"
    assert "access-control-allow-origin" not in response.headers


def test_guard_rejects_reset_over_http(small: Connection) -> None:
    response = requests.post(f"{small.endpoint}/_ministack/reset", timeout=5)
    assert response.status_code == 403
    assert small.client("s3").list_buckets()["Buckets"]


def test_emulator_requires_credentials(small: Connection) -> None:
    listing = requests.get(f"{small.endpoint}/2015-03-31/functions/", timeout=5)
    objects = requests.get(f"{small.endpoint}/{small.outputs['MediaBucketName']}", timeout=5)
    assert (listing.status_code, objects.status_code) == (403, 403)


def test_servers_listen_only_on_loopback(small: Connection, root: Path) -> None:
    invoke(small, {})
    addresses = {
        connection.laddr.ip
        for process in psutil.process_iter(["cmdline", "environ"])
        if belongs(process, root)
        for connection in process.net_connections("inet")
        if connection.status == psutil.CONN_LISTEN
    }
    assert addresses == {"127.0.0.1"}
