"""Foreign URLs: what is read, and that nothing makes the server visit its own neighbours."""

import itertools
import threading
import time
from collections.abc import Iterator, Sequence
from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.domain.errors import InvalidInput
from common.fetch.addresses import is_public
from common.fetch.https import Endpoint
from tests.stand_ins.foreign_host import PUBLIC, ForeignHost, Page, serve
from tests.support.ssrf import ADDRESSES, WRITTEN

PICTURES = ("image/png", "image/jpeg")
PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 40
URL = "https://pictures.example/a.png"


@pytest.fixture(scope="module")
def running() -> Iterator[ForeignHost]:
    with serve(["pictures.example", "inner.example"]) as host:
        yield host


@pytest.fixture
def host(running: ForeignHost) -> ForeignHost:
    running.forget()
    names = ("pictures.example", "other.example", "inner.example")
    running.names.update({name: [PUBLIC] for name in names})
    running.pages["/a.png"] = Page(PNG)
    return running


def fetch(host: ForeignHost, url: str, **limits: float) -> bytes:
    return host.way.fetch(url, named="image_url", accepts=PICTURES, **limits).data  # type: ignore[arg-type]  # limits by name


def refusal(host: ForeignHost, url: str, **limits: float) -> str:
    with pytest.raises(InvalidInput) as caught:
        fetch(host, url, **limits)
    assert caught.value.field == "image_url"
    assert "127.0.0.1" not in caught.value.detail
    return caught.value.error_code


def test_a_picture_is_read(host: ForeignHost) -> None:
    assert fetch(host, URL) == PNG
    assert fetch(host, "HTTPS://Pictures.Example:443/a.png#part") == PNG
    assert host.connections == [PUBLIC, PUBLIC]
    assert host.requests == [("pictures.example", "/a.png")] * 2


def test_there_are_more_than_sixty_vectors() -> None:
    assert len(set(WRITTEN)) > 60
    assert len(set(ADDRESSES)) > 50


@pytest.mark.parametrize("url", WRITTEN)
def test_what_is_no_plain_url_is_not_even_resolved(host: ForeignHost, url: str) -> None:
    assert refusal(host, url) == "url.invalid"
    assert (host.lookups, host.connections, host.requests) == ([], [], [])


@pytest.mark.parametrize("address", ADDRESSES)
@pytest.mark.parametrize("beside", [(), (PUBLIC,)], ids=["alone", "behind a public one"])
def test_a_name_of_a_private_address_is_not_visited(
    host: ForeignHost, address: str, beside: Sequence[str]
) -> None:
    host.names["inner.example"] = [*beside, address]
    assert refusal(host, "https://inner.example/") == "url.not_public"
    assert host.connections == []


def test_a_name_that_does_not_exist_looks_like_a_private_one(host: ForeignHost) -> None:
    host.names["inner.example"] = ["10.0.0.1"]
    refusals = []
    for url in ("https://nobody.example/", "https://inner.example/"):
        with pytest.raises(InvalidInput) as caught:
            fetch(host, url)
        refusals.append((caught.value.error_code, caught.value.detail))
    assert refusals[0] == refusals[1]


def test_a_name_is_resolved_once_and_its_address_kept(host: ForeignHost) -> None:
    """A server of names that says something else the second time (DNS rebinding)."""
    answers = itertools.chain([[PUBLIC]], itertools.repeat(["127.0.0.1"]))
    host.resolver = lambda _: next(answers)
    assert fetch(host, URL) == PNG
    assert host.connections == [PUBLIC]
    assert refusal(host, URL) == "url.not_public"
    assert host.connections == [PUBLIC]


def test_a_redirect_is_checked_like_the_first_url(host: ForeignHost) -> None:
    targets = [*WRITTEN, "http://inner.example/", "https://inner.example:8443/"]
    for number, target in enumerate(targets):
        # A reference that is relative stays at the host; that is no way out.
        plain = all(32 < ord(character) < 127 for character in target)
        if "://" not in target or target == "https://" or not plain:
            continue
        host.pages[f"/{number}"] = Page(status=302, headers={"Location": target})
        before = len(host.connections)
        code = refusal(host, f"https://pictures.example/{number}")
        assert code in {"url.invalid", "url.unreachable"}, target
        assert len(host.connections) == before + 1, target


