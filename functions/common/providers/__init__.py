"""Provider protocols for text, images, video and speech, and their factories.

The folder is the registry: `providers/video/runway.py` is the video provider `runway`. Each module
defines `create(context)`, and only the requested module is imported. The provider `offline` is in
the package `offline`, which is deployed only with the functions that can use it.
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
    """Dependencies of a provider: media store, secrets (API keys), and base URLs by vendor."""

    store: "MediaStore"
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)
    base_urls: Mapping[str, str] = field(default_factory=dict)


# -- text ------------------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True)
class StoryRequest:
    """A request for a story of `scenes` scenes, each `seconds` long.

    If `narrated`, each scene gets a narration that fits its duration, in `language` (a BCP 47 tag)
    or, if None, in the language of the prompt.
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
    """A story and its cost."""

    story: Story
    cost: Cost


class TextProvider(Protocol):
    """A provider of stories."""

    def write_story(self, request: StoryRequest) -> StoryResult:
        """Return a story with exactly the requested number of scenes.

        Makes one paid call, and a second one only if the first was certainly answered and charged
        but its story is not usable. The cost is the sum of both.
        """
        ...


# -- image -----------------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True)
class ImageRequest:
    """A request for one image of exactly `size` (width, height) in pixels.

    `reference` is the reference image of the client. `anchor` is the first image (that of scene 1),
    which the images of the other scenes follow in characters and places. `scene` counts from 1 to
    `scenes`.
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
    """An image (PNG, exactly the requested size) and its cost."""

    picture: EncodedImage
    cost: Cost


class ImageProvider(Protocol):
    """A provider of images."""

    def generate_image(self, request: ImageRequest) -> ImageResult:
        """Return the image; makes at most one paid call."""
        ...


# -- video -----------------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True)
class ClipRequest:
    """A request for a clip of `seconds` that animates `image`, at the size of the image.

    `image_key` is the image's key in the media store. `client_token` is the idempotency token of
    the attempt, for providers with idempotent submits.
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
    """A reference to a provider job, stored as JSON before the first poll.

    `facts` are provider-specific. `wait_seconds` is the delay before the first poll.
    """

    provider: str
    model: str
    id: str
    facts: Mapping[str, Any] = field(default_factory=dict)
    estimated: Cost = FREE
    wait_seconds: int = 5

    def as_json(self) -> dict[str, Any]:
        """Return the reference as plain JSON values."""
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
        """Return the reference that `as_json` serialized."""
        return cls(
            provider=data["provider"],
            model=data["model"],
            id=data["id"],
            facts=data["facts"],
            estimated=Cost.from_json(data["estimated"]),
            wait_seconds=data["wait_seconds"],
        )


class JobStatus(StrEnum):
    """Status of a provider job. THROTTLED means accepted and waiting, not failed."""

    QUEUED = "queued"
    THROTTLED = "throttled"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELED = "canceled"


class Retry(StrEnum):
    """Retry advice for failed work.

    NO: do not retry. SAME: retry unchanged, at once. LATER: retry unchanged, after the provider has
    recovered or the owner of the account has fixed the cause. CHANGED_INPUT: retry with another
    input.
    """

    NO = "no"
    SAME = "same"
    CHANGED_INPUT = "changed_input"
    LATER = "later"


@dataclass(frozen=True, slots=True)
class JobFailure:
    """The reason for a job's failure: our error code, a message for the user, and retry advice.

    `resubmits` is the number of resubmissions that the provider recommends. Only a job that cost
    nothing is resubmitted.
    """

    code: str
    detail: str
    retry: Retry
    resubmits: int = 0


