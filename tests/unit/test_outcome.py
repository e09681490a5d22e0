"""What vendors' statuses and headers mean, and that only our own words leave."""

import time
from email.utils import formatdate

import pytest
from requests.structures import CaseInsensitiveDict

from common.errors import NotAccepted, OutcomeUnknown, ProviderRefused, TransientError
from common.providers import Retry, outcome


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
    assert outcome.retry_after(CaseInsensitiveDict(headers)) == seconds


def test_the_wait_may_be_a_date() -> None:
    headers = {"retry-after": formatdate(time.time() + 30, usegmt=True)}
    waited = outcome.retry_after(headers)
    assert waited is not None
    assert 28 <= waited <= 31


@pytest.mark.parametrize("status", [429, 502, 503])
def test_what_was_certainly_not_accepted(status: int) -> None:
    error = outcome.of_paid("Vendor", status, {"retry-after": "5"})
    assert type(error) is NotAccepted
    assert (error.retry_after, error.billed) == (5, False)


@pytest.mark.parametrize("status", [200, 202, 204, 408, 500, 501, 504, 520, 524, 529])
def test_what_nobody_can_know(status: int) -> None:
    assert type(outcome.of_paid("Vendor", status, {})) is OutcomeUnknown


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (302, "provider.refused"),
        (400, "provider.input"),
        (401, "provider.key"),
        (402, "provider.credits"),
        (403, "provider.forbidden"),
        (404, "provider.refused"),
        (413, "provider.input"),
        (422, "provider.input"),
    ],
)
def test_what_was_a_definite_no(status: int, code: str) -> None:
    error = outcome.of_paid("Vendor", status, {})
    assert type(error) is ProviderRefused
    assert (error.error_code, error.billed) == (code, False)


@pytest.mark.parametrize("status", [400, 404, 408, 429, 500, 502, 503, 504])
def test_a_free_call_is_made_again(status: int) -> None:
    assert type(outcome.of_free("Vendor", status)) is TransientError


@pytest.mark.parametrize("code", outcome.MEANINGS)
def test_every_code_has_words_that_name_the_vendor(code: str) -> None:
    error = outcome.refused("Vendor", code, billed=True)
    assert "Vendor" in error.detail
    assert "{" not in error.detail
    assert error.retryable is (outcome.MEANINGS[code].retry in (Retry.SAME, Retry.LATER))
    assert outcome.failure("Vendor", code).detail == error.detail
    assert "Nothing was charged." in outcome.refused("Vendor", code, billed=False).detail


def test_only_what_looks_like_an_id_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    outcome.note("Vendor", 400, "a secret sentence", "req_1")
    outcome.note("Vendor", 400, "invalid_value", "x" * 200)
    outcome.note("Vendor", 400, {"a": 1}, None)
    logged = [(vars(r)["provider_code"], vars(r)["provider_request_id"]) for r in caplog.records]
    assert logged == [(None, "req_1"), ("invalid_value", None), (None, None)]
