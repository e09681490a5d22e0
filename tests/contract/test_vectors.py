"""Known vendor responses and errors (vectors) and the errors that adapters derive from them.

The stand-in returns each vector verbatim to the call that would receive it. Its charge book is the
reference for costs: a 2xx response to a paid call counts as accepted.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest

from common.domain import models
from common.domain.errors import NotAccepted, OutcomeUnknown
from common.providers import (
    JobRef,
    JobState,
    JobStatus,
    Retry,
    image_provider,
    speech_provider,
    text_provider,
    vendor_errors,
    video_provider,
)
from tests.stand_ins import openai, runway, vectors
from tests.stand_ins.process import StandIn
from tests.support import vendors
from tests.support.expected import APART, IMAGE, OPENAI, POLL, SUBMIT, TEXT, No, no
from tests.support.vendors import VendorSession


@dataclass
class Call:
    """A paid call to a stand-in and its effects."""

    endpoint: str
    session: VendorSession
    make: Callable[[], object]

    def assert_error(self, vector: str, expected: No) -> None:
        kind, code, seconds = expected
        self.session.vendor.fault(self.endpoint, f"vector:{vector}")
        with pytest.raises(kind) as caught:
            self.make()
        error = caught.value
        assert (type(error), error.error_code, error.retry_after) == (kind, code, seconds)
        assert self.session.calls(self.endpoint) == 1
        if self.session.charges():
            assert error.billed is not False
        if "moderation_blocked" in vector:  # certain only for prompts rejected at input moderation
            assert error.billed is (False if vector.endswith("_input") else None)
        vendor_body = str(vectors.load(vector)["body"])
        assert not any(part in vendor_body for part in error.detail.split(". ") if len(part) > 20)


@pytest.fixture(scope="module")
def stand_ins(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, StandIn]]:
    with (
        openai.serve(tmp_path_factory.mktemp("openai")) as first,
        runway.serve(tmp_path_factory.mktemp("runway")) as second,
    ):
        yield {"openai": first, "runway": second}


@pytest.fixture
def story_call(stand_ins: dict[str, StandIn]) -> Call:
    provider = text_provider("openai", vendors.context(openai=stand_ins["openai"]))
    return Call(
        "responses",
        VendorSession(stand_ins["openai"]),
        lambda: provider.write_story(vendors.story_request(1)),
    )


@pytest.fixture
def image_call(stand_ins: dict[str, StandIn]) -> Call:
    provider = image_provider("openai", vendors.context(openai=stand_ins["openai"]))
    request = vendors.image_request(anchor=vendors.sample_image())
    return Call(
        "images.edits", VendorSession(stand_ins["openai"]), lambda: provider.generate_image(request)
    )


@pytest.fixture(params=["gpt-audio-1.5", "gpt-4o-mini-tts"])
def speech_call(stand_ins: dict[str, StandIn], request: pytest.FixtureRequest) -> Call:
    provider = speech_provider("openai", vendors.context(openai=stand_ins["openai"]))
    speech_request = vendors.speech_request(model=request.param)
    endpoint = models.find("speech", "openai", request.param).endpoint or ""
    return Call(
        endpoint.replace("/", "."),
        VendorSession(stand_ins["openai"]),
        lambda: provider.synthesize(speech_request),
    )


@pytest.fixture
def submit_call(stand_ins: dict[str, StandIn]) -> Call:
    provider = video_provider("runway", vendors.context(runway=stand_ins["runway"]))
    return Call(
        "image_to_video",
        VendorSession(stand_ins["runway"]),
        lambda: provider.submit(vendors.clip_request()),
    )


def test_every_response_and_error_vector_is_covered() -> None:
    known = {*TEXT, *IMAGE, *OPENAI, *SUBMIT, *POLL, *APART}
    assert known == set(vectors.names("response", "error"))


@pytest.mark.parametrize("vector", [*TEXT, *IMAGE, *OPENAI, *SUBMIT])
def test_non_retryable_vector_is_never_retried_automatically(vector: str) -> None:
    expected = {**TEXT, **IMAGE, **OPENAI, **SUBMIT}[vector]
    forbidden = vectors.load(vector).get("safe_to_retry_unchanged") is False
    assert not (forbidden and isinstance(expected, tuple) and expected[0] is NotAccepted)


@pytest.mark.parametrize("vector", POLL)
def test_failed_task_retry_advice_agrees_with_vector(vector: str) -> None:
    advice, safe_to_retry = POLL[vector][2], vectors.load(vector).get("safe_to_retry_unchanged")
    if safe_to_retry == "once":  # with a new seed, then with a changed input
        assert advice is Retry.CHANGED_INPUT
    elif safe_to_retry is not None:
        assert (advice in (Retry.SAME, Retry.LATER)) is (safe_to_retry is True)


PAID = {**TEXT, **IMAGE, **OPENAI, **SUBMIT}
MAY_REPEAT = [name for name in PAID if vectors.load(name).get("safe_to_retry_unchanged") is True]
RETRYABLE = [name for name in PAID if "a retryable" in (vectors.load(name).get("note") or "")]


@pytest.mark.parametrize("vector", MAY_REPEAT)
def test_retryable_vector_is_not_refused(vector: str) -> None:
    """Such a call is retried, or its outcome is unknown if it may have been charged."""
    expected = PAID[vector]
    assert isinstance(expected, tuple)
    assert expected[0] in (NotAccepted, OutcomeUnknown)


@pytest.mark.parametrize("vector", RETRYABLE)
def test_vector_noted_as_retryable_is_retryable(vector: str) -> None:
    expected = PAID[vector]
    assert isinstance(expected, tuple)
    assert expected[0] is NotAccepted or vendor_errors.MEANINGS[expected[1]].helps_unchanged


def test_retryable_vectors_exist() -> None:
    assert "openai_images_response_empty" in RETRYABLE
    assert {"openai_error_503_overloaded", "runway_error_429"} <= set(MAY_REPEAT)


@pytest.mark.parametrize("vector", [*TEXT, *OPENAI])
def test_story_call_handles_vector(vector: str, story_call: Call) -> None:
    expected = {**TEXT, **OPENAI}[vector]
    if not isinstance(expected, int):
        return story_call.assert_error(vector, expected)
    story_call.session.vendor.fault("responses", f"vector:{vector}")
    story_call.make()
    assert len(story_call.session.charges()) == expected
    return None


@pytest.mark.parametrize("vector", [*IMAGE, *OPENAI])
def test_image_call_handles_vector(vector: str, image_call: Call) -> None:
    image_call.assert_error(vector, {**IMAGE, **OPENAI}[vector])


@pytest.mark.parametrize("vector", OPENAI)
def test_speech_call_handles_vector(vector: str, speech_call: Call) -> None:
    speech_call.assert_error(vector, OPENAI[vector])


@pytest.mark.parametrize("vector", SUBMIT)
def test_clip_submit_handles_vector(vector: str, submit_call: Call) -> None:
    expected = SUBMIT[vector]
    if expected is not None:
        return submit_call.assert_error(vector, expected)
    submit_call.session.vendor.fault("image_to_video", f"vector:{vector}")
    job = submit_call.make()
    assert isinstance(job, JobRef)
    assert job.id == "17f20503-6c24-4c16-946b-35dbbce2af2f"
    assert job.estimated.units == 25
    return None


@pytest.mark.parametrize("vector", POLL)
def test_task_poll_handles_vector(vector: str, stand_ins: dict[str, StandIn]) -> None:
    vendor = stand_ins["runway"]
    VendorSession(vendor)
    vendor.fault("tasks.get", f"vector:{vector}")
    job = JobRef("runway", "gen4_turbo", "17f20503-6c24-4c16-946b-35dbbce2af2f")
    state = video_provider("runway", vendors.context(runway=vendor)).poll(job)
    assert summarize(state) == POLL[vector]
    if state.failure:
        assert vectors.load(vector)["body"].get("failure", "!") not in state.failure.detail


def test_runway_daily_limit_vector_differs_from_rate_limit(submit_call: Call) -> None:
    """The account's limits tell the 429s apart: the vector's message is unverified."""
    submit_call.session.vendor.set(daily_generations=0)
    try:
        submit_call.assert_error("runway_error_429_daily", no("provider.quota"))
    finally:
        submit_call.session.vendor.set(daily_generations=None)
    submit_call.session.vendor.fault("image_to_video", "vector:runway_error_429_daily")
    with pytest.raises(NotAccepted):
        submit_call.make()


def test_runway_upload_uses_host_of_vector(
    stand_ins: dict[str, StandIn], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The vector's host is unreachable, no request leaves the machine, and nothing is charged."""
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    session = VendorSession(stand_ins["runway"])
    session.vendor.fault("uploads", "vector:runway_uploads_response")
    provider = video_provider("runway", vendors.context(runway=session.vendor))
    with pytest.raises(NotAccepted):
        provider.submit(vendors.clip_request(image=vendors.sample_image(grain=90, extra=4_000_000)))
    assert (session.calls("uploads"), session.calls("image_to_video")) == (1, 0)


def summarize(state: JobState) -> tuple[JobStatus, str | None, Retry | None, int | None]:
    failure, cost = state.failure, state.cost
    units = None if cost is None or cost.units is None else int(cost.units)
    if failure is None:
        return state.status, None, None, units
    return state.status, failure.code, failure.retry, units
