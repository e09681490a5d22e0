"""The domain's basic types: statuses, stages, run scopes, scenes, files and costs."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum

RATIOS: dict[str, tuple[int, int]] = {
    "1280:720": (1280, 720),
    "720:1280": (720, 1280),
    "1104:832": (1104, 832),
    "832:1104": (832, 1104),
    "960:960": (960, 960),
    "1584:672": (1584, 672),
}
"""Supported ratios, with the size (width, height) of images and clips in pixels."""

MAX_SCENES = 60
MAX_PROMPT_CHARACTERS = 4000


class Status(StrEnum):
    """The status of a video, of a run, and of a step (an image, a clip, the merge)."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELED = "canceled"


TERMINAL = frozenset({Status.SUCCEEDED, Status.FAILED, Status.CANCELED})


class Stage(StrEnum):
    """The stages of a run, in the order of the pipeline."""

    STORY = "story"
    IMAGE = "image"
    SPEECH = "speech"
    CLIP = "clip"
    MERGE = "merge"
    FINISH = "finish"


class RunScope(StrEnum):
    """The scope of a run: the whole video, or one part of it.

    `VIDEO` makes a clip of each existing image and merges the clips.
    """

    ALL = "all"
    STORY = "story"
    IMAGE = "image"
    CLIP = "clip"
    VIDEO = "video"
    MERGE = "merge"


_FIRST_STAGES = {
    RunScope.ALL: Stage.STORY,
    RunScope.STORY: Stage.STORY,
    RunScope.IMAGE: Stage.IMAGE,
    RunScope.CLIP: Stage.CLIP,
    RunScope.VIDEO: Stage.CLIP,
    RunScope.MERGE: Stage.MERGE,
}


@dataclass(frozen=True, slots=True)
class RunTarget:
    """The scope of a run, and the versions of images or clips that it makes, by scene.

    For scenes without an entry, the run makes the newest version.
    """

    scope: RunScope = RunScope.ALL
    versions: Mapping[int, int] = field(default_factory=dict)

    @property
    def first_stage(self) -> Stage:
        """The first stage of the run."""
        return _FIRST_STAGES[self.scope]


WHOLE = RunTarget()


@dataclass(frozen=True, slots=True)
class EncodedImage:
    """An encoded image in memory. `media_type` is an IANA type such as image/png."""

    data: bytes = field(repr=False)
    media_type: str = "image/png"


@dataclass(frozen=True, slots=True)
class File:
    """A stored output file of a video.

    `kind` is video, rendition, poster, thumbnail, preview or captions. A thumbnail has a `scene`.
    `width` and `height` are in pixels. `captioned` is true if captions are burned in.
    """

    kind: str
    key: str
    media_type: str
    size_bytes: int
    sha256: str
    scene: int | None = None
    width: int | None = None
    height: int | None = None
    seconds: float | None = None
    captioned: bool = False


@dataclass(frozen=True, slots=True)
class Cost:
    """The cost of a paid call in US dollars, and in the provider's units if it has any."""

    usd: Decimal = Decimal(0)
    units: Decimal | None = None
    unit: str | None = None

    def as_json(self) -> dict[str, str | None]:
        """Return the cost as a JSON object."""
        units = None if self.units is None else str(self.units)
        return {"usd": str(self.usd), "units": units, "unit": self.unit}

    @classmethod
    def from_json(cls, data: Mapping[str, str | None]) -> "Cost":
        """Return the cost from a JSON object of `as_json`."""
        units = data["units"]
        return cls(
            usd=Decimal(data["usd"] or 0),
            units=None if units is None else Decimal(units),
            unit=data["unit"],
        )


FREE = Cost()


@dataclass(frozen=True, slots=True)
class Scene:
    """A scene of a story. `number` counts from 1; `start_seconds` is its offset in the video.

    `narration` is the spoken text, if the video is narrated. `warnings` list differences from the
    request.
    """

    number: int
    start_seconds: int
    description: str
    image_prompt: str
    motion_prompt: str
    narration: str | None = None
    warnings: tuple[str, ...] = ()

    @property
    def timestamp(self) -> str:
        """The start in minutes and seconds, such as `0:05`."""
        return f"{self.start_seconds // 60}:{self.start_seconds % 60:02d}"


@dataclass(frozen=True, slots=True)
class Story:
    """A title, an overview, and the scenes in order."""

    title: str
    overview: str
    scenes: tuple[Scene, ...]
