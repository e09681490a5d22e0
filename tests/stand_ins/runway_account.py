"""What Runway says about the account: the balance, the limits, and what was used when."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

from tests.stand_ins.runway_rules import JSON, Invalid, custom
from tests.stand_ins.runway_tasks import Tasks
from tests.stand_ins.vendor import Desk
from tests.stand_ins.wire import Answer, as_json

_DAY = 24 * 3600


def balance(desk: Desk) -> int:
    """Return the credits that are left."""
    return int(desk.options["credits"] - sum(row.amount for row in desk.book.charges()))


def organization(desk: Desk, tasks: Tasks, models: list[str]) -> dict[str, Any]:
    """Return what GET /v1/organization answers."""
    since = desk.clock.now() - _DAY
    limits = {
        "maxConcurrentGenerations": desk.options["concurrency"],
        "maxDailyGenerations": desk.options["daily_generations"],
    }
    used = {model: {"dailyGenerations": tasks.born_since(model, since)} for model in models}
    return {
        "creditBalance": balance(desk),
        "tier": {"maxMonthlyCreditSpend": 10_000, "models": dict.fromkeys(models, limits)},
        "usage": {"models": used},
    }


def usage(desk: Desk, body: dict[str, Any]) -> Answer:
    """Answer POST /v1/organization/usage: net credits by day (UTC) and model."""
    today = _day(desk.clock.now())
    try:
        start = date.fromisoformat(body.get("startDate", str(today - timedelta(days=30))))
        before = date.fromisoformat(body.get("beforeDate", str(start + timedelta(days=30))))
    except (TypeError, ValueError):
        return Invalid(custom(("startDate",), "Invalid ISO date")).answer
    if not timedelta(0) <= before - start <= timedelta(days=90):
        return Invalid(custom(("beforeDate",), "Must be within 90 days of startDate")).answer
    days: dict[str, dict[str, int]] = {}
    for row in desk.book.charges():
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
