"""The offline storyteller as a text provider: composed on this machine by rule, no AI, free."""

from common.domain.video import FREE
from common.providers import ProviderContext, StoryRequest, StoryResult
from offline.storyteller.arc import tell


def create(_context: ProviderContext) -> "OfflineStoryteller":
    """Return the provider; it needs nothing."""
    return OfflineStoryteller()


class OfflineStoryteller:
    """Composes; the same request gives the same story."""

    def write_story(self, request: StoryRequest) -> StoryResult:
        """Return a story with exactly the wished number of scenes."""
        return StoryResult(tell(request), FREE)
