"""SSRF protection of the HTTPS client: URL syntax, addresses, DNS pinning, redirects, limits."""

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

IMAGE_TYPES = ("image/png", "image/jpeg")
PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 40
URL = "https://pictures.example/a.png"


@pytest.fixture(scope="module")
def running_host() -> Iterator[ForeignHost]:
    with serve(["pictures.example", "inner.example"]) as host:
        yield host


@pytest.fixture
def host(running_host: ForeignHost) -> ForeignHost:
    running_host.forget()
    names = ("pictures.example", "other.example", "inner.example")
    running_host.names.update({name: [PUBLIC] for name in names})
    running_host.pages["/a.png"] = Page(PNG)
    return running_host


def fetch(host: ForeignHost, url: str, **limits: float) -> bytes:
    return host.way.fetch(url, named="image_url", accepts=IMAGE_TYPES, **limits).data  # type: ignore[arg-type]  # keyword limits


def error_code_of(host: ForeignHost, url: str, **limits: float) -> str:
    with pytest.raises(InvalidInput) as caught:
        fetch(host, url, **limits)
    assert caught.value.field == "image_url"
    assert "127.0.0.1" not in caught.value.detail
    return caught.value.error_code


def test_fetch_returns_an_image(host: ForeignHost) -> None:
    assert fetch(host, URL) == PNG
    assert fetch(host, "HTTPS://Pictures.Example:443/a.png#part") == PNG
    assert host.connections == [PUBLIC, PUBLIC]
    assert host.requests == [("pictures.example", "/a.png")] * 2


def test_ssrf_vectors_are_complete() -> None:
    assert len(set(WRITTEN)) > 60
    assert len(set(ADDRESSES)) > 50


@pytest.mark.parametrize("url", WRITTEN)
def test_ssrf_malformed_url_is_rejected_before_dns(host: ForeignHost, url: str) -> None:
    assert error_code_of(host, url) == "url.invalid"
    assert (host.lookups, host.connections, host.requests) == ([], [], [])


@pytest.mark.parametrize("address", ADDRESSES)
@pytest.mark.parametrize("other_addresses", [(), (PUBLIC,)], ids=["alone", "behind a public one"])
def test_ssrf_name_with_a_private_address_is_not_connected(
    host: ForeignHost, address: str, other_addresses: Sequence[str]
) -> None:
    host.names["inner.example"] = [*other_addresses, address]
    assert error_code_of(host, "https://inner.example/") == "url.not_public"
    assert host.connections == []


def test_ssrf_unknown_and_private_names_are_indistinguishable(host: ForeignHost) -> None:
    host.names["inner.example"] = ["10.0.0.1"]
    refusals = []
    for url in ("https://nobody.example/", "https://inner.example/"):
        with pytest.raises(InvalidInput) as caught:
            fetch(host, url)
        refusals.append((caught.value.error_code, caught.value.detail))
    assert refusals[0] == refusals[1]


def test_ssrf_dns_pinning_resists_rebinding(host: ForeignHost) -> None:
    """DNS rebinding: the second lookup of the name returns another address."""
    addresses = itertools.chain([[PUBLIC]], itertools.repeat(["127.0.0.1"]))
    host.resolver = lambda _: next(addresses)
    assert fetch(host, URL) == PNG
    assert host.connections == [PUBLIC]
    assert error_code_of(host, URL) == "url.not_public"
    assert host.connections == [PUBLIC]


def test_ssrf_redirect_target_is_validated_like_the_first_url(host: ForeignHost) -> None:
    targets = [*WRITTEN, "http://inner.example/", "https://inner.example:8443/"]
    for number, target in enumerate(targets):
        # A relative reference stays on the same host, which is allowed.
        plain = all(32 < ord(character) < 127 for character in target)
        if "://" not in target or target == "https://" or not plain:
            continue
        host.pages[f"/{number}"] = Page(status=302, headers={"Location": target})
        before = len(host.connections)
        code = error_code_of(host, f"https://pictures.example/{number}")
        assert code in {"url.invalid", "url.unreachable"}, target
        assert len(host.connections) == before + 1, target


