"""Limits of providers: where they come from, and when a place is expected to be free."""

import pytest

from common.domain import models, provider_limits
from common.domain.provider_limits import Limit, SlotUsage, seconds_until_free
from infra import config

IMAGE, VIDEO = models.paid().image, models.paid().video


def test_the_registrys_limits_are_those_of_the_smallest_account() -> None:
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
def test_a_stage_changes_them_for_a_provider_or_one_model(changes: str, most: int) -> None:
    assert provider_limits.limits_of(IMAGE, changes) == (Limit("images_per_minute", most),)


def test_zero_is_no_limit_and_a_limit_may_be_new() -> None:
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
def test_what_changes_nothing_is_refused_before_it_is_deployed(changes: str) -> None:
    with pytest.raises(ValueError, match="is no limit; write PROVIDER"):
        config.stage("dev", {"provider_limits": changes})


@pytest.mark.parametrize(
    ("held", "asked", "seconds"),
    [
        ([], 1, 0),
        ([(1, 40.0)], 1, 0),
        ([(1, 40.0), (1, 20.0)], 1, 20.0),  # the first that ends makes room
        ([(1, 40.0), (1, 20.0)], 2, 40.0),  # one asked before us
        ([(1, 40.0), (1, 20.0)], 3, 100.0),  # two did: one turn more
        ([(1, 40.0), (1, 20.0)], 5, 160.0),
        ([(2, 40.0)], 1, 40.0),
        ([(1, 0.0), (1, 0.0)], 1, 1),  # overdue: any moment now, but not now
        ([], 4, 60.0),  # all places are for those before us
    ],
)
def test_when_a_place_is_free(held: list[tuple[int, float]], asked: int, seconds: float) -> None:
    places = [SlotUsage(size, left) for size, left in held]
    assert seconds_until_free(places, 2, asked, 60.0) == seconds
