"""API keys: format, checksum and derivation."""

import random

from hypothesis import given
from hypothesis import strategies as st

from common.domain import api_keys


def test_minted_key_is_well_formed_and_has_its_prefix() -> None:
    for live, start in ((True, "vg_live_"), (False, "vg_test_")):
        key = api_keys.mint(live=live)
        assert key.startswith(start)
        assert api_keys.is_well_formed(key)
        assert len(key) == len(start) + 42


def test_minted_keys_differ() -> None:
    assert api_keys.mint(live=True) != api_keys.mint(live=True)


def test_operator_key_is_derived_from_secret_and_user() -> None:
    key = api_keys.operator_key("secret", "operator")
    assert api_keys.is_well_formed(key)
    assert key == api_keys.operator_key("secret", "operator")
    assert key != api_keys.operator_key("secret2", "operator")
    assert key != api_keys.operator_key("secret", "operator2")


@given(st.integers(8, 49), st.sampled_from("0aZ9_-é"))
def test_key_checksum_detects_one_wrong_character(index: int, character: str) -> None:
    key = api_keys.operator_key("secret", "operator")
    changed = key[:index] + character + key[index + 1 :]
    assert api_keys.is_well_formed(changed) == (changed == key)


def test_random_keys_of_the_right_format_lack_the_checksum() -> None:
    guess = random.Random(7)
    alphabet = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
    guesses = ("vg_live_" + "".join(guess.choices(alphabet, k=42)) for _ in range(20_000))
    assert not any(api_keys.is_well_formed(key) for key in guesses)


@given(st.text())
def test_arbitrary_text_is_no_well_formed_key(text: str) -> None:
    assert not api_keys.is_well_formed(text)
