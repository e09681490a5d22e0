"""Expected results for the recorded vendor responses (`tests/contract/test_vectors.py`)."""

from collections.abc import Mapping

from common.domain.errors import (
    MediaError,
    NotAccepted,
    OutcomeUnknown,
    ProviderRefused,
    VideoError,
)
from common.providers import JobStatus, Retry

# A failed call: error class, error code, and the seconds of the vendor's Retry-After.
No = tuple[type[VideoError], str, int | None]
NOT_ACCEPTED = "provider.not_accepted"
UNKNOWN: No = (OutcomeUnknown, "provider.outcome_unknown", None)


def no(code: str) -> No:
    return ProviderRefused, code, None


# Responses to a story request. A chat completion is not accepted as a response.
TEXT: Mapping[str, No | int] = {
    "openai_responses_completed": 2,  # valid, but not in our schema: a second call corrects it
    "openai_responses_commentary_then_final": 2,
    "openai_responses_incomplete_max_tokens": 2,
    "openai_responses_incomplete_reasoning_only": 2,
    "openai_responses_refusal": no("safety.input"),
    "openai_responses_incomplete_content_filter": no("safety.output"),
    "openai_responses_failed": no("provider.internal"),
    "openai_error_429_rate_limit_tokens": (NotAccepted, NOT_ACCEPTED, 2),
    "openai_chat_completed": UNKNOWN,
    "openai_chat_content_filter": UNKNOWN,
    "openai_chat_length": UNKNOWN,
    "openai_chat_refusal": UNKNOWN,
    "openai_models_list": UNKNOWN,
}
# Responses to an image request. The images of these vectors have one pixel.
IMAGE: Mapping[str, No] = {
    "openai_images_response": (MediaError, "image.unusable", None),
    "openai_images_response_n2": (MediaError, "image.unusable", None),
    "openai_images_response_empty": no("provider.output"),
    "openai_images_response_null_b64": no("provider.output"),
    "openai_error_429_rate_limit_images": (NotAccepted, NOT_ACCEPTED, 12),
}
# Responses to both.
OPENAI: Mapping[str, No] = {
    "openai_error_400_invalid_image": no("provider.request"),
    "openai_error_400_invalid_size": no("provider.request"),
    "openai_error_400_moderation_blocked_input": no("safety.input"),
    "openai_error_400_moderation_blocked_no_details": no("safety.input"),
    "openai_error_400_moderation_blocked_output": no("safety.output"),
    "openai_error_400_unknown_parameter": no("provider.request"),
    "openai_error_400_unsupported_mimetype": no("provider.request"),
    "openai_error_401_invalid_key": no("provider.key"),
    "openai_error_403_org_not_verified": no("provider.forbidden"),
    "openai_error_403_region": no("provider.forbidden"),
    "openai_error_404_model": no("provider.model"),
    "openai_error_429_credit_balance_exhausted": no("provider.credits"),
    "openai_error_429_insufficient_quota": no("provider.credits"),
    "openai_error_500_server_error": UNKNOWN,
    "openai_error_502_html": UNKNOWN,
    "openai_error_503_overloaded": (NotAccepted, NOT_ACCEPTED, 3),
}
# Responses to the submission of a task. An account is no task.
SUBMIT: Mapping[str, No | None] = {
    "runway_task_created": None,
    "runway_error_400_asset_aspect": no("provider.request"),
    "runway_error_400_asset_fetch_404": no("provider.request"),
    "runway_error_400_asset_too_big": no("provider.request"),
    "runway_error_400_insufficient_credits": no("provider.credits"),
    "runway_error_400_prompt_too_long": no("provider.request"),
    "runway_error_400_validation_missing_model": no("provider.model"),
    "runway_error_400_validation_ratio": no("provider.request"),
    "runway_error_401": no("provider.key"),
    "runway_error_404_task": no("provider.refused"),
    "runway_error_413": no("provider.request"),
    "runway_error_429": (NotAccepted, NOT_ACCEPTED, None),
    "runway_error_502": (NotAccepted, NOT_ACCEPTED, None),
    "runway_error_503": (NotAccepted, NOT_ACCEPTED, None),
    "runway_error_504": (NotAccepted, NOT_ACCEPTED, None),
    "runway_organization": UNKNOWN,
    "runway_organization_usage": UNKNOWN,
}
# Responses to a poll: status, error code, retry advice, credits.
POLL: Mapping[str, tuple[JobStatus, str | None, Retry | None, int | None]] = {
    "runway_task_pending": (JobStatus.QUEUED, None, None, None),
    "runway_task_throttled": (JobStatus.THROTTLED, None, None, None),
    "runway_task_running": (JobStatus.RUNNING, None, None, None),
    "runway_task_succeeded": (JobStatus.SUCCEEDED, None, None, 25),
    "runway_task_cancelled": (JobStatus.CANCELED, None, None, 0),
    "runway_task_failed_asset_invalid": (JobStatus.FAILED, "provider.input", Retry.NO, 0),
    "runway_task_failed_bad_output": (JobStatus.FAILED, "clip.bad_output", Retry.CHANGED_INPUT, 0),
    "runway_task_failed_internal": (JobStatus.FAILED, "provider.internal", Retry.LATER, 0),
    "runway_task_failed_no_code": (JobStatus.FAILED, "provider.internal", Retry.LATER, 0),
    "runway_task_failed_preprocessing_internal": (
        *(JobStatus.FAILED, "provider.internal", Retry.LATER, 0),
    ),
    "runway_task_failed_preprocessing_safety": (JobStatus.FAILED, "safety.input", Retry.NO, 0),
    "runway_task_failed_safety_input_image": (JobStatus.FAILED, "safety.input", Retry.NO, 25),
    "runway_task_failed_safety_output": (
        *(JobStatus.FAILED, "safety.output", Retry.CHANGED_INPUT, 25),
    ),
    "runway_task_failed_third_party": (JobStatus.FAILED, "provider.unavailable", Retry.LATER, 0),
    "runway_error_404_task": (JobStatus.FAILED, "provider.job_gone", Retry.NO, None),
}
# Vectors with a test of their own.
APART = {"runway_error_429_daily", "runway_uploads_response"}
