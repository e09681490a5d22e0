"""Brute force of API keys: no guess is accepted, and wrong checksums cost no database query."""

import random
from collections.abc import Iterator
from typing import Any

from authorizer import handler as authorizer
from common.database import Database
from common.domain import api_keys
from tests.integration.api.test_keys import ARN, database_tap, insert_key
from tests.stand_ins.postgres_tap import StatementRecorder

__all__ = ["database_tap"]  # a fixture

ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
LETTERS = bytes(ord(ALPHABET[n % 62]) for n in range(256))
RANDOM_COUNT, MUTATION_COUNT, FORGED_COUNT = 900_000, 90_000, 10_000


def random_bodies(rng: random.Random, length: int, count: int) -> Iterator[str]:
    """Yield random texts of the characters of API keys."""
    text = rng.randbytes(length * count).translate(LETTERS).decode()
    return (text[n * length : (n + 1) * length] for n in range(count))


def mutations(guess: random.Random, valid: str, count: int) -> Iterator[str]:
    """Yield mutations of a valid key: a changed letter, two swapped letters, a guessed checksum."""
    count_yielded = 0
    while count_yielded < count:
        index, other_index = guess.randrange(8, len(valid)), guess.randrange(8, len(valid))
        if count_yielded % 3 == 0:
            changed = valid[:index] + guess.choice(ALPHABET) + valid[index + 1 :]
        elif count_yielded % 3 == 1:
            swapped = list(valid)
            swapped[index], swapped[other_index] = swapped[other_index], swapped[index]
            changed = "".join(swapped)
        else:
            changed = valid[:-6] + "".join(guess.choices(ALPHABET, k=6))
        if changed != valid:
            count_yielded += 1
            yield changed


def accepted_count(guesses: Iterator[str]) -> int:
    """Return the number of keys that the authorizer accepts."""
    # Without Powertools' logging, which takes most of the time of a call.
    decide: Any = authorizer.handler.__wrapped__  # type: ignore[attr-defined]
    granted = 0
    for key in guesses:
        try:
            decide({"methodArn": ARN, "headers": {"X-API-Key": key}}, None)
            granted += 1
        except authorizer.UnauthorizedError:
            pass
    return granted


def test_brute_force_of_a_million_keys_is_rejected(
    database: Database, database_tap: StatementRecorder
) -> None:
    rng = random.Random(20261124)
    valid, _ = insert_key(database)
    operator = api_keys.operator_key("s" * 64, "root")
    assert accepted_count(iter((valid, operator))) == 2
    database_tap.take()
    assert accepted_count(f"vg_live_{text}" for text in random_bodies(rng, 42, RANDOM_COUNT)) == 0
    for base in (valid, operator):
        assert accepted_count(mutations(rng, base, MUTATION_COUNT // 2)) == 0
    assert database_tap.take() == []
    # A guess with a valid checksum costs one query and is rejected too.
    forged = (
        api_keys._complete(f"vg_live_{text}") for text in random_bodies(rng, 36, FORGED_COUNT)
    )
    assert accepted_count(forged) == 0
    statements = database_tap.take()
    assert len(statements) == FORGED_COUNT
    assert {text.split()[0] for text in statements} == {"SELECT"}
    assert accepted_count(iter((valid, operator))) == 2
