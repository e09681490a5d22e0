"""What vendors' statuses and headers mean, and that only our own words leave."""

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
def test_the_wait_that_a_vendor_names(headers: dict[str, str], seconds: int | None) -> None:
    assert vendor_errors.retry_after(CaseInsensitiveDict(headers)) == seconds


def test_the_wait_may_be_a_date() -> None:
    headers = {"retry-after": formatdate(time.time() + 30, usegmt=True)}
    waited = vendor_errors.retry_after(headers)
    assert waited is not None
    assert 28 <= waited <= 31


# What the vendors document as certainly not charged, written down here once more: see
# docs/decisions/0015-certainty-per-vendor.md. Everything else is unknown.
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
def test_only_documented_statuses_are_certain(vendor: str) -> None:
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


def test_the_word_of_a_gateway_is_marked() -> None:
    marked = {
        status
        for status in (429, 502, 503, 504)
        if vars(vendor_errors.from_paid_status("Runway", status, {}, vendor_statuses.RUNWAY)).get(
            "sheds_load"
        )
    }
    assert marked == {502, 503, 504}


@pytest.mark.parametrize("status", [400, 404, 408, 429, 500, 502, 503, 504])
def test_a_free_call_is_made_again(status: int) -> None:
    error = vendor_errors.from_status("Vendor", status, {"retry-after": "7"})
    assert (type(error), error.retry_after) == (TransientError, 7)
    assert "tried again" not in error.detail, "it is also what a failed run says"


@pytest.mark.parametrize("code", vendor_errors.MEANINGS)
def test_every_code_has_words_that_name_the_vendor(code: str) -> None:
    error = vendor_errors.refused("Vendor", code, billed=True)
    assert "Vendor" in error.detail
    assert "{" not in error.detail
    assert error.retryable is (vendor_errors.MEANINGS[code].retry in (Retry.SAME, Retry.LATER))
    assert vendor_errors.failure("Vendor", code).detail == error.detail
    assert "Nothing was charged." in vendor_errors.refused("Vendor", code, billed=False).detail


def test_only_what_looks_like_an_id_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    vendor_errors.log_vendor_error("Vendor", 400, "a secret sentence", "req_1")
    vendor_errors.log_vendor_error("Vendor", 400, "invalid_value", "x" * 200)
    vendor_errors.log_vendor_error("Vendor", 400, {"a": 1}, None)
    logged = [(vars(r)["provider_code"], vars(r)["provider_request_id"]) for r in caplog.records]
    assert logged == [(None, "req_1"), ("invalid_value", None), (None, None)]
