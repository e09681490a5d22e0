"""JSON of clients is limited before it is parsed, and only Malformed is raised."""

import time

import pytest

from common.domain.errors import Malformed
from common.schemas.base import MAX_VALUES, is_storable, read_json

HOSTILE = {
    "500,000 fields": "{" + ",".join(f'"f{n}":1' for n in range(500_000)) + "}",
    "3 million numbers": "[" + "0," * 3_000_000 + "0]",
    "2 million lists": "[" * 2_000_000,
    "900 levels": "[" * 900 + "]" * 900,
    "100,000 levels": '{"a":' * 20_000 + "1" + "}" * 20_000,
    "many fields": "{" + ",".join(f'"f{n}":1' for n in range(MAX_VALUES + 1)) + "}",
    "many fields further inside": '{"a":{"b":[' + "1," * MAX_VALUES + "1]}}",
    "an integer of 5,000 digits": '{"seed":' + "9" * 5000 + "}",
    "an integer of a million digits": '{"seed":-' + "9" * 1_000_000 + "}",
    "a fraction of a million digits": '{"max_cost":0.' + "9" * 1_000_000 + "}",
    "a number beyond all": '{"max_cost":1e999}',
    "minus a number beyond all": '{"max_cost":-1E400}',
    "an exponent of a million digits": '{"max_cost":1e' + "9" * 1_000_000 + "}",
    "not a number": '{"max_cost":NaN}',
    "nothing": "",
    "an open text": '{"a":"' + "a" * 1_000_000,
    "a control character": '{"a":"\x01"}',
    "backslashes": '{"a":"' + "\\" * 1_000_001 + '"}',
}


@pytest.mark.parametrize("name", list(HOSTILE))
def test_hostile_json_is_rejected_quickly(name: str) -> None:
    started = time.process_time()
    with pytest.raises(Malformed) as refused:
        read_json(HOSTILE[name])
    assert time.process_time() - started < 0.5
    assert len(refused.value.detail) < 200


def test_brackets_inside_strings_do_not_count_as_structure() -> None:
    text = ",[{" * 4000
    assert read_json(f'{{"prompt":"{text}"}}') == {"prompt": text}
    assert read_json(str(list(range(MAX_VALUES)))) == list(range(MAX_VALUES))
    assert read_json("[1.5, -2e3, 12345678901234567890]") == [1.5, -2000.0, 12345678901234567890]


@pytest.mark.parametrize("text", ["\0", "a\0", "\ud800", "a\udfffb"])
def test_null_characters_and_lone_surrogates_are_not_storable(text: str) -> None:
    assert not is_storable(text)
    assert is_storable("a\u00e9\U0001f600\ufffd")


def test_is_storable_is_fast_for_large_texts() -> None:
    started = time.process_time()
    assert is_storable("A" * 6_000_000)
    assert time.process_time() - started < 0.3
