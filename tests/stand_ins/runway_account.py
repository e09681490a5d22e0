"""Runway's account endpoints: balance, limits and usage."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

from tests.stand_ins.runway_rules import JSON, Invalid, custom
from tests.stand_ins.runway_tasks import Tasks
from tests.stand_ins.vendor import Context
from tests.stand_ins.wire import WireResponse, as_json

_DAY = 24 * 3600


def balance(context: Context) -> int:
    """Return the remaining credits."""
    return int(context.options["credits"] - sum(row.amount for row in context.book.charges()))


def organization(context: Context, tasks: Tasks, models: list[str]) -> dict[str, Any]:
    """Return the response of GET /v1/organization."""
    since = context.clock.now() - _DAY
    limits = {
        "maxConcurrentGenerations": context.options["concurrency"],
        "maxDailyGenerations": context.options["daily_generations"],
    }
    used = {model: {"dailyGenerations": tasks.born_since(model, since)} for model in models}
    return {
        "creditBalance": balance(context),
        "tier": {"maxMonthlyCreditSpend": 10_000, "models": dict.fromkeys(models, limits)},
        "usage": {"models": used},
    }


def usage(context: Context, body: dict[str, Any]) -> WireResponse:
    """Return the response of POST /v1/organization/usage: net credits by UTC day and model."""
    today = _day(context.clock.now())
    try:
        start = date.fromisoformat(body.get("startDate", str(today - timedelta(days=30))))
        before = date.fromisoformat(body.get("beforeDate", str(start + timedelta(days=30))))
    except (TypeError, ValueError):
        return Invalid(custom(("startDate",), "Invalid ISO date")).answer
    if not timedelta(0) <= before - start <= timedelta(days=90):
        return Invalid(custom(("beforeDate",), "Must be within 90 days of startDate")).answer
    days: dict[str, dict[str, int]] = {}
    for row in context.book.charges():
        if start <= _day(row.at) < before:
            used = days.setdefault(str(_day(row.at)), {})
            used[row.model] = used.get(row.model, 0) + int(row.amount)
    results = [
        {"date": day, "usedCredits": [{"model": name, "amount": n} for name, n in used.items()]}
        for day, used in sorted(days.items())
    ]
    models = sorted({model for used in days.values() for model in used})
    return as_json(200, {"models": models, "results": results}, JSON)


def _day(moment: float) -> date:
    return datetime.fromtimestamp(moment, UTC).date()