@dataclass(frozen=True, slots=True)
class JobState:
    """The state of a job as of one poll.

    `wait_seconds` is the polling interval until the next poll; `progress` is 0 to 1. `is_guess` is
    true if the provider does not show the job, or reports a status that this program does not know.
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
    """Evidence about an earlier submit whose response was lost.

    `job` is the job that the submit created. `accepted_count` is the number of jobs of the model
    that the account accepted in the last 24 hours. A reconciliation with neither proves nothing:
    the absence of evidence is never proof that the submit was not accepted.
    """

    job: JobRef | None = None
    accepted_count: int | None = None


class VideoProvider(Protocol):
    """A provider of clips, made by asynchronous jobs."""

    def submit(self, request: ClipRequest) -> JobRef:
        """Start a job by exactly one paid call, which is never retried here."""
        ...

    def poll(self, job: JobRef) -> JobState:
        """Poll the job once; free and idempotent."""
        ...

    def fetch(self, job: JobRef, state: JobState, target: Path) -> None:
        """Write the finished clip (MP4) to `target`; free and idempotent.

        Does not poll the job. Raises TransientError, or MediaError (`clip.output_lost`,
        `media.invalid`) if another poll may return a different link.
        """
        ...

    def cancel(self, job: JobRef, state: JobState) -> JobState:
        """Cancel a job if that saves its cost; return the state afterwards.

        `state` is the result of a poll just before. A finished job is left unchanged, and so is one
        that is billed anyway.
        """
        ...

    def reconcile(self, request: ClipRequest, age_seconds: int) -> Reconciliation:
        """Look for the outcome of a submit of the same request, `age_seconds` ago.

        Never causes a second charge. Raises NotAccepted if the caller should reconcile again later;
        any other VideoError counts as no evidence.
        """
        ...


# -- speech ----------------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True)
class SpeechRequest:
    """A request to synthesize `text`, which was written for a scene of `seconds`.

    `voice` is a voice of the model; None selects the default. `language` is a BCP 47 tag; None
    means that the language is detected from the text.
    """

    text: str
    seconds: int
    mood: Mood
    model: str
    voice: str | None = None
    language: str | None = None


@dataclass(frozen=True, slots=True)
class SpeechResult:
    """Synthesized speech and its cost. `warnings` describe differences from the request.

    `pace` is the speaking rate relative to normal (1.0), increased to fit the scene.
    """

    sound: "PcmAudio"
    cost: Cost
    warnings: tuple[str, ...] = ()
    pace: float = 1.0


class SpeechProvider(Protocol):
    """A provider of speech."""

    def synthesize(self, request: SpeechRequest) -> SpeechResult:
        """Return the text as speech, word for word; makes at most one paid call."""
        ...


# -- registry --------------------------------------------------------------------------------------
def names(kind: str) -> list[str]:
    """Return the sorted provider names of a kind (`text`, `image`, `video`, `speech`)."""
    vendors = (p.stem for p in (_HERE / kind).glob("*.py") if not p.stem.startswith("_"))
    return sorted([*vendors, OFFLINE])


def text_provider(name: str, context: ProviderContext) -> TextProvider:
    """Return the text provider with the name; raises InvalidInput if it does not exist."""
    return cast(TextProvider, _create("text", name, context))


def image_provider(name: str, context: ProviderContext) -> ImageProvider:
    """Return the image provider with the name; raises InvalidInput if it does not exist."""
    return cast(ImageProvider, _create("image", name, context))


def video_provider(name: str, context: ProviderContext) -> VideoProvider:
    """Return the video provider with the name; raises InvalidInput if it does not exist."""
    return cast(VideoProvider, _create("video", name, context))


def speech_provider(name: str, context: ProviderContext) -> SpeechProvider:
    """Return the speech provider with the name; raises InvalidInput if it does not exist."""
    return cast(SpeechProvider, _create("speech", name, context))


def _create(kind: str, name: str, context: ProviderContext) -> object:
    known = names(kind)
    if name not in known:
        raise InvalidInput(
            f"Unknown {kind} provider '{name}'. Allowed: {', '.join(known)}.",
            field=f"{kind}_provider",
            allowed=known,
        )
    module = f"offline.{kind}" if name == OFFLINE else f"common.providers.{kind}.{name}"
    return importlib.import_module(module).create(context)
