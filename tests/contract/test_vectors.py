"""Every answer and every error that the vendors are known to give, and what we make of it.

Each vector is answered by the stand-in, verbatim, to the call that would get it. The judge of
what was paid is its book, which counts a 2xx answer to a paid call as accepted.
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
from tests.support.vendors import Visit


@dataclass
class Call:
    """A paid call, and how to look at what it did."""

    endpoint: str
    visit: Visit
    make: Callable[[], object]

    def gets(self, vector: str, expected: No) -> None:
        kind, code, seconds = expected
        self.visit.vendor.fault(self.endpoint, f"vector:{vector}")
        with pytest.raises(kind) as caught:
            self.make()
        error = caught.value
        assert (type(error), error.error_code, error.retry_after) == (kind, code, seconds)
        assert self.visit.calls(self.endpoint) == 1
        if self.visit.charges():
            assert error.billed is not False
        if "moderation_blocked" in vector:  # certain only of what was stopped at its input
            assert error.billed is (False if vector.endswith("_input") else None)
        words = str(vectors.load(vector)["body"])
        assert not any(part in words for part in error.detail.split(". ") if len(part) > 20)


@pytest.fixture(scope="module")
def stand_ins(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, StandIn]]:
    with (
        openai.serve(tmp_path_factory.mktemp("openai")) as first,
        runway.serve(tmp_path_factory.mktemp("runway")) as second,
    ):
        yield {"openai": first, "runway": second}


@pytest.fixture
def story(stand_ins: dict[str, StandIn]) -> Call:
    provider = text_provider("openai", vendors.context(openai=stand_ins["openai"]))
    return Call(
        "responses",
        Visit(stand_ins["openai"]),
        lambda: provider.write_story(vendors.story_request(1)),
    )


@pytest.fixture
def picture(stand_ins: dict[str, StandIn]) -> Call:
    provider = image_provider("openai", vendors.context(openai=stand_ins["openai"]))
    request = vendors.image_request(anchor=vendors.picture())
    return Call(
        "images.edits", Visit(stand_ins["openai"]), lambda: provider.generate_image(request)
    )


@pytest.fixture(params=["gpt-audio-1.5", "gpt-4o-mini-tts"])
def speech(stand_ins: dict[str, StandIn], request: pytest.FixtureRequest) -> Call:
    provider = speech_provider("openai", vendors.context(openai=stand_ins["openai"]))
    wish = vendors.speech_request(model=request.param)
    endpoint = models.find("speech", "openai", request.param).endpoint or ""
    return Call(
        endpoint.replace("/", "."), Visit(stand_ins["openai"]), lambda: provider.synthesize(wish)
    )


@pytest.fixture
def submit(stand_ins: dict[str, StandIn]) -> Call:
    provider = video_provider("runway", vendors.context(runway=stand_ins["runway"]))
    return Call(
        "image_to_video",
        Visit(stand_ins["runway"]),
        lambda: provider.submit(vendors.clip_request()),
    )


def test_no_vector_is_left_out() -> None:
    known = {*TEXT, *IMAGE, *OPENAI, *SUBMIT, *POLL, *APART}
    assert known == set(vectors.names("response", "error"))


@pytest.mark.parametrize("vector", [*TEXT, *IMAGE, *OPENAI, *SUBMIT])
def test_nothing_is_sent_again_by_itself_that_its_vector_forbids(vector: str) -> None:
    made = {**TEXT, **IMAGE, **OPENAI, **SUBMIT}[vector]
    forbidden = vectors.load(vector).get("safe_to_retry_unchanged") is False
    assert not (forbidden and isinstance(made, tuple) and made[0] is NotAccepted)


@pytest.mark.parametrize("vector", POLL)
def test_what_we_advise_of_a_failed_task_is_what_its_vector_says(vector: str) -> None:
    advice, said = POLL[vector][2], vectors.load(vector).get("safe_to_retry_unchanged")
    if said == "once":  # with a new seed, and then with another input
        assert advice is Retry.CHANGED_INPUT
    elif said is not None:
        assert (advice in (Retry.SAME, Retry.LATER)) is (said is True)


PAID = {**TEXT, **IMAGE, **OPENAI, **SUBMIT}
MAY_REPEAT = [name for name in PAID if vectors.load(name).get("safe_to_retry_unchanged") is True]
RETRYABLE = [name for name in PAID if "a retryable" in (vectors.load(name).get("note") or "")]


@pytest.mark.parametrize("vector", MAY_REPEAT)
def test_what_its_vector_lets_us_repeat_is_no_refusal(vector: str) -> None:
    """It is repeated; or, where a charge is possible all the same, parked until its owner says."""
    made = PAID[vector]
    assert isinstance(made, tuple)
    assert made[0] in (NotAccepted, OutcomeUnknown)


@pytest.mark.parametrize("vector", RETRYABLE)
def test_what_its_vector_calls_retryable_is_so(vector: str) -> None:
    made = PAID[vector]
    assert isinstance(made, tuple)
    assert made[0] is NotAccepted or vendor_errors.MEANINGS[made[1]].helps_unchanged


def test_some_vectors_say_that_something_may_be_repeated() -> None:
    assert "openai_images_response_empty" in RETRYABLE
    assert {"openai_error_503_overloaded", "runway_error_429"} <= set(MAY_REPEAT)


@pytest.mark.parametrize("vector", [*TEXT, *OPENAI])
def test_to_a_call_for_a_story(vector: str, story: Call) -> None:
    expected = {**TEXT, **OPENAI}[vector]
    if not isinstance(expected, int):
        return story.gets(vector, expected)
    story.visit.vendor.fault("responses", f"vector:{vector}")
    story.make()
    assert len(story.visit.charges()) == expected
    return None


@pytest.mark.parametrize("vector", [*IMAGE, *OPENAI])
def test_to_a_call_for_a_picture(vector: str, picture: Call) -> None:
    picture.gets(vector, {**IMAGE, **OPENAI}[vector])


@pytest.mark.parametrize("vector", OPENAI)
def test_to_a_call_for_speech(vector: str, speech: Call) -> None:
    speech.gets(vector, OPENAI[vector])


@pytest.mark.parametrize("vector", SUBMIT)
def test_to_a_submit(vector: str, submit: Call) -> None:
    expected = SUBMIT[vector]
    if expected is not None:
        return submit.gets(vector, expected)
    submit.visit.vendor.fault("image_to_video", f"vector:{vector}")
    job = submit.make()
    assert isinstance(job, JobRef)
    assert job.id == "17f20503-6c24-4c16-946b-35dbbce2af2f"
    assert job.estimated.units == 25
    return None


@pytest.mark.parametrize("vector", POLL)
def test_to_a_question_after_a_task(vector: str, stand_ins: dict[str, StandIn]) -> None:
    vendor = stand_ins["runway"]
    Visit(vendor)
    vendor.fault("tasks.get", f"vector:{vector}")
    job = JobRef("runway", "gen4_turbo", "17f20503-6c24-4c16-946b-35dbbce2af2f")
    state = video_provider("runway", vendors.context(runway=vendor)).poll(job)
    assert summary(state) == POLL[vector]
    if state.failure:
        assert vectors.load(vector)["body"].get("failure", "!") not in state.failure.detail


def test_a_daily_limit_is_no_burst(submit: Call) -> None:
    """Which 429 it is, the account says, not the words: the vector's are not verified."""
    submit.visit.vendor.set(daily_generations=0)
    try:
        submit.gets("runway_error_429_daily", no("provider.quota"))
    finally:
        submit.visit.vendor.set(daily_generations=None)
    submit.visit.vendor.fault("image_to_video", "vector:runway_error_429_daily")
    with pytest.raises(NotAccepted):
        submit.make()


def test_an_upload_goes_where_the_vector_says(
    stand_ins: dict[str, StandIn], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The vector's host is not there; no request gets out, and nothing was paid."""
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    visit = Visit(stand_ins["runway"])
    visit.vendor.fault("uploads", "vector:runway_uploads_response")
    provider = video_provider("runway", vendors.context(runway=visit.vendor))
    with pytest.raises(NotAccepted):
        provider.submit(vendors.clip_request(image=vendors.picture(grain=90, extra=4_000_000)))
    assert (visit.calls("uploads"), visit.calls("image_to_video")) == (1, 0)


def summary(state: JobState) -> tuple[JobStatus, str | None, Retry | None, int | None]:
    failure, cost = state.failure, state.cost
    units = None if cost is None or cost.units is None else int(cost.units)
    if failure is None:
        return state.status, None, None, units
    return state.status, failure.code, failure.retry, units
