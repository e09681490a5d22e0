"""The offline storyteller as a text provider: composed on this machine by rule, no AI, free."""

from common.providers import ProviderContext, StoryRequest, StoryResult
from common.providers.text._storyteller.arc import tell
from common.video import FREE


def create(_context: ProviderContext) -> "OfflineStoryteller":
    """Return the provider; it needs nothing."""
    return OfflineStoryteller()


class OfflineStoryteller:
    """Composes; the same request gives the same story."""

    def write_story(self, request: StoryRequest) -> StoryResult:
        """Return a story with exactly the wished number of scenes."""
        return StoryResult(tell(request), FREE)
