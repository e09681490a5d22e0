"""The one HTTP client: how far did a call get that brought no answer?"""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Thread

import pytest

from common.providers import http
from tests.stand_ins.wire import Answer, Request, Server


@contextmanager
def server(answer: Answer) -> Iterator[tuple[str, list[Request]]]:
    """A server that always answers so, and what it was asked."""
    asked: list[Request] = []

    def reply(request: Request) -> Answer:
        asked.append(request)
        return answer

    running = Server(reply)
    try:
        yield running.url, asked
    finally:
        running.let_go()
        running.close()


@contextmanager
def raw(reply: bytes) -> Iterator[int]:
    """A port that says these bytes to whoever connects, and hangs up."""
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


def test_an_answer_is_an_answer_whatever_its_status() -> None:
    with server(Answer(302, b"[1]", {"location": "http://127.0.0.1:9/"})) as (url, asked):
        answer = http.call("POST", url, seconds=5, body={"a": 1})
    assert (answer.status, answer.json()) == (302, {})
    assert len(asked) == 1
    assert asked[0].json() == {"a": 1}


def test_no_connection_is_not_sent() -> None:
    with pytest.raises(http.NotSent):
        http.call("POST", "http://127.0.0.1:9/", seconds=1, body={})
    with pytest.raises(http.NotSent):
        http.call("POST", "https://127.0.0.1:9/", seconds=1, body={})


def test_a_name_that_is_not_there_is_not_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_: object, **__: object) -> None:
        raise socket.gaierror("unknown")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    with pytest.raises(http.NotSent):
        http.call("POST", "https://nowhere.invalid/", seconds=1, body={})


@pytest.mark.parametrize("reply", [b"HTTP/1.1 400 no TLS here\r\n\r\n", b""])
def test_a_failed_handshake_is_not_sent(reply: bytes) -> None:
    with raw(reply) as port, pytest.raises(http.NotSent):
        http.call("POST", f"https://127.0.0.1:{port}/", seconds=2, body={})


@pytest.mark.parametrize("url", ["ftp://127.0.0.1/", "no address", "https://"])
def test_what_is_no_address_is_not_sent(url: str) -> None:
    with pytest.raises(http.NotSent):
        http.call("GET", url, seconds=1)


@pytest.mark.parametrize("delivery", ["hang", "reset", "cut"])
def test_no_whole_answer_is_no_answer(delivery: str) -> None:
    with (
        server(Answer(200, b"x" * 1000, {}, delivery)) as (url, asked),
        pytest.raises(http.NoAnswer),
    ):
        http.call("POST", url, seconds=0.3, body={})
    assert len(asked) == 1


def test_an_answer_that_trickles_is_given_up() -> None:
    with (
        server(Answer(200, b"x" * 1000, {}, "slow", seconds=5)) as (url, _),
        pytest.raises(http.NoAnswer),
    ):
        http.call("GET", url, seconds=0.6)


def test_a_key_from_the_users_netrc_is_not_sent(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login somebody password secret\n")
    monkeypatch.setenv("NETRC", str(netrc))
    with server(Answer(200, b"{}")) as (url, asked):
        http.call("GET", url, seconds=2, headers={"Authorization": "Bearer ours"})
        http.call("GET", url, seconds=2)
    assert asked[0].headers["authorization"] == "Bearer ours"
    assert "authorization" not in asked[1].headers


def test_a_download_is_whole_or_not_there(tmp_path: Path) -> None:
    target = tmp_path / "file"
    with server(Answer(200, b"x" * 1000)) as (url, _):
        assert http.download(url, target, seconds=2, most_bytes=1000).status == 200
        assert target.read_bytes() == b"x" * 1000
        with pytest.raises(http.TooLarge):
            http.download(url, target, seconds=2, most_bytes=999)
    assert not target.exists()
    with server(Answer(404, b"gone")) as (url, _):
        assert http.download(url, target, seconds=2, most_bytes=1000).status == 404
    assert not target.exists()
    with server(Answer(200, b"x" * 1000, {}, "cut")) as (url, _), pytest.raises(http.NoAnswer):
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
def test_loopback_is_known_by_its_address(url: str, loopback: bool) -> None:
    assert http.is_loopback(url) is loopback
