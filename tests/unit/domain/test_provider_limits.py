"""Limits of providers: their sources, and the expected wait for a provider slot."""

import pytest

from common.domain import models, provider_limits
from common.domain.provider_limits import Limit, SlotUsage, seconds_until_free
from infra import config

IMAGE, VIDEO = models.paid().image, models.paid().video


def test_registry_limits_are_those_of_the_smallest_account() -> None:
    assert provider_limits.limits_of(IMAGE, "") == (Limit("images_per_minute", 5),)
    assert provider_limits.limits_of(VIDEO, "") == (Limit("jobs_at_once", 2),)
    for model in models.models():
        assert model.is_paid or not provider_limits.limits_of(model, "")


@pytest.mark.parametrize(
    ("changes", "most"),
    [
        ("openai.images_per_minute=50", 50),
        (" openai.images_per_minute = 50 , runway.jobs_at_once=1", 50),
        (f"openai.images_per_minute=50,openai/{IMAGE.model}.images_per_minute=7", 7),
        ("openai/gpt-image-2.images_per_minute=50", 5),
        ("runway.jobs_at_once=9", 5),
    ],
)
def test_stage_overrides_limits_of_a_provider_or_model(changes: str, most: int) -> None:
    assert provider_limits.limits_of(IMAGE, changes) == (Limit("images_per_minute", most),)


def test_limit_zero_removes_it_and_new_limits_are_added() -> None:
    assert provider_limits.limits_of(IMAGE, "openai.images_per_minute=0") == ()
    assert provider_limits.limits_of(
        IMAGE, "openai.images_per_minute=0,openai.calls_per_minute=3"
    ) == (Limit("calls_per_minute", 3),)


@pytest.mark.parametrize(
    "changes",
    [
        "openai=5",
        "openai.pictures=5",
        "sora.jobs_at_once=5",
        "openai/x.images_per_minute=5",
        "openai.images_per_minute=many",
        "openai.images_per_minute=-1",
        "openai.images_per_minute",
    ],
)
def test_invalid_limit_override_is_rejected_before_deployment(changes: str) -> None:
    with pytest.raises(ValueError, match="is not a limit; write PROVIDER"):
        config.stage("dev", {"provider_limits": changes})


@pytest.mark.parametrize(
    ("active", "needed", "seconds"),
    [
        ([], 1, 0),
        ([(1, 40.0)], 1, 0),
        ([(1, 40.0), (1, 20.0)], 1, 20.0),  # the first slot that is released
        ([(1, 40.0), (1, 20.0)], 2, 40.0),  # one step ahead in the queue
        ([(1, 40.0), (1, 20.0)], 3, 100.0),  # two ahead: one more period
        ([(1, 40.0), (1, 20.0)], 5, 160.0),
        ([(2, 40.0)], 1, 40.0),
        ([(1, 0.0), (1, 0.0)], 1, 1),  # overdue, so free any moment, but not yet
        ([], 4, 60.0),  # all slots go to the steps ahead
    ],
)
def test_expected_wait_for_a_provider_slot(
    active: list[tuple[int, float]], needed: int, seconds: float
) -> None:
    slots = [SlotUsage(size, left) for size, left in active]
    assert seconds_until_free(slots, 2, needed, 60.0) == seconds
