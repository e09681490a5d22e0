"""Use case of usage: requests, runs and cost by day and API key."""

from datetime import UTC, date, datetime

from api.presenters.costs import money
from api.schemas.usage import UsageCost, UsageDay, UsageFigures, UsagePage
from common.database import Database, usage
from common.database.usage import UsageQuery, UsageTotals
from common.domain.caller import Caller
from common.domain.errors import InvalidInput

_DEFAULT_DAYS, _MAX_DAYS = 30, 366


def show(
    database: Database,
    caller: Caller,
    *,
    first: date | None,
    last: date | None,
    user_id: str | None,
    key_id: str | None,
    limit: int,
    cursor: str | None,
) -> UsagePage:
    """Return the usage of the caller's keys; for the operator, of all keys or those of a user."""
    query = _query(caller, first, last, user_id, key_id)
    before = _decode(cursor) if cursor else None
    with database.transaction() as sql:
        rows = usage.page(sql, query, limit=limit + 1, before=before)
        total = usage.total(sql, query)
    page = rows[:limit]
    return UsagePage.model_validate(
        {
            "from": query.first,
            "to": query.last,
            "total": _figures(total),
            "data": [
                UsageDay(
                    **dict(_figures(day)),
                    day=day.day,
                    key_id=day.key_id,
                    key_name=day.key_name,
                    user_id=day.user_id,
                )
                for day in page
            ],
            "next_cursor": (f"{page[-1].day}.{page[-1].key_id}" if len(rows) > limit else None),
        }
    )


def _query(
    caller: Caller, first: date | None, last: date | None, user_id: str | None, key_id: str | None
) -> UsageQuery:
    last = last or datetime.now(UTC).date()
    if first is None:
        first = date.fromordinal(max(1, last.toordinal() - _DEFAULT_DAYS + 1))
    if first > last:
        raise InvalidInput("`from` must not be after `to`.", field="from")
    if (last - first).days >= _MAX_DAYS:
        raise InvalidInput(f"The range can have at most {_MAX_DAYS} days.", field="from")
    if "admin" in caller.scopes:
        return UsageQuery(first, last, user_id, key_id)
    if user_id not in (None, caller.user_id):
        caller.need("admin")
    return UsageQuery(first, last, caller.user_id, key_id)


def _decode(cursor: str) -> tuple[date, str]:
    day, _, key_id = cursor.partition(".")
    try:
        return date.fromisoformat(day), key_id
    except ValueError:
        raise InvalidInput(
            "The cursor is invalid. Start again from the first page.", field="cursor"
        ) from None


def _figures(figures: UsageTotals) -> UsageFigures:
    return UsageFigures(
        requests=figures.requests,
        refused=figures.refused,
        runs=figures.runs,
        cost=UsageCost(
            amount=money(figures.spent_usd - figures.open_usd - figures.possible_usd),
            open=money(figures.open_usd),
            possible=money(figures.possible_usd),
            at_most=money(figures.spent_usd),
            reserved=money(figures.reserved_usd),
        ),
    )
