"""Signed links: verification, expiry, methods, secret rotation and forgery."""

import random
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.domain import ids
from common.domain.errors import NotFound
from common.domain.signed_links import MAX_SECONDS, LinkSigner, Method, SignedLink

NOW = 1_790_000_000.0
ALPHABET = string.ascii_letters + string.digits + "-_"
SIGNER = LinkSigner("the stack's secret")
MEDIA = ids.new("med")


def is_accepted(
    text: str, *, method: Method = "GET", now: float = NOW, signer: LinkSigner = SIGNER
) -> bool:
    try:
        signer.verify(text, method=method, now=now)
    except NotFound:
        return False
    return True


def signed(signer: LinkSigner = SIGNER, **changes: object) -> str:
    arguments = {"epoch": 7, "now": NOW, "seconds": 3600, **changes}
    return signer.sign(MEDIA, **arguments)  # type: ignore[arg-type]  # changes of one value each


def test_verified_link_contains_its_media_id_and_expiry() -> None:
    link = SIGNER.verify(signed(), method="GET", now=NOW)
    assert link == SignedLink(MEDIA, epoch=7, expires_at=int(NOW) + 3600)


def test_signed_link_has_80_url_safe_characters() -> None:
    assert len(signed()) == 80
    assert set(signed()) <= set(ALPHABET)


def test_signed_link_with_any_altered_character_is_rejected() -> None:
    """Change every character of forty tokens to every other one: 201,600 tokens."""
    attempts = 0
    for number in range(40):
        text = SIGNER.sign(ids.new("med"), epoch=number, now=NOW, seconds=60 + number)
        assert is_accepted(text)
        for index, character in enumerate(text):
            for replacement in ALPHABET:
                if replacement != character:
                    attempts += 1
                    assert not is_accepted(text[:index] + replacement + text[index + 1 :])
    assert attempts > 200_000


def test_signed_link_in_another_spelling_is_rejected() -> None:
    text = signed()
    for spelling in (
        text + "=",
        text + "==",
        " " + text,
        text + "\n",
        text + "A",
        text[:-1],
        text[:40],
        text + text,
        text.swapcase(),
        "",
        "A" * 80,
        text.replace(text[3], text[3] + "\r\n"),
        "é" * 80,
        "\N{FULLWIDTH LATIN CAPITAL LETTER A}" + text[1:],
        text + "\x00",
        text + "?t=x",
    ):
        assert not is_accepted(spelling), spelling


@given(st.text(alphabet=ALPHABET, min_size=80, max_size=80) | st.text())
def test_arbitrary_text_is_no_signed_link(text: str) -> None:
    assert not is_accepted(text)


def test_signed_link_with_a_random_mac_is_rejected() -> None:
    guess = random.Random(5)
    start = signed()[:38]  # everything but the MAC
    assert not any(
        is_accepted(start + "".join(guess.choices(ALPHABET, k=42))) for _ in range(20_000)
    )


def test_signed_link_expires_on_the_second() -> None:
    text = signed(seconds=60)
    assert is_accepted(text, now=NOW + 59.9)
    assert not is_accepted(text, now=NOW + 60)


@pytest.mark.parametrize("seconds", [0, -1, MAX_SECONDS + 1])
def test_signed_link_lifetime_is_limited_to_a_day(seconds: int) -> None:
    with pytest.raises(ValueError, match="seconds"):
        signed(seconds=seconds)


def test_signed_link_for_get_allows_head_but_not_vice_versa() -> None:
    get_link, head_link = signed(method="GET"), signed(method="HEAD")
    assert (is_accepted(get_link, method="GET"), is_accepted(get_link, method="HEAD")) == (
        True,
        True,
    )
    assert (is_accepted(head_link, method="GET"), is_accepted(head_link, method="HEAD")) == (
        False,
        True,
    )


def test_signed_link_survives_secret_rotation_until_the_old_secret_is_removed() -> None:
    old = signed()
    rotated, forgotten = (
        LinkSigner("a new secret", previous="the stack's secret"),
        LinkSigner("a new one"),
    )
    assert is_accepted(old, signer=rotated)
    assert not is_accepted(old, signer=forgotten)
    assert is_accepted(signed(rotated), signer=rotated)
    assert not is_accepted(signed(rotated))  # the old secret alone cannot verify it


def test_signed_link_of_another_stack_is_rejected() -> None:
    assert not is_accepted(signed(), signer=LinkSigner("another stack's secret"))


@given(st.binary(min_size=16, max_size=16))
def test_id_round_trips_through_bytes(ulid: bytes) -> None:
    assert ids.to_bytes(ids.from_bytes("med", ulid)) == ulid
