"""Next action for each error code that can end a run, for programs and for people.

The table is the only place that says so: `retryable`, `next_action` and the last sentence of the
error's text follow from the code. Touches nothing.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class NextAction(StrEnum):
    """The step from a failed run to a finished video. All but the last end in a resume."""

    RESUME = "resume"
    RESUME_LATER = "resume_later"
    RESUBMIT = "resume_with_on_unknown"
    CHANGE_PROMPT = "change_prompt"
    CHANGE_NARRATION = "change_narration"
    CHANGE_MODEL = "change_model"
    RAISE_MAX_COST = "raise_max_cost"
    ADD_CREDITS = "add_credits"
    FIX_KEY = "fix_key"
    FIX_ACCOUNT = "fix_account"
    CONTACT_OPERATOR = "contact_operator"
    CHANGE_OUTPUT = "change_output"


@dataclass(frozen=True, slots=True)
class Advice:
    """`retryable`: a resume without changes can succeed, at once or later."""

    action: NextAction
    retryable: bool
    sentence: str


_KEPT = "what was finished is kept."
_ACTIONS: Mapping[NextAction, Advice] = {
    advice.action: advice
    for advice in (
        Advice(NextAction.RESUME, True, f"Resume the video; {_KEPT}"),
        Advice(NextAction.RESUME_LATER, True, f"Resume the video later; {_KEPT}"),
        Advice(
            NextAction.RESUBMIT,
            False,
            "To make the call once more, which may be charged twice, resume the video with "
            f'{{"on_unknown": "resubmit_once"}}; {_KEPT}',
        ),
        Advice(
            NextAction.CHANGE_PROMPT,
            False,
            "Resume the video with another prompt: `scenes` changes the `prompt` and "
            f"`motion_prompt` of a scene, `prompt` the story before it is written; {_KEPT}",
        ),
        Advice(
            NextAction.CHANGE_NARRATION,
            False,
            f"Resume the video with another `narration` of the scene in `scenes`; {_KEPT}",
        ),
        Advice(NextAction.CHANGE_MODEL, False, f"Resume the video with other `models`; {_KEPT}"),
        Advice(
            NextAction.RAISE_MAX_COST, False, f"Resume the video with a higher `max_cost`; {_KEPT}"
        ),
        Advice(
            NextAction.ADD_CREDITS,
            True,
            "Add credits at the provider, or raise its spend limit, then resume the video; "
            f"{_KEPT}",
        ),
        Advice(
            NextAction.FIX_KEY,
            True,
            "Put a valid key into the deployment's provider secret, then resume the video; "
            f"{_KEPT}",
        ),
        Advice(
            NextAction.FIX_ACCOUNT,
            True,
            "Resolve it in the account at the provider, then resume the video, or resume it with "
            f"other `models`; {_KEPT}",
        ),
        Advice(
            NextAction.CONTACT_OPERATOR,
            False,
            f"Tell the operator of this deployment the run's id; {_KEPT} "
            "Once it is repaired, resume the video.",
        ),
        Advice(
            NextAction.CHANGE_OUTPUT,
            False,
            "POST /api/merge_video_clips with another `output` joins the clips that are there.",
        ),
    )
}
_CODES: Mapping[NextAction, tuple[str, ...]] = {
    NextAction.RESUME: (
        "clip.canceled",
        "clip.bad_output",
        "clip.no_picture",
        "clip.not_finished",
        "clip.not_started",
        "clip.output_lost",
        "clip.timeout",
        "image.unusable",
        "ledger.unsettled",
        "media.invalid",
        "media.timeout",
        "merge.missing_clip",
        "merge.nothing",
        "provider.failed",
        "provider.job_hidden",
        "provider.output",
        "run.stopped",
        "speech.not_the_text",
        "speech.too_long",
        "speech.unusable",
        "step.busy",
        "step.crashed",
        "step.timeout",
        "story.invalid",
        "story.not_corrected",
        "video.incomplete",
    ),
    NextAction.RESUME_LATER: (
        "database.conflict",
        "database.unavailable",
        "functions.unavailable",
        "pipeline.unavailable",
        "provider.internal",
        "provider.limit",
        "provider.not_accepted",
        "provider.quota",
        "provider.unavailable",
        "provider.unreachable",
        "secrets.unavailable",
        "storage.unavailable",
    ),
    NextAction.RESUBMIT: (
        "provider.accepted_id_lost",
        "provider.job_gone",
        "provider.outcome_unknown",
    ),
    NextAction.CHANGE_PROMPT: (
        "image.broken",
        "merge.broken_clip",
        "merge.encoding",
        "provider.input",
        "safety.input",
        "safety.output",
        "story.truncated",
    ),
    NextAction.CHANGE_NARRATION: ("speech.failed",),
    NextAction.CHANGE_MODEL: ("media.too_large", "provider.model", "request.invalid"),
    NextAction.RAISE_MAX_COST: ("budget.exceeded",),
    NextAction.ADD_CREDITS: ("provider.credits",),
    NextAction.FIX_KEY: ("provider.key",),
    NextAction.FIX_ACCOUNT: ("provider.forbidden",),
    NextAction.CONTACT_OPERATOR: (
        "database.refused",
        "database.value",
        "ffmpeg.missing",
        "finish.nothing",
        "internal",
        "merge.incomplete",
        "merge.index",
        "merge.time_stamps",
        "not_found",
        "provider.refused",
        "provider.request",
        "speech.missing",
        "speech.no_voice",
        "storage.not_found",
        "storage.refused",
    ),
    NextAction.CHANGE_OUTPUT: ("media.memory", "merge.music"),
}
CODES: Mapping[str, Advice] = {
    code: _ACTIONS[action] for action, codes in _CODES.items() for code in codes
}
"""Every code that a run can end with."""


def of(code: str) -> Advice:
    """Return what to do about an error; one that is not known is a matter for the operator."""
    return CODES.get(code, _ACTIONS[NextAction.CONTACT_OPERATOR])


def final(facts: Mapping[str, Any]) -> dict[str, Any]:
    """Return the facts of a failed step as they are shown once nothing more is tried."""
    advice = of(facts["code"])
    detail = facts["detail"]
    if advice.sentence not in detail:
        detail = f"{detail} {advice.sentence}"
    return {
        **facts,
        "detail": detail,
        "retryable": advice.retryable,
        "next_action": advice.action.value,
    }
