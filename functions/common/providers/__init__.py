"""Provider protocols for text, images, video and speech, and their factories.

The folder is the registry: `providers/video/runway.py` is the video provider `runway`. A module
defines `create(context)`, and only the requested module is imported. The provider `offline` is in
the package `offline`, which only the functions that can use it contain.
"""

import importlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, cast

from common.domain.errors import InvalidInput
from common.domain.styles import Mood, Style
from common.domain.video import FREE, Cost, EncodedImage, Story

if TYPE_CHECKING:
    from common.media.wav import PcmAudio
    from common.storage import MediaStore

OFFLINE = "offline"

_HERE = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class ProviderContext:
    """What a provider may use: its API key if it needs one, its address, and the media store."""

    store: "MediaStore"
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)
    base_urls: Mapping[str, str] = field(default_factory=dict)


# -- text ------------------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True)
class StoryRequest:
    """Wish for a story of `scenes` scenes, each `seconds` long.

    Where it is `narrated`, each scene says what is told in it, in the prompt's own language or in
    `language` (BCP 47), short enough for the scene.
    """

    prompt: str
    scenes: int
    seconds: int
    style: Style
    mood: Mood
    model: str
    seed: int
    narrated: bool = False
    language: str | None = None


@dataclass(frozen=True, slots=True)
class StoryResult:
    """The story, and what it cost."""

    story: Story
    cost: Cost


class TextProvider(Protocol):
    """Writes stories."""

    def write_story(self, request: StoryRequest) -> StoryResult:
        """Return a story with exactly the wished number of scenes.

        One paid call, and at most one more: where the first was answered and charged, but its
        story cannot be used. The cost is that of both.
        """
        ...


# -- image -----------------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True)
class ImageRequest:
    """Wish for one picture of exactly `size` (width, height) pixels.

    `reference` is the user's own picture; `anchor` is the picture of scene 1, which the others
    follow in characters and place. `scene` counts from 1, of `scenes`.
    """

    prompt: str
    size: tuple[int, int]
    scene: int
    scenes: int
    style: Style
    mood: Mood
    model: str
    seed: int
    reference: EncodedImage | None = None
    anchor: EncodedImage | None = None


@dataclass(frozen=True, slots=True)
class ImageResult:
    """The picture (PNG, exactly the wished size), and what it cost."""

    picture: EncodedImage
    cost: Cost


class ImageProvider(Protocol):
    """Paints pictures."""

    def generate_image(self, request: ImageRequest) -> ImageResult:
        """Return the picture; one paid call at most."""
        ...


# -- video -----------------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True)
class ClipRequest:
    """Wish for a clip of `seconds` that sets `image` in motion, at the image's own size.

    `image_key` is where the image lies in the media store. `client_token` names the attempt, for
    providers that know idempotent submits.
    """

    image: EncodedImage
    image_key: str
    prompt: str
    ratio: str
    seconds: int
    scene: int
    mood: Mood
    model: str
    seed: int
    client_token: str


