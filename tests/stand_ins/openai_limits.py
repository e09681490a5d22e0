"""OpenAI's limit of images per minute. Input images are counted; a call without any counts as 1."""

from collections import deque
from threading import Lock

from tests.stand_ins.openai_errors import Refused

_SECONDS = 60


class ImageRateLimit:
    """A sliding window of the images of the last 60 seconds."""

    def __init__(self) -> None:
        self._moments: deque[float] = deque()
        self._lock = Lock()

    def count(self, model: str, requested: int, limit: int | None, now: float) -> None:
        """Count a call. Raises Refused (429 with Retry-After) over the limit; None is no limit."""
        if limit is None:
            return
        with self._lock:
            while self._moments and self._moments[0] <= now - _SECONDS:
                self._moments.popleft()
            used = len(self._moments)
            over = used + requested - limit
            if over <= 0:
                self._moments.extend([now] * requested)
                return
            freed = self._moments[min(over, used) - 1] if used else now
        wait = freed + _SECONDS - now
        raise Refused(
            429,
            f"Rate limit reached for {model} (for limit gpt-image) in organization org-x on "
            f"input-images per min: Limit {limit}, Used {used}, Requested {requested}. Please try "
            f"again in {wait:.3g}s. Visit https://platform.openai.com/account/rate-limits to "
            "learn more.",
            code="rate_limit_exceeded",
            kind="input-images",
            headers={"retry-after": f"{-(-wait // 1):.0f}", "retry-after-ms": f"{wait * 1000:.0f}"},
        )
