"""A million guessed keys: none is let in, and a wrong checksum never reaches the database."""

import random
from collections.abc import Iterator
from typing import Any

from authorizer import handler as authorizer
from common.database import Database
from common.domain import api_keys
from tests.integration.api.test_keys import ARN, store, wire
from tests.stand_ins.postgres_tap import Tap

__all__ = ["wire"]  # a fixture

ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
LETTERS = bytes(ord(ALPHABET[n % 62]) for n in range(256))
RANDOM, NEAR, FORGED = 900_000, 90_000, 10_000


def letters(guess: random.Random, length: int, count: int) -> Iterator[str]:
    """Yield random texts of the keys' letters."""
    text = guess.randbytes(length * count).translate(LETTERS).decode()
    return (text[n * length : (n + 1) * length] for n in range(count))


def near(guess: random.Random, real: str, count: int) -> Iterator[str]:
    """Yield the real key with one letter changed, two exchanged, or its end guessed."""
    made = 0
    while made < count:
        place, other = guess.randrange(8, len(real)), guess.randrange(8, len(real))
        if made % 3 == 0:
            changed = real[:place] + guess.choice(ALPHABET) + real[place + 1 :]
        elif made % 3 == 1:
            swapped = list(real)
            swapped[place], swapped[other] = swapped[other], swapped[place]
            changed = "".join(swapped)
        else:
            changed = real[:-6] + "".join(guess.choices(ALPHABET, k=6))
        if changed != real:
            made += 1
            yield changed


def let_in(guesses: Iterator[str]) -> int:
    """Return how many of the guesses the authorizer lets in."""
    # Without Powertools' logging around it, which is most of a call's time.
    decide: Any = authorizer.handler.__wrapped__  # type: ignore[attr-defined]
    granted = 0
    for key in guesses:
        try:
            decide({"methodArn": ARN, "headers": {"X-API-Key": key}}, None)
            granted += 1
        except authorizer.UnauthorizedError:
            pass
    return granted


def test_a_million_guesses(database: Database, wire: Tap) -> None:
    guess = random.Random(20261124)
    real, _ = store(database)
    operator = api_keys.operator_key("s" * 64, "root")
    assert let_in(iter((real, operator))) == 2
    wire.take()
    assert let_in(f"vg_live_{text}" for text in letters(guess, 42, RANDOM)) == 0
    for known in (real, operator):
        assert let_in(near(guess, known, NEAR // 2)) == 0
    assert wire.take() == []
    # With a right checksum a guess costs one look-up, and is as wrong.
    forged = (api_keys._complete(f"vg_live_{text}") for text in letters(guess, 36, FORGED))
    assert let_in(forged) == 0
    statements = wire.take()
    assert len(statements) == FORGED
    assert {text.split()[0] for text in statements} == {"SELECT"}
    assert let_in(iter((real, operator))) == 2
