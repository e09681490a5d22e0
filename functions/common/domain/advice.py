"""The next action for each error code that can end a run.

This table is the single source: `retryable`, `next_action` and the last sentence of the error's
detail are derived from the code.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class NextAction(StrEnum):
    """The action that leads from a failed run to a finished video.

    After all actions except `CHANGE_OUTPUT`, the user resumes the video.
    """

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
    """The advice for an error. `retryable` is true if a resume without changes can succeed."""

    action: NextAction
    retryable: bool
    sentence: str


_KEPT = "finished work is kept."
_ACTIONS: Mapping[NextAction, Advice] = {
    advice.action: advice
    for advice in (
        Advice(NextAction.RESUME, True, f"Resume the video; {_KEPT}"),
        Advice(NextAction.RESUME_LATER, True, f"Resume the video later; {_KEPT}"),
        Advice(
            NextAction.RESUBMIT,
            False,
            "To repeat the call, which may be charged twice, resume the video with "
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
            "Resolve the issue in the provider's account, then resume the video, or resume it with "
            f"other `models`; {_KEPT}",
        ),
        Advice(
            NextAction.CONTACT_OPERATOR,
            False,
            f"Contact the operator of this deployment with the run's id; {_KEPT} "
            "Resume the video after the problem is fixed.",
        ),
        Advice(
            NextAction.CHANGE_OUTPUT,
            False,
            "POST /api/merge_video_clips with another `output` merges the existing clips.",
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
    """Return the advice for an error code; for an unknown code, to contact the operator."""
    return CODES.get(code, _ACTIONS[NextAction.CONTACT_OPERATOR])


def final(facts: Mapping[str, Any]) -> dict[str, Any]:
    """Return the failure record of a step that is not retried any more, with its advice."""
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
