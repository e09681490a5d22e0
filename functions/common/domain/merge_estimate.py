"""What the merge of a video needs, estimated before anything is paid. Touches nothing.

The merge runs in one function: 890 s on 1.7 processors with 3,008 MiB (docs/decisions/0014). Its
memory does not grow with the video, since shots are encoded one after the other within a budget
(`media.ffmpeg_process`). Its time does, so a request that would not end in time is refused here.
"""

from dataclasses import dataclass, replace
from fractions import Fraction

from common.domain.errors import InvalidInput
from common.domain.output import BLUR, PLAIN, Fit, Format, Output, Size, Transition

MOST_PROCESSOR_SECONDS = 1050
"""890 s on 1.7 processors are 1,513; the rest is for transfers, stills, and slower processors."""

# Processor-seconds, by `python -m tests.benchmarks merge_limit`, with a quarter added.
_FRAME = 0.004  # for each frame, whatever its size: decoding a clip of 720p, filters, muxing
_MEGAPIXEL = {Format.MP4: 0.034, Format.WEBM: 0.05}  # for each million pixels that are encoded
_BLUR, _CAPTIONS = 0.011, 0.004  # the same, in addition
_BLEND = 0.02  # for each million pixels in which two scenes overlap
_COPIED = 0.001  # for each frame that is not encoded
_SCENE, _FIXED = 0.5, 10.0  # thumbnails and starting ffmpeg; posters, previews, verification
# For each second of sound, whatever is done with it: decoding, narration and music, measuring, and
# limiting peaks up to three times; and encoding for each file.
_SOUND, _SOUND_FILE = 0.045, 0.011
_USUAL_FPS = 24  # what providers send


@dataclass(frozen=True, slots=True)
class Merge:
    """A merge: scenes of so many seconds, whose clips have the size `natural`."""

    output: Output
    natural: Size
    scenes: int
    seconds: float

    @property
    def processor_seconds(self) -> float:
        """How long one processor would take for it, about."""
        main = self.output.shape.of(self.natural)
        files = [self._file(main, copies=self._copies(main))]
        files += [self._file(shape.of(main), copies=False) for shape in self.output.renditions]
        sound = self.scenes * self.seconds * (_SOUND + len(files) * _SOUND_FILE)
        return _FIXED + self.scenes * _SCENE + sound + sum(files)

    def _copies(self, size: Size) -> bool:
        output = self.output
        return (
            output.format is Format.MP4
            and output.transition is Transition.CUT
            and output.fps is None
            and not output.captions_burned
            and size == self.natural
        )

    def _file(self, size: Size, *, copies: bool) -> float:
        output = self.output
        fps = float(output.fps or _USUAL_FPS)
        frames = self.scenes * self.seconds * fps
        if copies:
            return frames * _COPIED
        millions = size[0] * size[1] / 1_000_000
        each = _MEGAPIXEL[output.format]
        if output.background == BLUR and output.fit is Fit.PAD and not _alike(size, self.natural):
            each += _BLUR
        if output.captions_burned:
            each += _CAPTIONS
        whole = frames * (_FRAME + millions * each)
        if output.transition is not Transition.CUT:
            overlaps = self.scenes - 1
            length = min(output.transition_seconds, self.seconds / 2)
            # The scene before is decoded once more, up to the frames that overlap.
            whole += overlaps * (self.seconds * fps * _FRAME + length * fps * millions * _BLEND)
        return whole


def check(merge: Merge) -> None:
    """Raise InvalidInput, naming what to reduce, for a merge that would not end in time."""
    needed = merge.processor_seconds
    if needed <= MOST_PROCESSOR_SECONDS:
        return
    raise InvalidInput(
        f"Joining {merge.scenes} scenes of {merge.seconds:g} s like this would take about "
        f"{needed:,.0f} seconds of processor time; at most {MOST_PROCESSOR_SECONDS:,} are there. "
        f"Nothing was stored or charged. What helps: {'; '.join(_remedies(merge))}.",
        code="output.too_heavy",
        field="output",
        allowed=_remedies(merge),
    )


def _remedies(merge: Merge) -> list[str]:
    """Return what would help, that which helps most first; with each, what it would come to."""
    output = merge.output
    fitting = (
        scenes
        for scenes in range(merge.scenes, 0, -1)
        if replace(merge, scenes=scenes).processor_seconds <= MOST_PROCESSOR_SECONDS
    )
    changes = {
        "no renditions": replace(output, renditions=()),
        "the size of the clips": replace(output, shape=PLAIN.shape),
        f"fps {_USUAL_FPS}": replace(output, fps=Fraction(_USUAL_FPS)),
        "format mp4": replace(output, format=Format.MP4),
        "a plain background": replace(output, background=PLAIN.background),
        "transition cut": replace(output, transition=Transition.CUT),
        "captions that are not burned in": replace(output, captions_burned=False),
    }
    costs = {
        text: replace(merge, output=changed).processor_seconds for text, changed in changes.items()
    }
    helping = sorted((cost, text) for text, cost in costs.items() if cost < merge.processor_seconds)
    return [
        *(f"{text}: about {cost:,.0f} s" for cost, text in helping),
        f"fewer or shorter scenes: at most about {next(fitting, 1)} of this length",
    ]


def _alike(one: Size, other: Size) -> bool:
    return one[0] * other[1] == one[1] * other[0]
