"""Clips by Luma Ray 2 on Amazon Bedrock, authorized by the function's role; output in our bucket.

Bedrock supports idempotent submits: the token of the attempt is sent with the call, so a repeated
call creates only one job. The model is available in us-west-2 only, and the bucket has to be there.
"""

import base64
import contextlib
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectTimeoutError,
    EndpointConnectionError,
    NoCredentialsError,
    NoRegionError,
    ParamValidationError,
    ProxyConnectionError,
)

from common.aws import clients
from common.domain import models
from common.domain.errors import (
    NotAccepted,
    NotFound,
    OutcomeUnknown,
    PermanentError,
    TransientError,
    VideoError,
)
from common.domain.models import Model
from common.providers import (
    ClipRequest,
    JobRef,
    JobState,
    JobStatus,
    ProviderContext,
    Reconciliation,
    prompts,
    vendor_errors,
    vendor_statuses,
)
from common.providers.video import _limits
from common.storage import MediaFolder

VENDOR = "Luma on Amazon Bedrock"

_WAIT_SECONDS = 10
_ASPECTS = {"1280:720": "16:9", "720:1280": "9:16"}
_STATUSES = {
    "InProgress": JobStatus.RUNNING,
    "Completed": JobStatus.SUCCEEDED,
    "Failed": JobStatus.FAILED,
}
_RESULT = "output.mp4"
# The lifetime of an idempotency token is not documented for Bedrock; no AWS service is known to
# forget one within 15 minutes.
_TOKEN_SECONDS = 600
_MAX_CLOCK_SKEW = timedelta(minutes=5)


@runtime_checkable
class _InS3(Protocol):
    def location(self, key: str) -> str:
        """Return the `s3://` URI of a key."""
        ...


def create(context: ProviderContext) -> "Luma":
    """Return the provider."""
    return Luma(context)


