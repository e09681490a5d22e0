"""The actions of the state space: requests of a user, and faults of the runs they start."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from tests.faults.scripted_vendors import (
    DECLINED_IMAGE,
    DECLINED_MOTION,
    DECLINED_STORY,
    SCENE,
    SCENES,
)

_WHOLE, _STEPS = "whole", "steps"
_GOOD = "a heron"
_PRICE_OF_ALL = "0.60"


@dataclass(frozen=True)
class Action:
    """A request and the fault of its run."""

    name: str
    method: str
    path: str
    body: Any = field(compare=False)
    mode: str = "ok"

    def __str__(self) -> str:
        return self.name if self.mode == "ok" else f"{self.name} ({self.mode})"


def begins() -> Iterator[Action]:
    """Yield the first requests of a video: whole with each fault or refusal, or step by step."""
    plain = {"prompt": _GOOD, "scenes": SCENES, "seconds": 5, "ratio": "960:960"}
    plain["requestId"] = _WHOLE
    for mode in _FAULTS:
        yield Action("create", "POST", "/v1/videos", plain, mode)
    for marker in (DECLINED_STORY, DECLINED_IMAGE, DECLINED_MOTION):
        declined = {**plain, "prompt": f"{_GOOD} {marker}"}
        yield Action(f"create {marker}", "POST", "/v1/videos", declined)
    limited, spoiled = {**plain, "max_cost": _PRICE_OF_ALL}, "image charged and held back"
    yield Action("create under a limit", "POST", "/v1/videos", limited, spoiled)
    story = {"prompt": _GOOD, "frameCount": SCENES, "duration": 5 * SCENES, "requestId": _STEPS}
    for mode in ("ok", "story refused", "story unknown"):
        yield Action("story", "POST", "/api/generate_story", story, mode)


_FAULTS = (
    "ok",
    "story refused",
    "story unknown",
    "image refused",
    "image unknown",
    "image charged and held back",
    "clip refused",
    "clip unknown",
    "clip failed",
    "clip gone",
    "merge failed",
    "canceled at once",
    "canceled at clip",
    "canceled at vendor",
)


def resumes(video_id: str) -> Iterator[Action]:
    """Yield the resume requests with every change that an error's advice can name."""
    resubmit = {"on_unknown": "resubmit_once"}
    scene = str(SCENE)
    bodies: dict[str, Any] = {
        "resume, again": resubmit,
        "resume": {},
        "resume, other prompt": {"prompt": _GOOD},
        "resume, again, other prompt": {"prompt": _GOOD, **resubmit},
        "resume, other picture": {"scenes": {scene: {"prompt": "a pier"}}},
        "resume, other motion": {"scenes": {scene: {"motion_prompt": "it flies"}}},
        "resume, again, other picture": {"scenes": {scene: {"prompt": "a pier"}}, **resubmit},
        "resume, again, other motion": {
            "scenes": {scene: {"motion_prompt": "it flies"}},
            **resubmit,
        },
        "resume, higher limit": {"max_cost": "9"},
    }
    for name, body in bodies.items():
        yield Action(name, "POST", f"/v1/videos/{video_id}/resume", body)


def parts(video_id: str) -> Iterator[Action]:
    """Yield the requests for one step."""
    one = {"requestId": video_id}
    yield Action(
        "story", "POST", "/api/generate_story", {**one, "prompt": _GOOD, "frameCount": SCENES}
    )
    for index in range(SCENES):
        image = {**one, "prompt": _GOOD, "frameIndex": index}
        yield Action(f"image {index}", "POST", "/api/generate_single_image", image)
        clip = {**one, "prompt": "it moves", "clipIndex": index}
        yield Action(f"clip {index}", "POST", "/api/generate_single_video_clip", clip)
    yield Action("merge", "POST", "/api/merge_video_clips", one)


def disturbances(video_id: str) -> Iterator[Action]:
    """Yield all faults and user actions that do not lead towards the finished video."""
    faults = {
        "resume": _FAULTS,
        "resume, again": ("image unknown", "clip unknown", "clip gone", "story unknown"),
        "resume, other picture": ("image refused", "clip failed", "canceled at once"),
    }
    for action in resumes(video_id):
        for mode in faults.get(action.name, ()):
            yield _with(action, mode)
    fixes = {
        "story": ("story refused", "story unknown"),
        f"image {SCENE - 1}": ("image refused", "image unknown", "canceled at once"),
        f"clip {SCENE - 1}": ("clip refused", "clip unknown", "clip failed", "canceled at clip"),
        "merge": ("merge failed",),
    }
    for action in parts(video_id):
        for mode in fixes.get(action.name, ()):
            yield _with(action, mode)
    first = {"requestId": video_id, "totalClips": 1}
    yield Action("merge of the first", "POST", "/api/merge_video_clips", first)
    yield Action("cancel", "POST", f"/v1/videos/{video_id}/cancel", None)


def _with(action: Action, mode: str) -> Action:
    return Action(action.name, action.method, action.path, action.body, mode)


def everything(name: str) -> Iterator[Action]:
    yield from resumes(name)
    yield from parts(name)
    yield from disturbances(name)