@dataclass(frozen=True, slots=True)
class JobRef:
    """A job at a provider; JSON, stored before the first poll. `facts` are the provider's own."""

    provider: str
    model: str
    id: str
    facts: Mapping[str, Any] = field(default_factory=dict)
    estimated: Cost = FREE
    wait_seconds: int = 5

    def as_json(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return {
            "provider": self.provider,
            "model": self.model,
            "id": self.id,
            "facts": dict(self.facts),
            "estimated": self.estimated.as_json(),
            "wait_seconds": self.wait_seconds,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "JobRef":
        """Read what `as_json` wrote."""
        return cls(
            provider=data["provider"],
            model=data["model"],
            id=data["id"],
            facts=data["facts"],
            estimated=Cost.from_json(data["estimated"]),
            wait_seconds=data["wait_seconds"],
        )


class JobStatus(StrEnum):
    """State of a job at a provider. THROTTLED is accepted and waiting, not failed."""

    QUEUED = "queued"
    THROTTLED = "throttled"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELED = "canceled"


class Retry(StrEnum):
    """May the same work be tried again, and how.

    SAME: at once. LATER: when the provider has recovered, or somebody has seen to it.
    """

    NO = "no"
    SAME = "same"
    CHANGED_INPUT = "changed_input"
    LATER = "later"


@dataclass(frozen=True, slots=True)
class JobFailure:
    """Why a job failed: own code, words for the user, and whether trying again can help.

    `resubmits` is how often the provider advises to submit it again; that is done only for a job
    that cost nothing.
    """

    code: str
    detail: str
    retry: Retry
    resubmits: int = 0


@dataclass(frozen=True, slots=True)
class JobState:
    """What a poll answered. `wait_seconds` is when to ask again; `progress` is 0 to 1.

    `is_guess`: the provider does not show the job, or shows a status that is new to us.
    """

    status: JobStatus
    wait_seconds: int = 5
    progress: float | None = None
    cost: Cost | None = None
    failure: JobFailure | None = None
    outputs: tuple[str, ...] = ()
    is_guess: bool = False


@dataclass(frozen=True, slots=True)
class Reconciliation:
    """What is certain of an earlier submit whose answer was lost: evidence, never its absence.

    `job` is the job that it made. `counted` is how many jobs of the model the account has accepted
    in the last 24 hours. A trace with neither proves nothing.
    """

    job: JobRef | None = None
    accepted_count: int | None = None


class VideoProvider(Protocol):
    """Animates pictures, as jobs."""

    def submit(self, request: ClipRequest) -> JobRef:
        """Start a job; exactly one paid call, never repeated here."""
        ...

    def poll(self, job: JobRef) -> JobState:
        """Ask once how the job is doing; free, and safe to repeat."""
        ...

    def fetch(self, job: JobRef, state: JobState, target: Path) -> None:
        """Write the finished clip (MP4) to `target`; free, and safe to repeat.

        Does not ask for the job. Raises TransientError, or MediaError (`clip.output_lost`,
        `media.invalid`) when another poll may name another link.
        """
        ...

    def cancel(self, job: JobRef, state: JobState) -> JobState:
        """Stop a job in this state, as just polled, if that saves its cost; return the state after.

        A job that is billed anyway is left alone, and so is one that is finished.
        """
        ...

    def reconcile(self, request: ClipRequest, age_seconds: int) -> Reconciliation:
        """Look for what became of a submit of this very request, so many seconds ago.

        Nothing is bought by it that the submit had not bought. Raises NotAccepted to be asked
        again later; any other VideoError counts as no trace.
        """
        ...


# -- speech ----------------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True)
class SpeechRequest:
    """Wish to hear `text`, which was written for a scene of `seconds`.

    `voice` is one of the model's; None is its own choice. `language` is a BCP 47 tag; None is to
    be seen from the text.
    """

    text: str
    seconds: int
    mood: Mood
    model: str
    voice: str | None = None
    language: str | None = None


@dataclass(frozen=True, slots=True)
class SpeechResult:
    """What was spoken, and what it cost. `warnings` say what differs from the request.

    `pace` is how many times as fast as usual it was spoken, to fit into its scene.
    """

    sound: "PcmAudio"
    cost: Cost
    warnings: tuple[str, ...] = ()
    pace: float = 1.0


class SpeechProvider(Protocol):
    """Speaks."""

    def synthesize(self, request: SpeechRequest) -> SpeechResult:
        """Return the text as spoken, word for word; one paid call at most."""
        ...


# -- registry --------------------------------------------------------------------------------------
def names(kind: str) -> list[str]:
    """Return the names of the providers of a kind (`text`, `image`, `video`, `speech`)."""
    vendors = (p.stem for p in (_HERE / kind).glob("*.py") if not p.stem.startswith("_"))
    return sorted([*vendors, OFFLINE])


def text_provider(name: str, context: ProviderContext) -> TextProvider:
    """Return the text provider of that name."""
    return cast(TextProvider, _create("text", name, context))


def image_provider(name: str, context: ProviderContext) -> ImageProvider:
    """Return the image provider of that name."""
    return cast(ImageProvider, _create("image", name, context))


def video_provider(name: str, context: ProviderContext) -> VideoProvider:
    """Return the video provider of that name."""
    return cast(VideoProvider, _create("video", name, context))


def speech_provider(name: str, context: ProviderContext) -> SpeechProvider:
    """Return the speech provider of that name."""
    return cast(SpeechProvider, _create("speech", name, context))


def _create(kind: str, name: str, context: ProviderContext) -> object:
    known = names(kind)
    if name not in known:
        raise InvalidInput(
            f"There is no {kind} provider '{name}'; allowed: {', '.join(known)}.",
            field=f"{kind}_provider",
            allowed=known,
        )
    module = f"offline.{kind}" if name == OFFLINE else f"common.providers.{kind}.{name}"
    return importlib.import_module(module).create(context)
