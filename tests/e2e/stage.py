"""A stage that is deployed already, as `make verify` names it in the environment."""

import os
import uuid
from dataclasses import dataclass, field
from typing import Any

from infra.operator.verify import MAX_COST, OPERATOR_KEY, URL
from tests.e2e.client import Client

_DAY = 24 * 3600


@dataclass(frozen=True)
class Stage:
    """Its API, and the operator's key to mint others with. Everything here goes through HTTP."""

    base_url: str
    operator_key: str = field(repr=False)
    max_cost: str | None  # of the one paid video; None: nothing is paid
    _made: list[tuple[str, Client]] = field(default_factory=list)

    @classmethod
    def from_environment(cls) -> "Stage | None":
        """Return the stage; None where there is none, and the tests start a local cloud."""
        if URL not in os.environ:
            return None
        return cls(os.environ[URL], os.environ[OPERATOR_KEY], os.environ.get(MAX_COST))

    def client(self, user_id: str, **more: Any) -> Client:
        """Return a client of a user who is new, with a test key, which never pays."""
        wish = {
            "name": "make verify",
            "userId": f"verify-{uuid.uuid4().hex[:12]}-{user_id}",
            "test": True,
            "expiresIn": _DAY,
            "maxConcurrentRuns": 50,
            "rateLimit": {"requestsPerMinute": 1000, "requestsPerHour": 10_000},
            **more,
        }
        answer = self._operator.call("POST", "/api/admin/api-keys", wish)
        assert answer.status_code == 201, answer.text
        made = answer.json()["apiKey"]
        client = Client(self.base_url, made["key"])
        self._made.append((made["id"], client))
        return client

    def leave_nothing_behind(self) -> None:
        """Delete all videos and media of the clients, and revoke their keys."""
        for key_id, client in self._made:
            while videos := client.call("GET", "/v1/videos?limit=100").json()["data"]:
                for video in videos:
                    if video["status"] in ("queued", "running"):
                        client.call("POST", f"/v1/videos/{video['id']}/cancel")
                    answer = client.call("DELETE", f"/v1/videos/{video['id']}")
                    assert answer.status_code == 204, answer.text
            while media := client.call("GET", "/v1/media?limit=100").json()["data"]:
                for item in media:
                    answer = client.call("DELETE", f"/v1/media/{item['id']}")
                    assert answer.status_code == 204, answer.text
            answer = self._operator.call("DELETE", f"/api/admin/api-keys/{key_id}")
            assert answer.status_code in (200, 204), answer.text

    @property
    def _operator(self) -> Client:
        return Client(self.base_url, self.operator_key)
