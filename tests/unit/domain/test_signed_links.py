"""Capabilities: what opens, what no longer does, and that nobody makes one up."""

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


def opens(
    text: str, *, method: Method = "GET", now: float = NOW, signer: LinkSigner = SIGNER
) -> bool:
    try:
        signer.verify(text, method=method, now=now)
    except NotFound:
        return False
    return True


def made(signer: LinkSigner = SIGNER, **changes: object) -> str:
    wish = {"epoch": 7, "now": NOW, "seconds": 3600, **changes}
    return signer.sign(MEDIA, **wish)  # type: ignore[arg-type]  # changes of one value each


def test_it_says_what_it_opens() -> None:
    found = SIGNER.verify(made(), method="GET", now=NOW)
    assert found == SignedLink(MEDIA, epoch=7, expires_at=int(NOW) + 3600)


def test_it_is_short_enough_for_any_url() -> None:
    assert len(made()) == 80
    assert set(made()) <= set(ALPHABET)


def test_200_000_altered_capabilities_and_none_is_accepted() -> None:
    """Every other character at every place, of forty capabilities: 201,600 texts."""
    tried = 0
    for number in range(40):
        text = SIGNER.sign(ids.new("med"), epoch=number, now=NOW, seconds=60 + number)
        assert opens(text)
        for place, character in enumerate(text):
            for other in ALPHABET:
                if other != character:
                    tried += 1
                    assert not opens(text[:place] + other + text[place + 1 :])
    assert tried > 200_000


def test_other_spellings_of_a_good_one_are_refused() -> None:
    text = made()
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
        assert not opens(spelling), spelling


@given(st.text(alphabet=ALPHABET, min_size=80, max_size=80) | st.text())
def test_nobody_makes_one_up(text: str) -> None:
    assert not opens(text)


def test_random_ones_of_the_right_form_are_refused() -> None:
    guess = random.Random(5)
    start = made()[:38]  # everything but the MAC
    assert not any(opens(start + "".join(guess.choices(ALPHABET, k=42))) for _ in range(20_000))


def test_it_ends_on_the_second() -> None:
    text = made(seconds=60)
    assert opens(text, now=NOW + 59.9)
    assert not opens(text, now=NOW + 60)


@pytest.mark.parametrize("seconds", [0, -1, MAX_SECONDS + 1])
def test_nobody_is_given_one_for_longer_than_a_day(seconds: int) -> None:
    with pytest.raises(ValueError, match="seconds"):
        made(seconds=seconds)


def test_a_right_is_narrowed_and_never_widened() -> None:
    read, ask = made(method="GET"), made(method="HEAD")
    assert (opens(read, method="GET"), opens(read, method="HEAD")) == (True, True)
    assert (opens(ask, method="GET"), opens(ask, method="HEAD")) == (False, True)


def test_a_rotated_secret_keeps_old_ones_good_until_it_is_forgotten() -> None:
    old = made()
    rotated, forgotten = (
        LinkSigner("a new secret", previous="the stack's secret"),
        LinkSigner("a new one"),
    )
    assert opens(old, signer=rotated)
    assert not opens(old, signer=forgotten)
    assert opens(made(rotated), signer=rotated)
    assert not opens(made(rotated))  # the old secret alone knows nothing of the new one


def test_another_stack_does_not_take_it() -> None:
    assert not opens(made(), signer=LinkSigner("another stack's secret"))


@given(st.binary(min_size=16, max_size=16))
def test_an_id_survives_the_way_through_its_bytes(ulid: bytes) -> None:
    assert ids.to_bytes(ids.from_bytes("med", ulid)) == ulid
