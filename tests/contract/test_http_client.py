"""The shared HTTP client and how it classifies a call without a response."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Thread

import pytest

from common.providers import http
from tests.stand_ins.wire import Request, Server, WireResponse


@contextmanager
def server(answer: WireResponse) -> Iterator[tuple[str, list[Request]]]:
    """Yield the URL of a server that always sends `answer`, and the requests it received."""
    received: list[Request] = []

    def reply(request: Request) -> WireResponse:
        received.append(request)
        return answer

    running = Server(reply)
    try:
        yield running.url, received
    finally:
        running.release_hanging_calls()
        running.close()


@contextmanager
def raw_tcp_server(reply: bytes) -> Iterator[int]:
    """Yield a port that sends `reply` to the first client and closes the connection."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(5)

        def serve() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(65536)
                connection.sendall(reply)

        thread = Thread(target=serve)
        thread.start()
        yield listener.getsockname()[1]
        thread.join()


def test_http_call_returns_response_for_any_status() -> None:
    with server(WireResponse(302, b"[1]", {"location": "http://127.0.0.1:9/"})) as (url, received):
        answer = http.call("POST", url, seconds=5, body={"a": 1})
    assert (answer.status, answer.json()) == (302, {})
    assert len(received) == 1
    assert received[0].json() == {"a": 1}


def test_http_call_with_refused_connection_raises_not_sent() -> None:
    with pytest.raises(http.NotSent):
        http.call("POST", "http://127.0.0.1:9/", seconds=1, body={})
    with pytest.raises(http.NotSent):
        http.call("POST", "https://127.0.0.1:9/", seconds=1, body={})


def test_http_call_with_unknown_host_raises_not_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_: object, **__: object) -> None:
        raise socket.gaierror("unknown")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    with pytest.raises(http.NotSent):
        http.call("POST", "https://nowhere.invalid/", seconds=1, body={})


@pytest.mark.parametrize("reply", [b"HTTP/1.1 400 no TLS here\r\n\r\n", b""])
def test_http_call_with_failed_tls_handshake_raises_not_sent(reply: bytes) -> None:
    with raw_tcp_server(reply) as port, pytest.raises(http.NotSent):
        http.call("POST", f"https://127.0.0.1:{port}/", seconds=2, body={})


@pytest.mark.parametrize("url", ["ftp://127.0.0.1/", "no address", "https://"])
def test_http_call_with_invalid_url_raises_not_sent(url: str) -> None:
    with pytest.raises(http.NotSent):
        http.call("GET", url, seconds=1)


@pytest.mark.parametrize("delivery", ["hang", "reset", "cut"])
def test_http_call_with_incomplete_response_raises_no_answer(delivery: str) -> None:
    with (
        server(WireResponse(200, b"x" * 1000, {}, delivery)) as (url, received),
        pytest.raises(http.NoResponse),
    ):
        http.call("POST", url, seconds=0.3, body={})
    assert len(received) == 1


def test_http_call_with_slow_body_times_out() -> None:
    with (
        server(WireResponse(200, b"x" * 1000, {}, "slow", seconds=5)) as (url, _),
        pytest.raises(http.NoResponse),
    ):
        http.call("GET", url, seconds=0.6)


def test_http_call_ignores_netrc_credentials(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login somebody password secret\n")
    monkeypatch.setenv("NETRC", str(netrc))
    with server(WireResponse(200, b"{}")) as (url, received):
        http.call("GET", url, seconds=2, headers={"Authorization": "Bearer ours"})
        http.call("GET", url, seconds=2)
    assert received[0].headers["authorization"] == "Bearer ours"
    assert "authorization" not in received[1].headers


def test_download_leaves_no_partial_file(tmp_path: Path) -> None:
    target = tmp_path / "file"
    with server(WireResponse(200, b"x" * 1000)) as (url, _):
        assert http.download(url, target, seconds=2, most_bytes=1000).status == 200
        assert target.read_bytes() == b"x" * 1000
        with pytest.raises(http.TooLarge):
            http.download(url, target, seconds=2, most_bytes=999)
    assert not target.exists()
    with server(WireResponse(404, b"gone")) as (url, _):
        assert http.download(url, target, seconds=2, most_bytes=1000).status == 404
    assert not target.exists()
    with (
        server(WireResponse(200, b"x" * 1000, {}, "cut")) as (url, _),
        pytest.raises(http.NoResponse),
    ):
        http.download(url, target, seconds=2, most_bytes=1000)
    assert not target.exists()


@pytest.mark.parametrize(
    ("url", "loopback"),
    [
        ("http://127.0.0.1:8080/x", True),
        ("http://localhost/", True),
        ("http://[::1]:1/", True),
        ("https://127.0.0.1.example.com/", False),
        ("http://169.254.169.254/", False),
        ("http://2130706433/", False),
        ("", False),
    ],
)
def test_is_loopback_checks_address(url: str, loopback: bool) -> None:
    assert http.is_loopback(url) is loopback
