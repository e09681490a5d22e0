"""The plan of a cut: which clips, in which order, and what must come out. Touches nothing."""

from collections.abc import Sequence
from dataclasses import dataclass

from common.errors import MediaError
from common.ffmpeg import Facts

_SECONDS_TOLERANCE = 0.05


@dataclass(frozen=True, slots=True)
class Plan:
    """Clips that can be joined as they are, and the length that the result must have."""

    scenes: tuple[int, ...]
    frames: int
    seconds: float


def plan(clips: Sequence[tuple[int, Facts]]) -> Plan:
    """Plan the joining of clips (scene number, facts) without re-encoding.

    Raises MediaError that names the first clip which does not match the first one, and in what.
    """
    if not clips:
        raise MediaError("There are no clips to join.", code="merge.nothing")
    model = clips[0][1]
    for scene, facts in clips:
        if facts.has_sound:
            raise _mismatch(scene, "it has sound, and clips are joined silent", "merge.sound")
        for what, have, want in (
            ("codec", facts.codec, model.codec),
            ("size", f"{facts.width}x{facts.height}", f"{model.width}x{model.height}"),
            ("pixel shape", facts.sample_aspect, model.sample_aspect),
            ("time base", facts.time_base, model.time_base),
            ("encoder set-up", facts.setup, model.setup),
        ):
            if have != want:
                raise _mismatch(
                    scene,
                    f"its {what} is {have}, that of scene {clips[0][0]} is {want}",
                    "merge.mismatch",
                )
        if not facts.rising:
            raise _mismatch(scene, "its time stamps do not rise", "merge.time_stamps")
    return Plan(
        scenes=tuple(scene for scene, _ in clips),
        frames=sum(facts.frames for _, facts in clips),
        seconds=sum(facts.seconds for _, facts in clips),
    )


def check(result: Facts, wanted: Plan) -> None:
    """Hold the joined file against the plan; raises MediaError."""
    if result.frames != wanted.frames:
        raise MediaError(
            f"The joined video has {result.frames} pictures instead of {wanted.frames}.",
            code="merge.incomplete",
        )
    if abs(result.seconds - wanted.seconds) > _SECONDS_TOLERANCE or not result.rising:
        raise MediaError(
            f"The joined video lasts {result.seconds:.2f} s instead of {wanted.seconds:.2f} s, "
            "or its time stamps do not rise.",
            code="merge.time_stamps",
        )


def _mismatch(scene: int, why: str, code: str) -> MediaError:
    return MediaError(f"The clip of scene {scene} cannot be joined: {why}.", code=code)
