"""Clips by Runway, over the wire of a stand-in with its own book, clock and store of media."""

import io
from collections.abc import Iterator

import pytest
from PIL import Image

from common.domain import models
from common.domain.errors import InvalidInput, NotAccepted, OutcomeUnknown, ProviderRefused
from common.domain.video import RATIOS, EncodedImage
from common.providers import ClipRequest, JobRef, video_provider
from common.providers.video import _runway_api
from common.providers.video._runway_picture import within_ratio
from common.providers.video.runway import Runway
from tests.stand_ins import runway
from tests.stand_ins.process import StandIn
from tests.support import vendors
from tests.support.vendors import Visit

MODELS = [model for model in models.models() if model.provider == "runway"]


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StandIn]:
    folder = tmp_path_factory.mktemp("runway")
    with runway.serve(folder, pending_seconds=5, running_seconds=30, concurrency=None) as vendor:
        yield vendor


@pytest.fixture
def visit(running: StandIn) -> Visit:
    running.set(daily_generations=None, credits=100_000)
    return Visit(running)


@pytest.fixture
def camera(running: StandIn) -> Runway:
    provider = video_provider("runway", vendors.context(runway=running))
    assert isinstance(provider, Runway)
    return provider


# -- submit ----------------------------------------------------------------------------------------
@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.model)
def test_every_model_makes_every_ratio_that_it_says(
    model: models.Model, visit: Visit, camera: Runway
) -> None:
    for number, ratio in enumerate(model.ratios):
        seconds = model.seconds[number % len(model.seconds)]
        job = camera.submit(vendors.clip_request(model=model.model, ratio=ratio, seconds=seconds))
        charge = visit.charges()[-1]
        assert charge.job == job.id
        assert charge.amount == job.estimated.units
        assert job.estimated == model.clip_cost(seconds)
        assert JobRef.from_json(job.as_json()) == job


def test_a_large_picture_is_uploaded_without_our_key(visit: Visit, camera: Runway) -> None:
    large = vendors.picture(grain=90, extra=4_000_000)
    assert len(large.data) > 4_000_000
    camera.submit(vendors.clip_request(image=large))
    camera.submit(vendors.clip_request())
    assert visit.calls("uploads") == visit.calls("upload") == 1
    assert len(visit.charges()) == 2
    assert visit.vendor.leaks() == []


@pytest.mark.parametrize(
    ("endpoint", "mode"),
    [("uploads", mode) for mode in ("500", "503", "reset", "hang", "truncated", "html")]
    + [("upload", mode) for mode in ("500", "503", "reset", "hang")],
)
def test_a_failed_upload_is_before_anything_was_paid(
    endpoint: str, mode: str, visit: Visit, camera: Runway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_runway_api, "_FREE_SECONDS", 0.5)
    monkeypatch.setattr(_runway_api, "_UPLOAD_SECONDS", 0.5)
    visit.vendor.fault(endpoint, mode)
    with pytest.raises(NotAccepted):
        camera.submit(vendors.clip_request(image=vendors.picture(grain=90, extra=4_000_000)))
    assert visit.charges() == []


@pytest.mark.parametrize(
    ("wish", "field"),
    [
        (vendors.clip_request(seconds=11), "seconds"),
        (vendors.clip_request(model="veo3.1", seconds=5), "seconds"),
        (vendors.clip_request(model="veo3.1", ratio="960:960", seconds=4), "ratio"),
    ],
)
def test_what_the_model_does_not_make_is_refused_before_the_call(
    wish: ClipRequest, field: str, visit: Visit, camera: Runway
) -> None:
    with pytest.raises(InvalidInput) as caught:
        camera.submit(wish)
    assert caught.value.field == field
    assert visit.calls("image_to_video") == 0


@pytest.mark.parametrize("letter", ["word ", "🎈", "é", "猫"])
def test_a_long_prompt_is_cut_in_the_units_that_runway_counts(
    letter: str, visit: Visit, camera: Runway
) -> None:
    camera.submit(vendors.clip_request(prompt=letter * 2000))
    sent = visit.charges()[-1].prompt
    assert 980 < len(sent.encode("utf-16-le")) // 2 <= 1000
    assert sent.endswith("characters and place keep their look.")


def test_no_credits_and_no_key_are_told_apart(visit: Visit, camera: Runway) -> None:
    visit.vendor.set(credits=0)
    assert refused(camera) == "provider.credits"
    other = vendors.with_secrets(vendors.context(runway=visit.vendor), {"RUNWAY_API_KEY": "key_x"})
    assert refused(Runway(other)) == "provider.key"
    assert refused(Runway(vendors.with_secrets(other, {}))) == "provider.key"
    assert visit.calls("image_to_video") == 2
    assert visit.charges() == []


def test_a_day_that_is_used_up_is_no_burst(visit: Visit, camera: Runway) -> None:
    visit.vendor.set(daily_generations=0)
    assert refused(camera) == "provider.quota"
    visit.vendor.set(daily_generations=100_000)
    visit.vendor.fault("image_to_video", "429", retry_after=9)
    with pytest.raises(NotAccepted) as caught:
        camera.submit(vendors.clip_request())
    assert caught.value.retry_after == 9


def test_the_picture_of_a_wide_clip_is_cut_back_to_itself() -> None:
    size = RATIOS["1584:672"]
    noise = Image.effect_noise(size, 80).convert("RGB")
    out = io.BytesIO()
    noise.save(out, "PNG")
    sent = within_ratio(EncodedImage(out.getvalue()), size)
    with Image.open(io.BytesIO(sent.data)) as image:
        assert image.width / image.height <= 2
        top = (image.height - size[1]) // 2
        assert image.crop((0, top, size[0], top + size[1])).tobytes() == noise.tobytes()


def refused(camera: Runway) -> str:
    with pytest.raises(ProviderRefused) as caught:
        camera.submit(vendors.clip_request())
    assert caught.value.billed is False
    return caught.value.error_code


def test_a_lost_task_is_counted_but_cannot_be_had(visit: Visit, camera: Runway) -> None:
    wished = vendors.clip_request()
    before = camera.reconcile(wished, 30).accepted_count
    assert before is not None
    visit.vendor.fault("image_to_video", "charge_then_reset")
    with pytest.raises(OutcomeUnknown):
        camera.submit(wished)
    trace = camera.reconcile(wished, 30)
    assert (trace.job, trace.accepted_count) == (None, before + 1)
    assert visit.calls("image_to_video") == 1
