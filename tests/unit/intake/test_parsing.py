"""Parsing of inbox files: jobs, batches and image metadata, and their errors."""

import json

import pytest

from intake import parsing
from intake.parsing import InvalidFile


def faults(caught: pytest.ExceptionInfo[InvalidFile]) -> dict[str, str]:
    return {fault.pointer: fault.detail for fault in caught.value.refusal.errors}


def test_job_is_parsed_as_a_request_body() -> None:
    request = parsing.job(b'\xef\xbb\xbf{"prompt": " A kite ", "scenes": 2, "max_cost": "1.5"}')
    assert (request.prompt, request.scenes, str(request.max_cost)) == ("A kite", 2, "1.5")


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
        (b'{"prompt": "A kite", "owner": "bob"}', "request.invalid"),
        (b'{"prompt": "a\\u0000b"}', "request.invalid"),
        (b'{"prompt": "a\\ud800b"}', "request.invalid"),
    ],
)
def test_invalid_job_is_rejected_with_its_code(data: bytes, code: str) -> None:
    with pytest.raises(InvalidFile) as caught:
        parsing.job(data)
    assert caught.value.refusal.code == code
    assert "pydantic" not in caught.value.refusal.model_dump_json()


def test_job_faults_name_fields_but_not_values() -> None:
    with pytest.raises(InvalidFile) as caught:
        parsing.job(b'{"prompt": "A kite", "scenes": 0, "secret": "canary-4711"}')
    assert faults(caught).keys() == {"/scenes", "/secret"}
    assert "canary-4711" not in caught.value.refusal.model_dump_json()


def test_batch_has_one_job_per_line() -> None:
    lines = ['{"prompt": "One"}', "", '  {"prompt": "Two"}  ', '{"prompt": "a\u2028b"}\r', ""]
    requests = parsing.batch("\n".join(lines).encode())
    assert {n: request.prompt for n, request in requests.items()} == {
        1: "One",
        3: "Two",
        4: "a\u2028b",
    }


def test_batch_reports_the_faults_of_all_lines() -> None:
    lines = ['{"prompt": "One"}', '{"prompt": ""}', "nonsense", '{"prompt": "x", "scenes": 99}']
    with pytest.raises(InvalidFile) as caught:
        parsing.batch("\n".join(lines).encode())
    assert faults(caught).keys() == {"/2/prompt", "/3", "/4/scenes"}


@pytest.mark.parametrize("count", [0, parsing.MOST_LINES + 1])
def test_batch_size_is_limited(count: int) -> None:
    with pytest.raises(InvalidFile, match=f"has {count} jobs"):
        parsing.batch(b'{"prompt": "One"}\n' * count)
    assert len(parsing.batch(b'{"prompt": "One"}\n' * parsing.MOST_LINES)) == parsing.MOST_LINES


def test_image_metadata_is_parsed_as_a_request() -> None:
    request = parsing.of_metadata(
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
    assert request is not None
    assert (request.prompt, request.scenes, request.ratio, request.style) == (
        "A kite",
        3,
        "960:960",
        "Anime",
    )
    assert (request.seed, str(request.max_cost)) == (7, "0.5")


def test_image_metadata_decodes_rfc_2047_encoded_words() -> None:
    encoded = "=?UTF-8?Q?Ein_Drachen_=C3=BCber_den_D=C3=BCnen?="
    request = parsing.of_metadata({"prompt": encoded})
    assert request is not None
    assert request.prompt == "Ein Drachen über den Dünen"
    # An invalid encoded word is kept unchanged.
    request = parsing.of_metadata({"prompt": "=?nonsense?Q?x?="})
    assert request is not None
    assert request.prompt == "=?nonsense?Q?x?="


def test_image_metadata_without_a_prompt_is_no_request() -> None:
    assert parsing.of_metadata({"scenes": "3"}) is None


def test_invalid_image_metadata_is_named() -> None:
    with pytest.raises(InvalidFile) as caught:
        parsing.of_metadata({"prompt": "A kite", "scenes": "many", "ratio": "4:3"})
    assert faults(caught).keys() == {"/metadata/scenes", "/metadata/ratio"}
    json.loads(caught.value.refusal.model_dump_json())


@pytest.mark.parametrize(
    ("data", "excerpt"),
    [
        (b"", "The file is empty"),
        (b"  \n", "The file is empty"),
        (b"{", "The file is not valid JSON"),
        (b'\xff\xfe{\0"\0', "UTF-16"),
        (b"\x1f\x8b\x08\0", "compressed (gzip)"),
        (b'{"prompt": "caf\xe9"}', "The file is not UTF-8 text (at byte 15)"),
    ],
)
def test_unreadable_job_file_is_explained(data: bytes, excerpt: str) -> None:
    with pytest.raises(InvalidFile) as caught:
        parsing.job(data)
    assert excerpt in caught.value.refusal.detail


def test_batch_error_detail_has_no_double_period() -> None:
    with pytest.raises(InvalidFile) as caught:
        parsing.batch(b"{")
    assert ".." not in caught.value.refusal.detail


def test_job_null_fields_count_as_omitted() -> None:
    request = parsing.job(b'{"prompt": "A kite", "scenes": null, "output": null, "metadata": null}')
    assert (request.scenes, request.metadata) == (6, {})
