"""What a dropped file asks for, and every way in which it can be wrong."""

import json

import pytest

from intake import parsing
from intake.parsing import Unreadable


def faults(refused: pytest.ExceptionInfo[Unreadable]) -> dict[str, str]:
    return {fault.pointer: fault.detail for fault in refused.value.refusal.errors}


def test_a_job_is_the_body_of_a_request() -> None:
    wish = parsing.job(b'\xef\xbb\xbf{"prompt": " A kite ", "scenes": 2, "max_cost": "1.5"}')
    assert (wish.prompt, wish.scenes, str(wish.max_cost)) == ("A kite", 2, "1.5")


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "request.malformed"),
        (b"{", "request.malformed"),
        (b"\xff\xfe{}", "request.malformed"),
        (b"[" * 100_000, "request.malformed"),
        (b'{"seed": ' + b"9" * 5000 + b"}", "request.malformed"),
        (b'{"prompt": NaN}', "request.malformed"),
        (b"[]", "request.invalid"),
        (b'{"prompt": ""}', "request.invalid"),
        (b'{"prompt": "A kite", "scenes": "2"}', "request.invalid"),
        (b'{"prompt": "A kite", "user_id": "bob"}', "request.invalid"),
        (b'{"prompt": "a\\u0000b"}', "request.invalid"),
        (b'{"prompt": "a\\ud800b"}', "request.invalid"),
    ],
)
def test_what_is_no_job_says_what_is_wrong(data: bytes, code: str) -> None:
    with pytest.raises(Unreadable) as refused:
        parsing.job(data)
    assert refused.value.refusal.code == code
    assert "pydantic" not in refused.value.refusal.model_dump_json()


def test_faults_are_named_and_their_values_are_not() -> None:
    with pytest.raises(Unreadable) as refused:
        parsing.job(b'{"prompt": "A kite", "scenes": 0, "secret": "canary-4711"}')
    assert faults(refused).keys() == {"/scenes", "/secret"}
    assert "canary-4711" not in refused.value.refusal.model_dump_json()


def test_a_batch_has_a_job_a_line() -> None:
    lines = ['{"prompt": "One"}', "", '  {"prompt": "Two"}  ', '{"prompt": "a\u2028b"}\r', ""]
    wishes = parsing.batch("\n".join(lines).encode())
    assert {n: wish.prompt for n, wish in wishes.items()} == {1: "One", 3: "Two", 4: "a\u2028b"}


def test_a_batch_names_everything_that_is_wrong_in_it() -> None:
    lines = ['{"prompt": "One"}', '{"prompt": ""}', "nonsense", '{"prompt": "x", "scenes": 99}']
    with pytest.raises(Unreadable) as refused:
        parsing.batch("\n".join(lines).encode())
    assert faults(refused).keys() == {"/2/prompt", "/3", "/4/scenes"}


@pytest.mark.parametrize("count", [0, parsing.MOST_LINES + 1])
def test_a_batch_has_a_number_of_jobs_that_can_be_taken_at_once(count: int) -> None:
    with pytest.raises(Unreadable, match=f"has {count} jobs"):
        parsing.batch(b'{"prompt": "One"}\n' * count)
    assert len(parsing.batch(b'{"prompt": "One"}\n' * parsing.MOST_LINES)) == parsing.MOST_LINES


def test_a_picture_can_say_it_all_itself() -> None:
    wish = parsing.of_metadata(
        {
            "Prompt": "A kite",
            "scenes": "3",
            "ratio": "960:960",
            "style": "Anime",
            "seed": "7",
            "max_cost": "0.5",
            "s3cmd-attrs": "uid:0",
            "mtime": "1234",
        }
    )
    assert wish is not None
    assert (wish.prompt, wish.scenes, wish.ratio, wish.style) == ("A kite", 3, "960:960", "Anime")
    assert (wish.seed, str(wish.max_cost)) == (7, "0.5")


def test_metadata_beyond_ascii_comes_as_encoded_words() -> None:
    encoded = "=?UTF-8?Q?Ein_Drachen_=C3=BCber_den_D=C3=BCnen?="
    wish = parsing.of_metadata({"prompt": encoded})
    assert wish is not None
    assert wish.prompt == "Ein Drachen über den Dünen"
    # What looks like it and is not stays as it is.
    wish = parsing.of_metadata({"prompt": "=?nonsense?Q?x?="})
    assert wish is not None
    assert wish.prompt == "=?nonsense?Q?x?="


def test_a_picture_without_a_prompt_says_nothing() -> None:
    assert parsing.of_metadata({"scenes": "3"}) is None


def test_wrong_metadata_is_named() -> None:
    with pytest.raises(Unreadable) as refused:
        parsing.of_metadata({"prompt": "A kite", "scenes": "many", "ratio": "4:3"})
    assert faults(refused).keys() == {"/metadata/scenes", "/metadata/ratio"}
    json.loads(refused.value.refusal.model_dump_json())


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "The file is empty"),
        (b"  \n", "The file is empty"),
        (b"{", "The file is not JSON"),
        (b'\xff\xfe{\0"\0', "UTF-16"),
        (b"\x1f\x8b\x08\0", "compressed (gzip)"),
        (b'{"prompt": "caf\xe9"}', "The file is not UTF-8 text (at byte 15)"),
    ],
)
def test_a_file_is_called_a_file(data: bytes, words: str) -> None:
    with pytest.raises(Unreadable) as refused:
        parsing.job(data)
    assert words in refused.value.refusal.detail


def test_a_refusal_ends_its_sentences_once() -> None:
    with pytest.raises(Unreadable) as refused:
        parsing.batch(b"{")
    assert ".." not in refused.value.refusal.detail


def test_nulls_of_a_job_count_as_left_out() -> None:
    wish = parsing.job(b'{"prompt": "A kite", "scenes": null, "output": null, "metadata": null}')
    assert (wish.scenes, wish.metadata) == (6, {})
