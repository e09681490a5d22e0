"""Use cases of the operator: API keys."""

from datetime import UTC, datetime, timedelta

from api.schemas.keys import CreateKey, KeyCreated, KeyObject, RateLimit
from common import ids, keys
from common.caller import Caller
from common.database import Database
from common.database.keys import ApiKey, insert


def create_key(database: Database, caller: Caller, wish: CreateKey) -> KeyCreated:
    """Mint a key for a user; only a caller with the scope `admin` may. The key is shown once."""
    caller.need("admin")
    secret = keys.mint(live=not wish.test)
    expires_at = datetime.now(UTC) + timedelta(seconds=wish.expiresIn) if wish.expiresIn else None
    key = ApiKey(
        key_id=ids.new("key"),
        user_id=wish.userId,
        name=wish.name,
        live=not wish.test,
        scopes=list(wish.scopes),
        endpoints=wish.allowedEndpoints,
        per_minute=wish.rateLimit.requestsPerMinute,
        per_hour=wish.rateLimit.requestsPerHour,
        daily_cap_usd=wish.dailyCapUsd,
        monthly_cap_usd=wish.monthlyCapUsd,
    )
    prefix = secret[: keys.PREFIX_CHARACTERS]
    with database.transaction() as cursor:
        insert(cursor, key, digest=keys.digest(secret), prefix=prefix, expires_at=expires_at)
    return KeyCreated(
        apiKey=KeyObject(
            id=key.key_id,
            key=secret,
            prefix=prefix,
            name=key.name,
            userId=key.user_id,
            test=not key.live,
            scopes=key.scopes,
            allowedEndpoints=key.endpoints,
            rateLimit=RateLimit(requestsPerMinute=key.per_minute, requestsPerHour=key.per_hour),
            expiresAt=expires_at,
        )
    )
