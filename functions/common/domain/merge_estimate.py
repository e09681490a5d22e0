"""The estimated processor time of a merge, checked before anything is paid. Pure functions.

The merge runs in one Lambda function: 890 s on 1.7 processors with 3,008 MiB (docs/decisions/0014).
Its memory does not grow with the video, because segments are encoded sequentially within a budget
(`media.ffmpeg_process`). Its duration does, so a request that would time out is rejected here.
"""

from dataclasses import dataclass, replace
from fractions import Fraction

from common.domain.errors import InvalidInput
from common.domain.output import BLUR, PLAIN, Fit, Format, Output, Size, Transition

MOST_PROCESSOR_SECONDS = 1050
"""890 s on 1.7 processors are 1,513; the rest is for transfers, stills and slower processors."""

# Processor-seconds, measured with `python -m tests.benchmarks merge_limit`, plus a quarter.
_FRAME = 0.004  # per frame of any size: decode a 720p clip, filter, mux
_MEGAPIXEL = {Format.MP4: 0.034, Format.WEBM: 0.05}  # per million encoded pixels
_BLUR, _CAPTIONS = 0.011, 0.004  # in addition, per million encoded pixels
_BLEND = 0.02  # per million pixels of overlapping scenes
_COPIED = 0.001  # per frame that is stream-copied
_SCENE, _FIXED = 0.5, 10.0  # thumbnails and ffmpeg starts; posters, previews, verification
# Per second of audio: decode, mix narration and music, measure, and limit peaks up to three times;
# and encode it for each file.
_AUDIO, _AUDIO_FILE = 0.045, 0.011
_TYPICAL_FPS = 24  # the frame rate of providers' clips


@dataclass(frozen=True, slots=True)
class Merge:
    """A merge of `scenes` clips of `seconds` each, with the frame size `natural`."""

    output: Output
    natural: Size
    scenes: int
    seconds: float

    @property
    def processor_seconds(self) -> float:
        """The estimated processor time in seconds."""
        main = self.output.shape.of(self.natural)
        files = [self._file(main, copies=self._copies(main))]
        files += [self._file(shape.of(main), copies=False) for shape in self.output.renditions]
        audio = self.scenes * self.seconds * (_AUDIO + len(files) * _AUDIO_FILE)
        return _FIXED + self.scenes * _SCENE + audio + sum(files)

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
        fps = float(output.fps or _TYPICAL_FPS)
        frames = self.scenes * self.seconds * fps
        if copies:
            return frames * _COPIED
        megapixels = size[0] * size[1] / 1_000_000
        per_megapixel = _MEGAPIXEL[output.format]
        is_padded = output.fit is Fit.PAD and not _has_same_ratio(size, self.natural)
        if output.background == BLUR and is_padded:
            per_megapixel += _BLUR
        if output.captions_burned:
            per_megapixel += _CAPTIONS
        total = frames * (_FRAME + megapixels * per_megapixel)
        if output.transition is not Transition.CUT:
            overlaps = self.scenes - 1
            overlap_seconds = min(output.transition_seconds, self.seconds / 2)
            # The previous scene is decoded again, up to the frames that overlap.
            blended = overlap_seconds * fps * megapixels
            total += overlaps * (self.seconds * fps * _FRAME + blended * _BLEND)
        return total


def check(merge: Merge) -> None:
    """Raise InvalidInput, with possible reductions, for a merge that would time out."""
    seconds = merge.processor_seconds
    if seconds <= MOST_PROCESSOR_SECONDS:
        return
    raise InvalidInput(
        f"Merging {merge.scenes} scenes of {merge.seconds:g} s with this output would take about "
        f"{seconds:,.0f} seconds of processor time; the limit is {MOST_PROCESSOR_SECONDS:,}. "
        f"Nothing was stored or charged. Possible changes: {'; '.join(_remedies(merge))}.",
        code="output.too_heavy",
        field="output",
        allowed=_remedies(merge),
    )


def _remedies(merge: Merge) -> list[str]:
    """Return the changes that reduce the processor time, with the result of each, best first."""
    output = merge.output
    fitting = (
        scenes
        for scenes in range(merge.scenes, 0, -1)
        if replace(merge, scenes=scenes).processor_seconds <= MOST_PROCESSOR_SECONDS
    )
    changes = {
        "no renditions": replace(output, renditions=()),
        "the size of the clips": replace(output, shape=PLAIN.shape),
        f"fps {_TYPICAL_FPS}": replace(output, fps=Fraction(_TYPICAL_FPS)),
        "format mp4": replace(output, format=Format.MP4),
        "a plain background": replace(output, background=PLAIN.background),
        "transition cut": replace(output, transition=Transition.CUT),
        "captions that are not burned in": replace(output, captions_burned=False),
    }
    costs = {
        text: replace(merge, output=changed).processor_seconds for text, changed in changes.items()
    }
    reductions = sorted(
        (cost, text) for text, cost in costs.items() if cost < merge.processor_seconds
    )
    return [
        *(f"{text}: about {cost:,.0f} s" for cost, text in reductions),
        f"fewer or shorter scenes: at most about {next(fitting, 1)} of this duration",
    ]


def _has_same_ratio(a: Size, b: Size) -> bool:
    return a[0] * b[1] == a[1] * b[0]
