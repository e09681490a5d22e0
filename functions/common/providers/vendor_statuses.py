"""HTTP statuses that prove that a paid call was not charged, per vendor, with sources.

A status is proof if the vendor documents it as a refusal, or if HTTP itself defines it as "not
processed". With every other status the outcome is unknown: the work may have been done and charged,
and the response lost on the way back. An error code in the body never makes such a status certain.
The full table is in docs/decisions/0015-certainty-per-vendor.md.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

# RFC 9110 (15.5) and RFC 6585: the server refuses to process the request. 408, 409, 410 and 425 are
# excluded, because proxies send them after they have forwarded the request.
_NOT_PROCESSED: Mapping[int, str] = {
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


@dataclass(frozen=True, slots=True)
class PaidStatuses:
    """The statuses of a vendor's paid calls that prove an outcome; others prove nothing.

    `not_accepted`: the same call may be sent again. `refused`: a definite refusal, with our error
    code. `sheds_load`: the subset of `not_accepted` that a gateway sends in place of the service;
    the vendor documents these as not accepted, but its count of accepted jobs can prove otherwise.
    """

    not_accepted: frozenset[int]
    refused: Mapping[int, str] = field(default_factory=lambda: _NOT_PROCESSED)
    sheds_load: frozenset[int] = frozenset()


OPENAI = PaidStatuses(not_accepted=frozenset({429, 503}))
"""developers.openai.com/api/docs/guides/error-codes: 400, 401, 403, 404 and 422 are errors of the
request; 429 is a rate limit, 503 an overload, "retry after a wait". A 503 counts only when it
carries OpenAI's own error object. 500 is "an error while processing", 502 and 504 are not
documented: users report 502 after minutes of work (github.com/openai/codex/issues/43212). The same
holds for stories, images and speech."""

RUNWAY = PaidStatuses(
    not_accepted=frozenset({429, 502, 503, 504}), sheds_load=frozenset({502, 503, 504})
)
"""docs.dev.runwayml.com/errors/errors: 400, 401, 404 and 405 may not be retried; 429 is a limit,
502 and 503 are load shedding, 504 is "overloaded and not able to satisfy the request", and may be
retried. 500 and all others are not documented."""

BEDROCK = PaidStatuses(not_accepted=frozenset({429}))
"""docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_StartAsyncInvoke: throttling (429) is
a denial. 500 and 503 do not say whether the invocation was created, so it is looked up by its
token."""
