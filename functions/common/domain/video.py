"""The nouns: a video, its scenes, and what they are made of. Touches nothing outside."""

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
"""Allowed ratios with the size in pixels (width, height) of pictures and clips."""

MAX_SCENES = 60
MAX_PROMPT_CHARACTERS = 4000


class Status(StrEnum):
    """Status of a video, of a run, and of one step of it (a picture, a clip, a final cut)."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELED = "canceled"


TERMINAL = frozenset({Status.SUCCEEDED, Status.FAILED, Status.CANCELED})


class Stage(StrEnum):
    """What a run is working on, in the order of the pipeline."""

    STORY = "story"
    IMAGE = "image"
    SPEECH = "speech"
    CLIP = "clip"
    MERGE = "merge"
    FINISH = "finish"


class RunScope(StrEnum):
    """What a run makes: the whole video, or one part of it.

    `VIDEO` is a clip of each picture that is there, joined into a video.
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
    """A part, and the versions of pictures or clips that are made for it, by scene.

    Without a version of its own, a scene's newest one is made.
    """

    scope: RunScope = RunScope.ALL
    versions: Mapping[int, int] = field(default_factory=dict)

    @property
    def first_stage(self) -> Stage:
        """Where its run begins."""
        return _FIRST_STAGES[self.scope]


WHOLE = RunTarget()


@dataclass(frozen=True, slots=True)
class EncodedImage:
    """An encoded picture in memory. `media_type` is an IANA type such as image/png."""

    data: bytes = field(repr=False)
    media_type: str = "image/png"


@dataclass(frozen=True, slots=True)
class File:
    """A stored file that was made of a video.

    `kind` is video, rendition, poster, thumbnail, preview or captions; a thumbnail belongs to a
    `scene`. Width and height are pixels; `captioned` says that captions are drawn into it.
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
    """What a call cost: US dollars, and the provider's own units where it has some."""

    usd: Decimal = Decimal(0)
    units: Decimal | None = None
    unit: str | None = None

    def as_json(self) -> dict[str, str | None]:
        """Return plain JSON values."""
        units = None if self.units is None else str(self.units)
        return {"usd": str(self.usd), "units": units, "unit": self.unit}

    @classmethod
    def from_json(cls, data: Mapping[str, str | None]) -> "Cost":
        """Read what `as_json` wrote."""
        units = data["units"]
        return cls(
            usd=Decimal(data["usd"] or 0),
            units=None if units is None else Decimal(units),
            unit=data["unit"],
        )


FREE = Cost()


@dataclass(frozen=True, slots=True)
class Scene:
    """One scene of a story. `number` counts from 1; `start_seconds` is its place in the video.

    `narration` is what is said in it, where the video is narrated; `warnings` tell the owner what
    differs from the request.
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
        """The start as minutes and seconds, `0:05`."""
        return f"{self.start_seconds // 60}:{self.start_seconds % 60:02d}"


@dataclass(frozen=True, slots=True)
class Story:
    """A title, an overview, and the scenes in order."""

    title: str
    overview: str
    scenes: tuple[Scene, ...]