class Luma:
    """The video provider `luma`; a job is an asynchronous invocation of Bedrock."""

    def __init__(self, context: ProviderContext) -> None:
        self._store = context.store
        # Create the client before the attempt is written to the ledger. The call reports a missing
        # region.
        with contextlib.suppress(BotoCoreError):
            clients.bedrock()

    def submit(self, request: ClipRequest) -> JobRef:
        """Start an invocation that writes its result to the video's folder in the bucket.

        Makes exactly one paid call. Raises InvalidInput or PermanentError before it, and
        NotAccepted, ProviderRefused or OutcomeUnknown for it.
        """
        model = models.find("video", "luma", request.model)
        _limits.check(model, request)
        delivery = MediaFolder.of(request.image_key).delivery(request.client_token)
        if not isinstance(self._store, _InS3):
            raise PermanentError(
                f"{VENDOR} writes its output to Amazon S3, but this deployment stores media "
                "elsewhere. Nothing was charged. Choose another video provider.",
                code="provider.model",
                billed=False,
            )
        prompt = prompts.motion(request.prompt, request.mood, utf16_units=model.prompt_utf16_units)
        source = {
            "type": "base64",
            "media_type": request.image.media_type,
            "data": base64.b64encode(request.image.data).decode("ascii"),
        }
        model_input = {
            "prompt": prompt,
            "keyframes": {"frame0": {"type": "image", "source": source}},
            "aspect_ratio": _ASPECTS[request.ratio],
            "duration": f"{request.seconds}s",
            "loop": False,
            **model.request,
        }
        arn = self._start(
            modelId=model.model,
            modelInput=model_input,
            clientRequestToken=request.client_token,
            outputDataConfig={"s3OutputDataConfig": {"s3Uri": self._store.location(delivery)}},
        )
        return self._job(request, model, arn)

    def reconcile(self, request: ClipRequest, age_seconds: int) -> Reconciliation:
        """Find the invocation by its idempotency token; while the token is valid, submit it again.

        A submit with the same token returns the existing invocation, or creates it if there is
        none: one job and one charge in either case. Therefore, while the token is valid, a call
        without a usable response is repeated later (NotAccepted).
        """
        try:
            arn = self._find_by_token(request.client_token, age_seconds)
            if arn is not None:
                return Reconciliation(
                    self._job(request, models.find("video", "luma", request.model), arn)
                )
            return (
                Reconciliation(self.submit(request))
                if age_seconds < _TOKEN_SECONDS
                else Reconciliation()
            )
        except (TransientError, OutcomeUnknown):
            if age_seconds >= _TOKEN_SECONDS:
                raise
            raise NotAccepted(
                f"{VENDOR} did not confirm the clip. The call is repeated with the same "
                "idempotency token, so it is charged at most once.",
                retry_after=_WAIT_SECONDS,
            ) from None

    def _find_by_token(self, token: str, age_seconds: int) -> str | None:
        since = datetime.now(UTC) - timedelta(seconds=age_seconds) - _MAX_CLOCK_SKEW
        page: dict[str, Any] = {}
        while True:
            pagination = {"nextToken": page["nextToken"]} if page else {}
            try:
                page = clients.bedrock().list_async_invokes(submitTimeAfter=since, **pagination)
            except (ClientError, BotoCoreError):
                raise vendor_errors.transient(VENDOR) from None
            for summary in page.get("asyncInvokeSummaries", ()):
                if summary.get("clientRequestToken") == token:
                    return str(summary["invocationArn"])
            if not page.get("nextToken"):
                return None

    def _job(self, request: ClipRequest, model: Model, arn: str) -> JobRef:
        delivery = MediaFolder.of(request.image_key).delivery(request.client_token)
        return JobRef(
            provider="luma",
            model=model.model,
            id=arn,
            facts={"key": f"{delivery}/{arn.rpartition('/')[2]}/{_RESULT}"},
            estimated=model.clip_cost(request.seconds),
            wait_seconds=_WAIT_SECONDS,
        )

    def poll(self, job: JobRef) -> JobState:
        """Poll the invocation once. Bedrock reports failures without an error code."""
        try:
            response = clients.bedrock().get_async_invoke(invocationArn=job.id)
        except ClientError as error:
            _log_error(error)
            raise vendor_errors.from_status(VENDOR, _http_status(error), _headers(error)) from None
        except BotoCoreError:
            raise vendor_errors.transient(VENDOR) from None
        if "status" not in response:
            raise vendor_errors.transient(VENDOR)
        status = _STATUSES.get(str(response["status"]), JobStatus.RUNNING)
        if status is JobStatus.RUNNING:
            return JobState(status, _WAIT_SECONDS)
        if status is JobStatus.FAILED:
            failure = vendor_errors.failure(VENDOR, "provider.failed")
            return JobState(status, _WAIT_SECONDS, failure=failure)
        return JobState(
            status, _WAIT_SECONDS, progress=1, cost=job.estimated, outputs=(job.facts["key"],)
        )

    def fetch(self, job: JobRef, state: JobState, target: Path) -> None:
        """Copy the clip from the bucket to `target`.

        Raises MediaError (`clip.output_lost`) if the object does not exist.
        """
        try:
            self._store.get_file(state.outputs[0] if state.outputs else job.facts["key"], target)
        except NotFound:
            raise vendor_errors.output_lost(VENDOR, state.cost) from None

    def cancel(self, job: JobRef, state: JobState) -> JobState:
        """Return the state unchanged: Bedrock cannot cancel an invocation."""
        return state

    def _start(self, **arguments: Any) -> str:
        """Start an invocation and return its ARN."""
        try:
            response = clients.bedrock().start_async_invoke(**arguments)
        except ClientError as error:
            raise _from_client_error(error) from None
        except (ConnectTimeoutError, EndpointConnectionError, ProxyConnectionError):
            raise vendor_errors.not_accepted(VENDOR) from None
        except (NoCredentialsError, NoRegionError):
            raise vendor_errors.refused(VENDOR, "provider.key", billed=False) from None
        except ParamValidationError:
            raise vendor_errors.refused(VENDOR, "provider.request", billed=False) from None
        except BotoCoreError:
            raise vendor_errors.unknown(VENDOR) from None
        arn = response.get("invocationArn")
        if not isinstance(arn, str) or not arn:
            raise vendor_errors.unknown(VENDOR)
        return arn


_CODES = {
    "AccessDeniedException": "provider.forbidden",
    "ResourceNotFoundException": "provider.model",
    "ServiceQuotaExceededException": "provider.quota",
    "ValidationException": "provider.request",
}


def _from_client_error(error: ClientError) -> VideoError:
    """Return the error for a failed submit, by Bedrock's error code, then by status."""
    _log_error(error)
    code = error.response.get("Error", {}).get("Code", "")
    headers = _headers(error)
    if code == "ThrottlingException":
        return vendor_errors.not_accepted(VENDOR, vendor_errors.retry_after(headers))
    if code == "ConflictException":
        # The token was used before, so an invocation exists, but its ARN is unknown.
        return vendor_errors.unknown(VENDOR)
    if code in _CODES:
        return vendor_errors.refused(VENDOR, _CODES[code], billed=False)
    return vendor_errors.from_paid_status(
        VENDOR, _http_status(error), headers, vendor_statuses.BEDROCK
    )


def _http_status(error: ClientError) -> int:
    return error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)


def _headers(error: ClientError) -> Mapping[str, str]:
    return error.response.get("ResponseMetadata", {}).get("HTTPHeaders", {})


def _log_error(error: ClientError) -> None:
    request_id = error.response.get("ResponseMetadata", {}).get("RequestId")
    code = error.response.get("Error", {}).get("Code")
    vendor_errors.log_vendor_error(VENDOR, _http_status(error), code, request_id)
