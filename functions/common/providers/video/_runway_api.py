"""Runway's API: its headers, its paid call, its free calls, and what its errors mean."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, urlsplit

from common.domain.errors import NotAccepted, VideoError
from common.providers import ProviderContext, http, vendor_errors, vendor_statuses
from common.providers.http import Answer, Form
from common.providers.video._runway_tasks import VENDOR

KEY = "RUNWAY_API_KEY"

_BASE_URL = "https://api.dev.runwayml.com"
# A constant of the API's specification, needed on every call.
_VERSION = "2024-11-06"
# Runway looks at the picture before it answers, which takes seconds.
_PAID_SECONDS, _FREE_SECONDS, _UPLOAD_SECONDS = 60.0, 15.0, 30.0

# The one place where a vendor's words decide: being out of credits is a plain 400 without a code
# (documented so; research: no other mark in the body).
_OUT_OF_CREDITS = "not have enough credits"


class RunwayApi:
    """One account's API. Making it needs the key; raises ProviderRefused without one."""

    def __init__(self, context: ProviderContext) -> None:
        self._base = context.base_urls.get("runway", _BASE_URL).rstrip("/")
        self._headers = {
            "Authorization": f"Bearer {vendor_errors.key(context, KEY, VENDOR)}",
            "X-Runway-Version": _VERSION,
        }

    @property
    def is_loopback(self) -> bool:
        """Say whether a stand-in on this machine answers."""
        return http.is_loopback(self._base)

    def image_to_video(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """Make the paid call and return the task as it was made, with its id.

        Raises NotAccepted, ProviderRefused or OutcomeUnknown.
        """
        try:
            answer = self._call("POST", "/v1/image_to_video", _PAID_SECONDS, body)
        except http.NotSent:
            raise vendor_errors.not_accepted(VENDOR) from None
        except http.NoAnswer:
            raise vendor_errors.unknown(VENDOR) from None
        task = answer.json()
        if answer.status != 200:
            raise self._refusal(answer, task, str(body["model"]))
        if not isinstance(task.get("id"), str) or not task["id"]:
            raise vendor_errors.unknown(VENDOR)
        return task

    def task(self, task_id: str) -> dict[str, Any] | None:
        """Return the task, or None if Runway does not know it; raises TransientError."""
        answer = self._free("GET", _path(task_id))
        if answer.status == 404:
            return None
        task = answer.json()
        if answer.status != 200 or "status" not in task:
            vendor_errors.log_vendor_error(VENDOR, answer.status)
            raise vendor_errors.from_status(VENDOR, answer.status, answer.headers)
        return task

    def delete(self, task_id: str) -> bool:
        """Stop the task and forget it; say whether Runway did so. Raises TransientError."""
        return self._free("DELETE", _path(task_id)).status in (200, 204)

    def generations(self, model: str) -> int | None:
        """Return how many tasks of the model the account was given in 24 h; None if untold.

        Raises TransientError.
        """
        return _generations(self._account(), model)

    def credits(self) -> int | None:
        """Return the credits that the account has left; None if untold.

        Raises ProviderRefused if the key is not taken, TransientError if there is no answer.
        """
        left = _inside(self._account(), "creditBalance")
        return left if isinstance(left, int) else None

    def upload(self, name: str, data: bytes, media_type: str) -> str:
        """Lend Runway a file for a day and return its `runway://` address.

        Part of a submit, before anything is paid: raises NotAccepted or ProviderRefused.
        """
        try:
            opened = self._call(
                "POST", "/v1/uploads", _FREE_SECONDS, {"filename": name, "type": "ephemeral"}
            )
            ticket = opened.json()
            if opened.status != 200:
                raise _before_paying(self._refusal(opened, ticket, None))
            url, fields, address = (ticket.get(k) for k in ("uploadUrl", "fields", "runwayUri"))
            if not (isinstance(url, str) and isinstance(fields, dict) and isinstance(address, str)):
                raise vendor_errors.not_accepted(VENDOR)
            if not self.may_visit(url):
                raise vendor_errors.refused(VENDOR, "provider.refused", billed=False)
            # To a store of Runway's, with the rights in the form: our key does not go there.
            form = Form({str(k): str(v) for k, v in fields.items()}, name, data, media_type)
            stored = http.call("POST", url, seconds=_UPLOAD_SECONDS, form=form)
        except (http.NotSent, http.NoAnswer):
            raise vendor_errors.not_accepted(VENDOR) from None
        if stored.status not in (200, 201, 204):
            raise _before_paying(self._of_status(stored))
        return address

    def may_visit(self, url: str) -> bool:
        """Say whether an address that Runway gave may be gone to: HTTPS, or a stand-in's own."""
        if urlsplit(url).scheme == "https":
            return True
        return urlsplit(url).scheme == "http" and self.is_loopback and http.is_loopback(url)

    def _refusal(self, answer: Answer, body: Mapping[str, Any], model: str | None) -> VideoError:
        issues = body.get("issues")
        first = issues[0] if isinstance(issues, list) and issues else {}
        code = first.get("code") if isinstance(first, Mapping) else None
        vendor_errors.log_vendor_error(
            VENDOR, answer.status, code, answer.headers.get("x-request-id")
        )
        if answer.status == 400 and not issues and _OUT_OF_CREDITS in str(body.get("error")):
            return vendor_errors.refused(VENDOR, "provider.credits", billed=False)
        if answer.status == 400 and _names_the_model(issues):
            return vendor_errors.refused(VENDOR, "provider.model", billed=False)
        if answer.status == 429 and model and self._day_is_used_up(model):
            return vendor_errors.refused(VENDOR, "provider.quota", billed=False)
        return self._of_status(answer)

    @staticmethod
    def _of_status(answer: Answer) -> VideoError:
        return vendor_errors.from_paid_status(
            VENDOR, answer.status, answer.headers, vendor_statuses.RUNWAY
        )

    def _day_is_used_up(self, model: str) -> bool:
        """Ask which of the two a 429 is: a burst, or the model's daily limit (24 h, rolling)."""
        try:
            account = self._account()
        except VideoError:
            return False
        limit = _inside(account, "tier", "models", model, "maxDailyGenerations")
        used = _generations(account, model)
        return isinstance(limit, int) and used is not None and used >= limit

    def _account(self) -> Mapping[str, Any]:
        return self._free("GET", "/v1/organization").json()

    def _free(self, method: str, path: str) -> Answer:
        try:
            answer = self._call(method, path, _FREE_SECONDS)
        except (http.NotSent, http.NoAnswer):
            raise vendor_errors.transient(VENDOR) from None
        if answer.status in (401, 403) or answer.status >= 500:
            vendor_errors.log_vendor_error(VENDOR, answer.status)
            raise vendor_errors.from_status(VENDOR, answer.status, answer.headers)
        return answer

    def _call(
        self, method: str, path: str, seconds: float, body: Mapping[str, Any] | None = None
    ) -> Answer:
        return http.call(
            method, self._base + path, seconds=seconds, headers=self._headers, body=body
        )


def _before_paying(error: VideoError) -> VideoError:
    """Return an error of a free call before the paid one: nothing about that is unknown."""
    if error.billed is None or isinstance(error, NotAccepted):
        return vendor_errors.not_accepted(VENDOR, error.retry_after)
    return error


def _path(task_id: str) -> str:
    return f"/v1/tasks/{quote(task_id, safe='')}"


def _names_the_model(issues: object) -> bool:
    return isinstance(issues, list) and any(
        isinstance(issue, Mapping) and issue.get("path") == ["model"] for issue in issues
    )


def _generations(account: Mapping[str, Any], model: str) -> int | None:
    used = _inside(account, "usage", "models", model, "dailyGenerations")
    return used if isinstance(used, int) else None


def _inside(value: object, *names: str) -> object:
    for name in names:
        value = value.get(name) if isinstance(value, Mapping) else None
    return value
