"""A deployed stage, given by `make verify` through environment variables."""

import os
import uuid
from dataclasses import dataclass, field
from typing import Any

from infra.operator.verify import MAX_COST, OPERATOR_KEY, URL
from tests.e2e.client import Client

_DAY = 24 * 3600


@dataclass(frozen=True)
class Stage:
    """The API of a deployed stage and its operator key. All access is over HTTP."""

    base_url: str
    operator_key: str = field(repr=False)
    max_cost: str | None  # of the only paid video; None if nothing may be charged
    _clients: list[tuple[str, Client]] = field(default_factory=list)

    @classmethod
    def from_environment(cls) -> "Stage | None":
        """Return the stage, or None if the tests start a local cloud."""
        if URL not in os.environ:
            return None
        return cls(os.environ[URL], os.environ[OPERATOR_KEY], os.environ.get(MAX_COST))

    def client(self, user_id: str, **more: Any) -> Client:
        """Return a client of a new user with a test key, which never uses paid providers."""
        body = {
            "name": "make verify",
            "userId": f"verify-{uuid.uuid4().hex[:12]}-{user_id}",
            "test": True,
            "expiresIn": _DAY,
            "maxConcurrentRuns": 50,
            "rateLimit": {"requestsPerMinute": 1000, "requestsPerHour": 10_000},
            **more,
        }
        response = self._operator.call("POST", "/api/admin/api-keys", body)
        assert response.status_code == 201, response.text
        api_key = response.json()["apiKey"]
        client = Client(self.base_url, api_key["key"])
        self._clients.append((api_key["id"], client))
        return client

    def remove_everything(self) -> None:
        """Delete all videos and media of the clients and revoke their keys."""
        for key_id, client in self._clients:
            while videos := client.call("GET", "/v1/videos?limit=100").json()["data"]:
                for video in videos:
                    if video["status"] in ("queued", "running"):
                        client.call("POST", f"/v1/videos/{video['id']}/cancel")
                    response = client.call("DELETE", f"/v1/videos/{video['id']}")
                    assert response.status_code == 204, response.text
            while media := client.call("GET", "/v1/media?limit=100").json()["data"]:
                for item in media:
                    response = client.call("DELETE", f"/v1/media/{item['id']}")
                    assert response.status_code == 204, response.text
            response = self._operator.call("DELETE", f"/api/admin/api-keys/{key_id}")
            assert response.status_code in (200, 204), response.text

    @property
    def _operator(self) -> Client:
        return Client(self.base_url, self.operator_key)
