"""HTTP client for the API endpoints that the demo uses."""

import base64
import mimetypes
from pathlib import Path
from typing import Any

import requests

from infra.local.errors import LocalCloudError

CONNECT_SECONDS, READ_SECONDS = 5, 60
DEFAULT_PAUSE = 1.0  # seconds between polls without Retry-After


class ApiError(Exception):
    """An error response, with the text of its problem+json body."""

    def __init__(self, response: requests.Response) -> None:
        try:
            problem = response.json()
        except ValueError:
            problem = {}
        if not isinstance(problem, dict):
            problem = {}
        title = problem.get("title") or response.reason or "error"
        detail = problem.get("detail") or problem.get("message") or response.text[:300]
        code = f" [{problem['code']}]" if problem.get("code") else ""
        lines = [f"{response.status_code} {title}: {detail}{code}"]
        details = problem.get("errors") or problem.get("details")
        lines += [f"  {item}" for item in details] if isinstance(details, list) else []
        retry = response.headers.get("Retry-After")
        if retry:
            lines.append(f"  Retry after {retry} s.")
        super().__init__("\n".join(lines))
        self.status = response.status_code
        self.problem = problem


class Api:
    """A client for one base URL and API key."""

    def __init__(self, base_url: str, key: str) -> None:
        self.base_url = base_url.rstrip("/")
        self.key = key
        self._session = requests.Session()
        self._session.trust_env = False  # ignore proxies and .netrc
        self._session.headers["Authorization"] = f"Bearer {key}"

    def estimate(self, body: dict[str, Any]) -> dict[str, Any]:
        """POST /v1/estimates. Return the cost estimate of a video without creating it."""
        return self._json(self._call("POST", "/v1/estimates", body))

    def create(self, body: dict[str, Any]) -> dict[str, Any]:
        """POST /v1/videos. Return the video object."""
        return self._json(self._call("POST", "/v1/videos", body))

    def read(self, video_id: str) -> tuple[dict[str, Any], float]:
        """GET /v1/videos/{id}. Return the video object and the seconds until the next poll."""
        response = self._call("GET", f"/v1/videos/{video_id}")
        try:
            pause = float(response.headers.get("Retry-After", DEFAULT_PAUSE))
        except ValueError:
            pause = DEFAULT_PAUSE
        return self._json(response), max(pause, 0.1)

    def download_link(self, video_id: str) -> dict[str, Any]:
        """GET /v1/videos/{id}/download. Return `url`, `expires_at`, `size_bytes` and `sha256`."""
        return self._json(self._call("GET", f"/v1/videos/{video_id}/download"))

    def download(self, link: dict[str, Any], path: Path) -> None:
        """Download a signed URL to `path`, which is created only when the download is complete."""
        partial = path.with_name(f"{path.name}.part")
        # A new session: the URL is signed, and the API key must not reach the storage.
        with requests.Session() as session:
            session.trust_env = False
            timeout = (CONNECT_SECONDS, READ_SECONDS)
            with session.get(link["url"], stream=True, timeout=timeout) as response:
                if not response.ok:
                    raise ApiError(response)
                with partial.open("wb") as file:
                    for chunk in response.iter_content(1 << 20):
                        file.write(chunk)
        partial.replace(path)

    def _call(
        self, method: str, path: str, body: dict[str, Any] | None = None
    ) -> requests.Response:
        timeout = (CONNECT_SECONDS, READ_SECONDS)
        url = f"{self.base_url}{path}"
        response = self._session.request(method, url, json=body, timeout=timeout)
        if not response.ok:
            raise ApiError(response)
        return response

    @staticmethod
    def _json(response: requests.Response) -> dict[str, Any]:
        content = response.json()
        if not isinstance(content, dict):
            raise LocalCloudError(f"The response of {response.url} is not a JSON object.")
        return content


def create_body(*, image: Path | None, **fields: Any) -> dict[str, Any]:
    """Return the body of `POST /v1/videos`: fields that are set, and the image as a data URI."""
    body = {name: value for name, value in fields.items() if value is not None}
    if image is not None:
        media_type = mimetypes.guess_type(image.name)[0] or "application/octet-stream"
        encoded = base64.b64encode(image.read_bytes()).decode()
        body["image"] = f"data:{media_type};base64,{encoded}"
    return body
