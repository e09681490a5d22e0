"""Mapping of vendors' statuses and headers to errors whose texts are the project's own."""

import time
from email.utils import formatdate

import pytest
from requests.structures import CaseInsensitiveDict

from common.domain.errors import NotAccepted, OutcomeUnknown, ProviderRefused, TransientError
from common.providers import Retry, vendor_errors, vendor_statuses


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"Retry-After": "12"}, 12),
        ({"retry-after": "1.2"}, 2),
        ({"retry-after": "0"}, 1),
        ({"retry-after": "99999999"}, 3600),
        ({"retry-after": "-5"}, None),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "2", "retry-after-ms": "1120"}, 2),
        ({"retry-after-ms": "9000"}, 9),
    ],
)
def test_retry_after_header_is_parsed_in_seconds(
    headers: dict[str, str], seconds: int | None
) -> None:
    assert vendor_errors.retry_after(CaseInsensitiveDict(headers)) == seconds


def test_retry_after_header_may_be_an_http_date() -> None:
    headers = {"retry-after": formatdate(time.time() + 30, usegmt=True)}
    seconds = vendor_errors.retry_after(headers)
    assert seconds is not None
    assert 28 <= seconds <= 31


# Statuses that the vendors document as not charged, repeated here on purpose; see
# docs/decisions/0015-certainty-per-vendor.md. The outcome of all others is unknown.
NOT_ACCEPTED = {"OPENAI": {429, 503}, "RUNWAY": {429, 502, 503, 504}, "BEDROCK": {429}}
REFUSED = {
    400: "provider.request",
    401: "provider.key",
    402: "provider.credits",
    403: "provider.forbidden",
    404: "provider.refused",
    405: "provider.refused",
    406: "provider.refused",
    411: "provider.request",
    413: "provider.request",
    414: "provider.request",
    415: "provider.request",
    422: "provider.request",
    431: "provider.request",
}


@pytest.mark.parametrize("vendor", NOT_ACCEPTED)
def test_paid_status_is_not_accepted_only_if_documented(vendor: str) -> None:
    for status in range(100, 600):
        error = vendor_errors.from_paid_status(
            "Vendor", status, {"retry-after": "5"}, getattr(vendor_statuses, vendor)
        )
        if status in NOT_ACCEPTED[vendor]:
            assert (type(error), error.retry_after, error.billed) == (NotAccepted, 5, False)
        elif status in REFUSED:
            assert type(error) is ProviderRefused, status
            assert (error.error_code, error.billed) == (REFUSED[status], False)
        else:
            assert (type(error), error.billed) == (OutcomeUnknown, None), status


def test_gateway_statuses_are_marked_as_load_shedding() -> None:
    load_shedding = {
        status
        for status in (429, 502, 503, 504)
        if vars(vendor_errors.from_paid_status("Runway", status, {}, vendor_statuses.RUNWAY)).get(
            "sheds_load"
        )
    }
    assert load_shedding == {502, 503, 504}


@pytest.mark.parametrize("status", [400, 404, 408, 429, 500, 502, 503, 504])
def test_free_call_failure_allows_retry(status: int) -> None:
    error = vendor_errors.from_status("Vendor", status, {"retry-after": "7"})
    assert (type(error), error.retry_after) == (TransientError, 7)
    assert "tried again" not in error.detail, (
        "a failed run keeps this text, after which nothing is retried"
    )


@pytest.mark.parametrize("code", vendor_errors.MEANINGS)
def test_every_vendor_error_message_names_the_vendor(code: str) -> None:
    error = vendor_errors.refused("Vendor", code, billed=True)
    assert "Vendor" in error.detail
    assert "{" not in error.detail
    assert error.retryable is (vendor_errors.MEANINGS[code].retry in (Retry.SAME, Retry.LATER))
    assert vendor_errors.failure("Vendor", code).detail == error.detail
    assert "Nothing was charged." in vendor_errors.refused("Vendor", code, billed=False).detail


def test_vendor_error_log_contains_only_identifiers(caplog: pytest.LogCaptureFixture) -> None:
    vendor_errors.log_vendor_error("Vendor", 400, "a secret sentence", "req_1")
    vendor_errors.log_vendor_error("Vendor", 400, "invalid_value", "x" * 200)
    vendor_errors.log_vendor_error("Vendor", 400, {"a": 1}, None)
    logged = [(vars(r)["provider_code"], vars(r)["provider_request_id"]) for r in caplog.records]
    assert logged == [(None, "req_1"), ("invalid_value", None), (None, None)]
