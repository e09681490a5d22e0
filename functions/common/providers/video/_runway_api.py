"""Client of Runway's API: the paid call, the free calls, and the mapping of errors."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, urlsplit

from common.domain.errors import NotAccepted, VideoError
from common.providers import ProviderContext, http, vendor_errors, vendor_statuses
from common.providers.http import Form, HttpResponse
from common.providers.video._runway_tasks import VENDOR

KEY = "RUNWAY_API_KEY"

_BASE_URL = "https://api.dev.runwayml.com"
# Required header on every call; a constant of the API's specification.
_VERSION = "2024-11-06"
# Runway validates the image before it responds, which takes seconds.
_PAID_SECONDS, _FREE_SECONDS, _UPLOAD_SECONDS = 60.0, 15.0, 30.0

# The only vendor message that this program interprets: an account without credits gets a plain 400
# without an error code (as documented), and the body has no other distinguishing field.
_OUT_OF_CREDITS = "not have enough credits"


class RunwayApi:
    """The API with the key of one account; raises ProviderRefused if no key is configured."""

    def __init__(self, context: ProviderContext) -> None:
        self._base = context.base_urls.get("runway", _BASE_URL).rstrip("/")
        self._headers = {
            "Authorization": f"Bearer {vendor_errors.api_key(context, KEY, VENDOR)}",
            "X-Runway-Version": _VERSION,
        }

    @property
    def is_loopback(self) -> bool:
        """True if the base URL is a stand-in on this machine."""
        return http.is_loopback(self._base)

    def image_to_video(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """Create a task by exactly one paid call; return the task, which has an `id`.

        Raises NotAccepted, ProviderRefused or OutcomeUnknown.
        """
        try:
            response = self._call("POST", "/v1/image_to_video", _PAID_SECONDS, body)
        except http.NotSent:
            raise vendor_errors.not_accepted(VENDOR) from None
        except http.NoResponse:
            raise vendor_errors.unknown(VENDOR) from None
        task = response.json()
        if response.status != 200:
            raise self._refusal(response, task, str(body["model"]))
        if not isinstance(task.get("id"), str) or not task["id"]:
            raise vendor_errors.unknown(VENDOR)
        return task

    def task(self, task_id: str) -> dict[str, Any] | None:
        """Return the task, or None if Runway does not know it.

        Raises TransientError, or ProviderRefused if the key is rejected.
        """
        response = self._free("GET", _path(task_id))
        if response.status == 404:
            return None
        task = response.json()
        if response.status != 200 or "status" not in task:
            vendor_errors.log_vendor_error(VENDOR, response.status)
            raise vendor_errors.from_status(VENDOR, response.status, response.headers)
        return task

    def delete(self, task_id: str) -> bool:
        """Cancel and delete the task; return whether Runway did so. Raises as `task` does."""
        return self._free("DELETE", _path(task_id)).status in (200, 204)

    def generations(self, model: str) -> int | None:
        """Return the number of the account's tasks of the model in the last 24 hours.

        None if Runway does not report it. Raises as `task` does.
        """
        return _generations(self._account(), model)

    def credits(self) -> int | None:
        """Return the credit balance of the account; None if Runway does not report it.

        Raises as `task` does.
        """
        balance = _nested(self._account(), "creditBalance")
        return balance if isinstance(balance, int) else None

    def upload(self, name: str, data: bytes, media_type: str) -> str:
        """Upload a file, which Runway keeps for a day, and return its `runway://` URI.

        This is part of a submit, before the paid call. Raises NotAccepted or ProviderRefused.
        """
        try:
            created = self._call(
                "POST", "/v1/uploads", _FREE_SECONDS, {"filename": name, "type": "ephemeral"}
            )
            upload = created.json()
            if created.status != 200:
                raise _before_paid_call(self._refusal(created, upload, None))
            url, fields, uri = (upload.get(k) for k in ("uploadUrl", "fields", "runwayUri"))
            if not (isinstance(url, str) and isinstance(fields, dict) and isinstance(uri, str)):
                raise vendor_errors.not_accepted(VENDOR)
            if not self.is_allowed_url(url):
                raise vendor_errors.refused(VENDOR, "provider.refused", billed=False)
            # The presigned form authorizes the upload to Runway's storage; no API key is sent.
            form = Form({str(k): str(v) for k, v in fields.items()}, name, data, media_type)
            stored = http.call("POST", url, seconds=_UPLOAD_SECONDS, form=form)
        except (http.NotSent, http.NoResponse):
            raise vendor_errors.not_accepted(VENDOR) from None
        if stored.status not in (200, 201, 204):
            raise _before_paid_call(self._from_status(stored))
        return uri

    def is_allowed_url(self, url: str) -> bool:
        """Return whether a URL from Runway may be requested: HTTPS, or loopback for a stand-in."""
        if urlsplit(url).scheme == "https":
            return True
        return urlsplit(url).scheme == "http" and self.is_loopback and http.is_loopback(url)

    def _refusal(
        self, response: HttpResponse, body: Mapping[str, Any], model: str | None
    ) -> VideoError:
        issues = body.get("issues")
        first = issues[0] if isinstance(issues, list) and issues else {}
        code = first.get("code") if isinstance(first, Mapping) else None
        vendor_errors.log_vendor_error(
            VENDOR, response.status, code, response.headers.get("x-request-id")
        )
        if response.status == 400 and not issues and _OUT_OF_CREDITS in str(body.get("error")):
            return vendor_errors.refused(VENDOR, "provider.credits", billed=False)
        if response.status == 400 and _concerns_model(issues):
            return vendor_errors.refused(VENDOR, "provider.model", billed=False)
        if response.status == 429 and model and self._is_daily_limit_reached(model):
            return vendor_errors.refused(VENDOR, "provider.quota", billed=False)
        return self._from_status(response)

    @staticmethod
    def _from_status(response: HttpResponse) -> VideoError:
        return vendor_errors.from_paid_status(
            VENDOR, response.status, response.headers, vendor_statuses.RUNWAY
        )

    def _is_daily_limit_reached(self, model: str) -> bool:
        """Return whether a 429 is due to the model's daily limit (rolling 24 h), not to a burst."""
        try:
            account = self._account()
        except VideoError:
            return False
        limit = _nested(account, "tier", "models", model, "maxDailyGenerations")
        used = _generations(account, model)
        return isinstance(limit, int) and used is not None and used >= limit

    def _account(self) -> Mapping[str, Any]:
        return self._free("GET", "/v1/organization").json()

    def _free(self, method: str, path: str) -> HttpResponse:
        try:
            response = self._call(method, path, _FREE_SECONDS)
        except (http.NotSent, http.NoResponse):
            raise vendor_errors.transient(VENDOR) from None
        if response.status in (401, 403) or response.status >= 500:
            vendor_errors.log_vendor_error(VENDOR, response.status)
            raise vendor_errors.from_status(VENDOR, response.status, response.headers)
        return response

    def _call(
        self, method: str, path: str, seconds: float, body: Mapping[str, Any] | None = None
    ) -> HttpResponse:
        return http.call(
            method, self._base + path, seconds=seconds, headers=self._headers, body=body
        )


def _before_paid_call(error: VideoError) -> VideoError:
    """Return the error for a free call before the paid one, whose outcome is always certain."""
    if error.billed is None or isinstance(error, NotAccepted):
        return vendor_errors.not_accepted(VENDOR, error.retry_after)
    return error


def _path(task_id: str) -> str:
    return f"/v1/tasks/{quote(task_id, safe='')}"


def _concerns_model(issues: object) -> bool:
    return isinstance(issues, list) and any(
        isinstance(issue, Mapping) and issue.get("path") == ["model"] for issue in issues
    )


def _generations(account: Mapping[str, Any], model: str) -> int | None:
    used = _nested(account, "usage", "models", model, "dailyGenerations")
    return used if isinstance(used, int) else None


def _nested(value: object, *names: str) -> object:
    for name in names:
        value = value.get(name) if isinstance(value, Mapping) else None
    return value