def test_a_redirect_to_a_private_name_is_not_followed(host: ForeignHost) -> None:
    host.pages["/r"] = Page(status=307, headers={"Location": "https://inner.example/a.png"})
    assert fetch(host, "https://pictures.example/r") == PNG
    for address in ADDRESSES:
        host.names["inner.example"] = [address]
        host.requests.clear()
        assert refusal(host, "https://pictures.example/r") == "url.not_public"
        assert host.requests == [("pictures.example", "/r")]


def test_three_redirects_are_followed_and_not_four(host: ForeignHost) -> None:
    for number in range(5):
        host.pages[f"/{number}"] = Page(status=301, headers={"Location": f"/{number + 1}"})
    host.pages["/5"] = Page(PNG)
    assert fetch(host, "https://pictures.example/2") == PNG
    assert refusal(host, "https://pictures.example/1") == "url.redirects"
    host.pages["/loop"] = Page(status=302, headers={"Location": "/loop"})
    assert refusal(host, "https://pictures.example/loop") == "url.redirects"


def test_the_certificate_must_be_of_the_name(host: ForeignHost) -> None:
    assert refusal(host, "https://other.example/a.png") == "url.unreachable"
    assert host.requests == []


def test_other_things_than_pictures_are_not_taken(host: ForeignHost) -> None:
    bodies = (
        b"",
        b"<html>",
        b"\x89PN",
        b"ID3\x03" + bytes(40),
        b"{}" * 50,
        b"%PDF-1.7" + bytes(40),
    )
    for body in bodies:
        host.pages["/x"] = Page(body, headers={"Content-Type": "image/png"})
        assert refusal(host, "https://pictures.example/x") == "url.media_type"


def test_an_answer_is_read_under_limits(host: ForeignHost) -> None:
    host.pages["/large"] = Page(PNG + bytes(300_000))
    assert refusal(host, "https://pictures.example/large", most_bytes=200_000) == "url.too_large"
    host.pages["/zip"] = Page(PNG, headers={"Content-Encoding": "gzip"})
    assert refusal(host, "https://pictures.example/zip") == "url.encoding"
    host.pages["/short"] = Page(PNG, headers={"Content-Length": "999999"})
    assert refusal(host, "https://pictures.example/short") == "url.unreachable"
    for status in (204, 206, 304, 401, 404, 500):
        host.pages["/s"] = Page(PNG if status >= 400 else b"", status=status)
        assert refusal(host, "https://pictures.example/s") == "url.unreachable"


@pytest.mark.parametrize("where", ["body", "resolver", "headers"])
def test_one_clock_runs_over_everything(host: ForeignHost, where: str) -> None:
    host.pages["/slow"] = Page(PNG, pieces=200, pause=0.05)
    if where == "resolver":
        host.resolver = lambda _: time.sleep(2) or [PUBLIC]  # type: ignore[func-returns-value]
    if where == "headers":
        many = {f"X-{n}": "x" for n in range(90)}
        host.pages["/slow"] = Page(PNG, headers=many, pieces=200, pause=0.05)
    before, started = threading.active_count(), time.monotonic()
    assert refusal(host, "https://pictures.example/slow", seconds=0.4) == "url.timeout"
    assert time.monotonic() - started < 1.5
    while threading.active_count() > before + 2 and time.monotonic() - started < 10:
        time.sleep(0.05)
    assert threading.active_count() <= before + 2  # nothing goes on waiting


@given(st.ip_addresses(v=4) | st.ip_addresses(v=6))
def test_no_address_is_public_that_the_standard_library_knows_as_private(
    address: object,
) -> None:
    if is_public(str(address)):
        known = ip_address(str(address))
        assert known.is_global
        assert not known.is_multicast
        assert not known.is_reserved


@pytest.mark.parametrize("address", [PUBLIC, "8.8.8.8", "52.95.110.1", "2606:4700::6810:84e5"])
def test_public_addresses_are_taken(address: str) -> None:
    assert is_public(address)


@given(st.text(alphabet="https://@:#?\\.[]%aZ0-9é \t", max_size=60) | st.text())
def test_a_url_has_a_host_of_letters_or_is_none(text: str) -> None:
    place = Endpoint.of("https://" + text)
    if place is not None:
        assert place.host.rpartition(".")[2][0].isalpha()
        assert not set(place.host) - set("abcdefghijklmnopqrstuvwxyz0123456789-.")
        assert place.target.startswith("/")
        assert place.target.isascii()
        assert not set(place.target) & set(" \t\r\n\\")
