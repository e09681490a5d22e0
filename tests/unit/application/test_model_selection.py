"""Which models a wish gets: what cannot be had is refused by name, with what can."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, get_args

import pytest

from api.services import models as models_service
from common.application import model_selection
from common.domain import models
from common.domain.caller import Caller
from common.domain.errors import InvalidInput
from common.domain.models import ModelSelection
from common.schemas.requests import CreateVideoRequest
from common.settings import ProviderSettings
from infra import config

KINDS = get_args(models.Kind)
SETTINGS = ProviderSettings.model_validate(
    {
        "STAGE": "local",
        "MEDIA_BUCKET": "media",
        "PROVIDERS_SECRET_ARN": "arn",
        **dict.fromkeys(
            ("TEXT_PROVIDER", "IMAGE_PROVIDER", "VIDEO_PROVIDER", "SPEECH_PROVIDER"), "offline"
        ),
    }
)
KEYS = {"OPENAI_API_KEY": "sk-1", "RUNWAY_API_KEY": "key_1"}
ENDING = "gpt-5.4-nano"


@pytest.fixture(autouse=True)
def _in_virginia(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_REGION", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "us-east-1")


# What `infra` deploys unless somebody says otherwise.
AS_DEPLOYED = SETTINGS.model_copy(
    update={
        name: getattr(config.STAGES["prod"], name)
        for name in (f"{kind}_provider" for kind in KINDS)
    }
)


def choose(
    keys: Mapping[str, str] = KEYS,
    settings: ProviderSettings = SETTINGS,
    *,
    live: bool = True,
    **wish: Any,
) -> ModelSelection:
    caller = Caller("key_1", "alice", live, frozenset(), {}, 5, None, None)
    return model_selection.select_models(settings, keys, caller, wished(**wish))


def wished(**wish: Any) -> CreateVideoRequest:
    return CreateVideoRequest.model_validate({"prompt": "x", **wish})


def shut_down(monkeypatch: pytest.MonkeyPatch, days: int) -> None:
    """Let the model that has a date end in so many days."""
    day = str((datetime.now(UTC) + timedelta(days=days)).date())
    known = tuple(
        replace(model, shutdown=day) if model.model == ENDING else model
        for model in models.models()
    )
    monkeypatch.setattr(models, "models", lambda: known)


@pytest.mark.parametrize(
    ("wish", "field", "code", "allowed"),
    [
        ({"models": {"video": {"provider": "sora"}}}, "models.video", "request.invalid", "runway"),
        (
            {"models": {"image": {"provider": "openai", "model": "dall-e-3"}}},
            "models.image",
            "request.invalid",
            "gpt-image-2",
        ),
        (
            {"models": {"video": {"provider": "luma"}}},  # not in this region
            "models.video",
            "provider.not_here",
            "runway/gen4.5",
        ),
        (
            {"models": {"video": {"provider": "runway", "model": "veo3.1"}}, "seconds": 5},
            "seconds",
            "request.invalid",
            6,
        ),
        (
            {
                "models": {"video": {"provider": "runway", "model": "veo3.1"}},
                "seconds": 4,
                "ratio": "960:960",
            },
            "ratio",
            "request.invalid",
            "720:1280",
        ),
    ],
)
def test_what_cannot_be_had_is_named_with_what_can(
    wish: dict[str, Any], field: str, code: str, allowed: object
) -> None:
    with pytest.raises(InvalidInput) as caught:
        choose(**wish)
    error = caught.value
    assert (error.field, error.error_code) == (field, code)
    assert isinstance(error.allowed, list)
    assert allowed in error.allowed


@pytest.mark.parametrize("key", [None, "", "  ", "\t\n", "clé", "a\0b"])
def test_without_its_key_a_provider_is_refused(key: str | None) -> None:
    """What could never be sent in a header is no key; the provider itself would not take it."""
    keys = {} if key is None else {"RUNWAY_API_KEY": key}
    with pytest.raises(InvalidInput, match="needs the key RUNWAY_API_KEY") as caught:
        choose(keys, models={"video": {"provider": "runway"}})
    assert caught.value.error_code == "provider.key_missing"
    assert caught.value.allowed == ["offline/camera-1"]


@pytest.mark.parametrize("live", [True, False])
@pytest.mark.parametrize("days", [0, -30])
def test_a_model_is_refused_from_the_day_on_which_it_ends(
    days: int, live: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    shut_down(monkeypatch, days)
    with pytest.raises(InvalidInput, match=f"{ENDING} was shut down") as caught:
        choose(live=live, models={"text": {"provider": "openai", "model": ENDING}})
    assert caught.value.error_code == "provider.model_retired"
    assert isinstance(caught.value.allowed, list)
    assert "openai/gpt-6-luna" in caught.value.allowed
    assert f"openai/{ENDING}" not in caught.value.allowed


@pytest.mark.parametrize(("days", "warned"), [(1, True), (90, True), (91, False)])
def test_who_takes_a_model_that_ends_soon_is_warned(
    days: int, warned: bool, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    shut_down(monkeypatch, days)
    wish: dict[str, Any] = {"models": {"text": {"provider": "openai", "model": ENDING}}}
    estimate = models_service.estimate(choose(**wish), wished(**wish))
    assert [ENDING in words for words in estimate.warnings] == ([True] if warned else [])
    assert ("model ends soon" in caplog.text) is warned


def test_a_test_key_gets_what_costs_nothing() -> None:
    choice = choose({}, live=False, models={"video": {"provider": "runway"}})
    assert not any(model.is_paid for model in choice.all())


@pytest.mark.parametrize("kind", ["text", "image", "video", "speech"])
@pytest.mark.parametrize("live", [True, False])
@pytest.mark.parametrize("wished", [{"provider": "sora"}, {"provider": "openai", "model": "x-1"}])
def test_what_nobody_offers_is_refused_to_every_key(
    kind: str, live: bool, wished: dict[str, str]
) -> None:
    """Also where it would not be taken: for a test key, and for a voice that nobody asked for."""
    with pytest.raises(InvalidInput) as caught:
        choose(live=live, models={kind: wished})
    assert caught.value.field == f"models.{kind}"
    assert isinstance(caught.value.allowed, list)
    assert caught.value.allowed


NARRATED: dict[str, Any] = {"output": {"narration": {}}}


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ({}, ["offline", "offline", "offline", "offline"]),
        ({"OPENAI_API_KEY": " ", "RUNWAY_API_KEY": ""}, ["offline"] * 4),
        ({"OPENAI_API_KEY": "sk-1"}, ["openai", "openai", "openai", "offline"]),
        ({"RUNWAY_API_KEY": "key_1"}, ["offline", "offline", "offline", "runway"]),
        (KEYS, ["openai", "openai", "openai", "runway"]),
    ],
)
def test_in_the_cloud_a_key_in_the_secret_makes_its_provider_the_one_that_is_taken(
    keys: dict[str, str], expected: list[str]
) -> None:
    choice = choose(keys, AS_DEPLOYED, **NARRATED)
    assert [model.provider for model in choice.all()] == expected
    caller = Caller("key_1", "alice", True, frozenset(), {}, 5, None, None)
    assert model_selection.clip_durations(AS_DEPLOYED, keys, caller) == choice.video.seconds


def test_on_one_machine_a_key_alone_takes_no_provider() -> None:
    """It may be in the environment for other programs; `.env` says which are taken."""
    local = config.STAGES["local"]
    assert {getattr(local, f"{kind}_provider") for kind in KINDS} == {"offline"}


def test_what_a_request_or_the_stage_names_goes_before_the_keys() -> None:
    named = choose(KEYS, AS_DEPLOYED, models={"video": {"provider": "offline"}})
    assert (named.video.provider, named.text.provider) == ("offline", "openai")
    assert not choose(KEYS, SETTINGS, **NARRATED).is_paid
    assert not choose(KEYS, AS_DEPLOYED, live=False, **NARRATED).is_paid


def test_an_estimate_is_in_dollars_and_in_the_providers_units() -> None:
    wish: dict[str, Any] = {"models": {"video": {"provider": "runway"}}}
    estimate = models_service.estimate(choose(**wish), wished(**wish))
    scene = estimate.scenes[0]
    assert scene.clip == "0.2500"
    assert scene.clip_units
    assert (scene.clip_units.amount, scene.clip_units.unit) == ("25", "credit")
