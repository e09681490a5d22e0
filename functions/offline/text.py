"""Offline text provider: composes stories by rule on this machine, free and without AI."""

from common.domain.video import FREE
from common.providers import ProviderContext, StoryRequest, StoryResult
from offline.storyteller.arc import tell


def create(_context: ProviderContext) -> "OfflineStoryteller":
    """Return the provider, which needs no configuration."""
    return OfflineStoryteller()


class OfflineStoryteller:
    """A deterministic text provider: equal requests give equal stories."""

    def write_story(self, request: StoryRequest) -> StoryResult:
        """Return a story with exactly the requested number of scenes."""
        return StoryResult(tell(request), FREE)