def test_ssrf_redirect_to_a_private_address_is_not_followed(host: ForeignHost) -> None:
    host.pages["/r"] = Page(status=307, headers={"Location": "https://inner.example/a.png"})
    assert fetch(host, "https://pictures.example/r") == PNG
    for address in ADDRESSES:
        host.names["inner.example"] = [address]
        host.requests.clear()
        assert error_code_of(host, "https://pictures.example/r") == "url.not_public"
        assert host.requests == [("pictures.example", "/r")]


def test_fetch_follows_at_most_three_redirects(host: ForeignHost) -> None:
    for number in range(5):
        host.pages[f"/{number}"] = Page(status=301, headers={"Location": f"/{number + 1}"})
    host.pages["/5"] = Page(PNG)
    assert fetch(host, "https://pictures.example/2") == PNG
    assert error_code_of(host, "https://pictures.example/1") == "url.redirects"
    host.pages["/loop"] = Page(status=302, headers={"Location": "/loop"})
    assert error_code_of(host, "https://pictures.example/loop") == "url.redirects"


def test_fetch_verifies_the_certificates_host_name(host: ForeignHost) -> None:
    assert error_code_of(host, "https://other.example/a.png") == "url.unreachable"
    assert host.requests == []


def test_fetch_rejects_other_media_types(host: ForeignHost) -> None:
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
        assert error_code_of(host, "https://pictures.example/x") == "url.media_type"


def test_fetch_limits_the_response(host: ForeignHost) -> None:
    host.pages["/large"] = Page(PNG + bytes(300_000))
    assert (
        error_code_of(host, "https://pictures.example/large", most_bytes=200_000) == "url.too_large"
    )
    host.pages["/zip"] = Page(PNG, headers={"Content-Encoding": "gzip"})
    assert error_code_of(host, "https://pictures.example/zip") == "url.encoding"
    host.pages["/short"] = Page(PNG, headers={"Content-Length": "999999"})
    assert error_code_of(host, "https://pictures.example/short") == "url.unreachable"
    for status in (204, 206, 304, 401, 404, 500):
        host.pages["/s"] = Page(PNG if status >= 400 else b"", status=status)
        assert error_code_of(host, "https://pictures.example/s") == "url.unreachable"


@pytest.mark.parametrize("slow_part", ["body", "resolver", "headers"])
def test_fetch_timeout_covers_dns_headers_and_body(host: ForeignHost, slow_part: str) -> None:
    host.pages["/slow"] = Page(PNG, pieces=200, pause=0.05)
    if slow_part == "resolver":
        host.resolver = lambda _: time.sleep(2) or [PUBLIC]  # type: ignore[func-returns-value]
    if slow_part == "headers":
        many = {f"X-{n}": "x" for n in range(90)}
        host.pages["/slow"] = Page(PNG, headers=many, pieces=200, pause=0.05)
    before, started = threading.active_count(), time.monotonic()
    assert error_code_of(host, "https://pictures.example/slow", seconds=0.4) == "url.timeout"
    assert time.monotonic() - started < 1.5
    while threading.active_count() > before + 2 and time.monotonic() - started < 10:
        time.sleep(0.05)
    assert threading.active_count() <= before + 2  # no thread is left waiting


@given(st.ip_addresses(v=4) | st.ip_addresses(v=6))
def test_ssrf_non_global_address_is_never_public(
    address: object,
) -> None:
    if is_public(str(address)):
        parsed = ip_address(str(address))
        assert parsed.is_global
        assert not parsed.is_multicast
        assert not parsed.is_reserved


@pytest.mark.parametrize("address", [PUBLIC, "8.8.8.8", "52.95.110.1", "2606:4700::6810:84e5"])
def test_ssrf_public_address_is_allowed(address: str) -> None:
    assert is_public(address)


@given(st.text(alphabet="https://@:#?\\.[]%aZ0-9é \t", max_size=60) | st.text())
def test_ssrf_accepted_url_has_an_ascii_host_and_target(text: str) -> None:
    endpoint = Endpoint.of("https://" + text)
    if endpoint is not None:
        assert endpoint.host.rpartition(".")[2][0].isalpha()
        assert not set(endpoint.host) - set("abcdefghijklmnopqrstuvwxyz0123456789-.")
        assert endpoint.target.startswith("/")
        assert endpoint.target.isascii()
        assert not set(endpoint.target) & set(" \t\r\n\\")
