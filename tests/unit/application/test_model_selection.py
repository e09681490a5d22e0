"""Model selection: defaults, keys, retired models and errors that list the alternatives."""

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
RETIRING_MODEL = "gpt-5.4-nano"


@pytest.fixture(autouse=True)
def _in_us_east_1(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_REGION", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "us-east-1")


# The defaults that `infra` deploys.
DEPLOYED_SETTINGS = SETTINGS.model_copy(
    update={
        name: getattr(config.STAGES["prod"], name)
        for name in (f"{kind}_provider" for kind in KINDS)
    }
)


def select_models(
    keys: Mapping[str, str] = KEYS,
    settings: ProviderSettings = SETTINGS,
    *,
    live: bool = True,
    **fields: Any,
) -> ModelSelection:
    caller = Caller("key_1", "alice", live, frozenset(), {}, 5, None, None)
    return model_selection.select_models(settings, keys, caller, request(**fields))


def request(**fields: Any) -> CreateVideoRequest:
    return CreateVideoRequest.model_validate({"prompt": "x", **fields})


def set_shutdown(monkeypatch: pytest.MonkeyPatch, days: int) -> None:
    """Set the shutdown date of RETIRING_MODEL to `days` from now."""
    day = str((datetime.now(UTC) + timedelta(days=days)).date())
    known = tuple(
        replace(model, shutdown=day) if model.model == RETIRING_MODEL else model
        for model in models.models()
    )
    monkeypatch.setattr(models, "models", lambda: known)


@pytest.mark.parametrize(
    ("request_fields", "field", "code", "alternative"),
    [
        ({"models": {"video": {"provider": "sora"}}}, "models.video", "request.invalid", "runway"),
        (
            {"models": {"image": {"provider": "openai", "model": "dall-e-3"}}},
            "models.image",
            "request.invalid",
            "gpt-image-2",
        ),
        (
            {"models": {"video": {"provider": "luma"}}},  # not available in this region
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
def test_unavailable_choice_is_rejected_with_alternatives(
    request_fields: dict[str, Any], field: str, code: str, alternative: object
) -> None:
    with pytest.raises(InvalidInput) as caught:
        select_models(**request_fields)
    error = caught.value
    assert (error.field, error.error_code) == (field, code)
    assert isinstance(error.allowed, list)
    assert alternative in error.allowed


@pytest.mark.parametrize("key", [None, "", "  ", "\t\n", "clé", "a\0b"])
def test_provider_without_its_key_is_rejected(key: str | None) -> None:
    """A value that cannot be sent in an HTTP header is not a key."""
    keys = {} if key is None else {"RUNWAY_API_KEY": key}
    with pytest.raises(InvalidInput, match="needs the key RUNWAY_API_KEY") as caught:
        select_models(keys, models={"video": {"provider": "runway"}})
    assert caught.value.error_code == "provider.key_missing"
    assert caught.value.allowed == ["offline/camera-1"]


@pytest.mark.parametrize("live", [True, False])
@pytest.mark.parametrize("days", [0, -30])
def test_model_is_rejected_from_its_shutdown_date(
    days: int, live: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_shutdown(monkeypatch, days)
    with pytest.raises(InvalidInput, match=f"{RETIRING_MODEL} was shut down") as caught:
        select_models(live=live, models={"text": {"provider": "openai", "model": RETIRING_MODEL}})
    assert caught.value.error_code == "provider.model_retired"
    assert isinstance(caught.value.allowed, list)
    assert "openai/gpt-6-luna" in caught.value.allowed
    assert f"openai/{RETIRING_MODEL}" not in caught.value.allowed


@pytest.mark.parametrize(("days", "expect_warning"), [(1, True), (90, True), (91, False)])
def test_model_near_its_shutdown_date_is_warned_about(
    days: int,
    expect_warning: bool,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    set_shutdown(monkeypatch, days)
    request_fields: dict[str, Any] = {
        "models": {"text": {"provider": "openai", "model": RETIRING_MODEL}}
    }
    estimate = models_service.estimate(select_models(**request_fields), request(**request_fields))
    assert [RETIRING_MODEL in warning for warning in estimate.warnings] == (
        [True] if expect_warning else []
    )
    assert ("model ends soon" in caplog.text) is expect_warning


def test_test_key_selects_only_free_models() -> None:
    selection = select_models({}, live=False, models={"video": {"provider": "runway"}})
    assert not any(model.is_paid for model in selection.all())


@pytest.mark.parametrize("kind", ["text", "image", "video", "speech"])
@pytest.mark.parametrize("live", [True, False])
@pytest.mark.parametrize(
    "selection", [{"provider": "sora"}, {"provider": "openai", "model": "x-1"}]
)
def test_unknown_model_is_rejected_for_every_key(
    kind: str, live: bool, selection: dict[str, str]
) -> None:
    """Unused models are validated too: with a test key, and for speech without narration."""
    with pytest.raises(InvalidInput) as caught:
        select_models(live=live, models={kind: selection})
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
def test_deployed_stage_defaults_to_providers_with_keys(
    keys: dict[str, str], expected: list[str]
) -> None:
    selection = select_models(keys, DEPLOYED_SETTINGS, **NARRATED)
    assert [model.provider for model in selection.all()] == expected
    caller = Caller("key_1", "alice", True, frozenset(), {}, 5, None, None)
    assert (
        model_selection.clip_durations(DEPLOYED_SETTINGS, keys, caller) == selection.video.seconds
    )


def test_local_stage_defaults_to_offline_despite_keys() -> None:
    """Keys in the environment may be meant for other programs; `.env` selects the providers."""
    local = config.STAGES["local"]
    assert {getattr(local, f"{kind}_provider") for kind in KINDS} == {"offline"}


def test_request_and_stage_choices_override_keys() -> None:
    selection = select_models(KEYS, DEPLOYED_SETTINGS, models={"video": {"provider": "offline"}})
    assert (selection.video.provider, selection.text.provider) == ("offline", "openai")
    assert not select_models(KEYS, SETTINGS, **NARRATED).is_paid
    assert not select_models(KEYS, DEPLOYED_SETTINGS, live=False, **NARRATED).is_paid


def test_estimate_is_in_dollars_and_provider_units() -> None:
    request_fields: dict[str, Any] = {"models": {"video": {"provider": "runway"}}}
    estimate = models_service.estimate(select_models(**request_fields), request(**request_fields))
    scene = estimate.scenes[0]
    assert scene.clip == "0.2500"
    assert scene.clip_units
    assert (scene.clip_units.amount, scene.clip_units.unit) == ("25", "credit")
