"""What is heard under a video: what is told in its scenes, and music, mixed with the clips' sound.

One pass over sound alone. The parts are laid on one track, as long as the pictures to the sample:

    clips ──┐
    music ──┴─ bed ── goes down while somebody speaks ──┐
    narration of each scene, quickened to fit, in place ─┴─ limiter ── track
"""

import array
import math
import shutil
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from common.domain.errors import MediaError
from common.media import ffmpeg
from common.media.wav import PcmAudio, read_wav
from merge.audio import downmix, loudness, narration_timing
from merge.audio.narration_timing import TimedNarration
from merge.models import MergedScene
from merge.scene_windows import window

RATE = 48_000
_SAMPLE_BYTES = 4  # of both channels
_TOGETHER = 8  # narrations in one run of ffmpeg
_SECONDS = 300
_MUSIC_SECONDS = 60
# Speech is brought to one loudness, whoever speaks: -20 dB, with room for its peaks.
_SPEECH_RMS, _PEAK, _MOST_GAIN = 0.1, 0.84, 8.0
_QUIET = 0.01  # pauses do not count
# The bed goes down by about 12 dB within 30 ms, and comes back in half a second.
_DUCK = "sidechaincompress=threshold=0.02:ratio=9:attack=30:release=500"
_LIMIT = "alimiter=limit=0.89:attack=5:release=60:level=false:latency=true"
_STEREO = f"aresample={RATE},aformat=sample_fmts=fltp:channel_layouts=stereo"
_SPOKEN = f"aresample={RATE},{downmix.to_stereo('mono')}"
# Music is brought to the loudness of speech before its own volume counts.
_MUSIC_LUFS, _MOST_MUSIC_GAIN = -18.0, 30.0
_FADE_SECONDS = 0.03


@dataclass(frozen=True, slots=True)
class Music:
    """Music under the video: a foreign file, how loud it is, how it comes and goes (seconds)."""

    path: Path
    volume: float
    fade_in: float
    fade_out: float
    loop: bool
    duck: bool


@dataclass(frozen=True, slots=True)
class Track:
    """What is to be heard beside the clips: narrations as WAV files, by scene, and music."""

    narrations: Mapping[int, Path]
    music: Music | None = None

    @property
    def is_silent(self) -> bool:
        """Whether there is nothing to mix."""
        return not self.narrations and self.music is None

    def spoken(self, parts: Sequence[MergedScene]) -> dict[int, TimedNarration]:
        """Return how each narration is put into its scene; none in scenes that were left out."""
        windows = {part.scene: window(part, parts) for part in parts}
        return {
            scene: narration_timing.placed(read_wav(path.read_bytes()), *windows[scene])
            for scene, path in self.narrations.items()
            if scene in windows and windows[scene][1] > windows[scene][0]
        }


@dataclass(slots=True)
class _Graph:
    """Inputs and filters, as they come together. Labels are our own."""

    inputs: list[str]
    chains: list[str]
    count: int = 0

    def add(self, source: Sequence[str], filters: str, label: str) -> str:
        self.inputs += source
        self.chains.append(f"[{self.count}:a:0]{filters}[{label}]")
        self.count += 1
        return f"[{label}]"

    def sum(self, labels: Sequence[str], label: str) -> str:
        self.chains.append(
            f"{''.join(labels)}amix=inputs={len(labels)}:normalize=0:duration=longest[{label}]"
        )
        return f"[{label}]"


def mix(
    track: Track, clips: Path | None, parts: Sequence[MergedScene], seconds: float, scratch: Path
) -> Path:
    """Write the sound of the whole video: 48 kHz, stereo, little-endian, 16 bits.

    `clips` is the clips' own sound in the same form, if they have any; `seconds` is the length of
    the video. Raises MediaError for music that cannot be read.
    """
    samples = round(seconds * RATE)
    whole = f"apad,atrim=end_sample={samples}"
    graph = _Graph([], [])
    beds, voice = [], ""
    spoken = track.spoken(parts)
    source: Sequence[str]
    if clips is not None:
        beds.append(graph.add(loudness.opened(clips), f"{_STEREO},{whole}", "clips"))
    if track.music:
        source, gain = _music(track.music, seconds, scratch)
        shaped = f"{_STEREO},volume={gain:.3f}dB,{_shaped(track.music, seconds)},{whole}"
        beds.append(graph.add(source, shaped, "music"))
    if spoken:
        source = loudness.opened(_voices(track.narrations, spoken, scratch))
        voice = graph.add(source, f"{_STEREO},{whole}", "spoken")
    ducks = track.music.duck if track.music else True
    heard = _heard(graph, beds, voice, whole, ducks=ducks)
    graph.chains.append(f"{heard}{_LIMIT},{whole}[track]")
    return _run(graph, "[track]", scratch / "soundtrack.pcm")


def _voices(
    narrations: Mapping[int, Path], spoken: Mapping[int, TimedNarration], scratch: Path
) -> Path:
    """Write all narrations into one file, each at its time.

    ffmpeg needs threads and memory for every input, so one run takes a few of them.
    """
    target = scratch / "voices.pcm"
    scenes = sorted(spoken, key=lambda scene: spoken[scene].start)
    with target.open("wb") as out:
        for first in range(0, len(scenes), _TOGETHER):
            some = scenes[first : first + _TOGETHER]
            begin = round(spoken[some[0]].start * RATE)
            graph = _Graph([], [])
            labels = [
                graph.add(
                    ("-f", "wav", "-i", str(narrations[scene])),
                    _said(spoken[scene], begin),
                    f"said{scene}",
                )
                for scene in some
            ]
            part = _run(graph, graph.sum(labels, "voices"), scratch / "voices_part.pcm")
            out.seek(begin * _SAMPLE_BYTES)
            with part.open("rb") as file:
                shutil.copyfileobj(file, out)
            part.unlink()
    return target


def _run(graph: _Graph, label: str, target: Path) -> Path:
    """Write what comes out of the graph at the label."""
    script = target.with_suffix(".txt")
    script.write_text(";\n".join(graph.chains), encoding="utf-8")
    ffmpeg.run(
        [
            *graph.inputs,
            "-/filter_complex",
            str(script),
            "-map",
            label,
            "-f",
            "s16le",
            "-ar",
            str(RATE),
            "-ac",
            "2",
            "-y",
            str(target),
        ],
        timeout=_SECONDS,
    )
    return target


def _heard(graph: _Graph, beds: Sequence[str], voice: str, whole: str, *, ducks: bool) -> str:
    """Bring bed and voice together; return the label of the sum."""
    bed = graph.sum(beds, "bed") if beds else ""
    if not (bed and voice):
        return bed or voice
    if not ducks:
        return graph.sum([bed, voice], "sum")
    graph.chains.append(f"{voice}asplit=2[voice][key]")
    graph.chains.append(f"{bed}[key]{_DUCK}[ducked]")
    return graph.sum(["[ducked]", "[voice]"], "sum")


def _music(music: Music, seconds: float, scratch: Path) -> tuple[list[str], float]:
    """Decode the foreign file on its own, under limits.

    Return how to open what came, and the gain in dB that brings it to the common loudness.
    """
    plain = scratch / "music.wav"
    try:
        used = ffmpeg.audio_stream(music.path, sound=True)
        stereo = f"aresample={RATE},{downmix.to_stereo(used.layout)}"
        ffmpeg.run(
            [
                *ffmpeg.source(music.path, sound=True),
                "-map",
                f"0:{used.index}",
                "-t",
                f"{seconds:.3f}",
                "-af",
                stereo,
                "-c:a",
                "pcm_s16le",
                "-f",
                "wav",
                "-y",
                str(plain),
            ],
            timeout=_MUSIC_SECONDS,
        )
    except MediaError as error:
        raise MediaError(
            f"The music has no sound that can be read: {error.detail} Nothing was joined; the "
            "clips are kept.",
            code="merge.music",
        ) from error
    opened = ["-f", "wav", "-i", str(plain)]
    found = loudness.measure(opened).integrated
    gain = 0.0 if found < loudness.SILENT_LUFS else min(_MUSIC_LUFS - found, _MOST_MUSIC_GAIN)
    return [*(("-stream_loop", "-1") if music.loop else ()), *opened], gain


def _shaped(music: Music, seconds: float) -> str:
    fade_in, fade_out = min(music.fade_in, seconds / 2), min(music.fade_out, seconds / 2)
    steps = [
        f"atrim=end={seconds:.6f}",
        f"volume={music.volume:.4f}",
    ]
    if fade_in:
        steps.append(f"afade=t=in:d={fade_in:.3f}")
    if fade_out:
        steps.append(f"afade=t=out:st={seconds - fade_out:.6f}:d={fade_out:.3f}")
    return ",".join(steps)


def _said(spoken: TimedNarration, begin: int) -> str:
    """Return the filters that put a narration into its scene, on a clock from sample `begin` on."""
    steps = [_SPOKEN, f"volume={_gain(spoken.sound):.4f}"]
    if spoken.pace > 1:
        steps.append(f"atempo={spoken.pace:.4f}")
    steps += [
        f"atrim=end={spoken.seconds:.6f}",
        f"afade=t=out:st={max(0.0, spoken.seconds - _FADE_SECONDS):.6f}:d={_FADE_SECONDS}",
        f"adelay=delays={round(spoken.start * RATE) - begin}S:all=1",
    ]
    return ",".join(steps)


def _gain(sound: PcmAudio) -> float:
    """Return the factor that brings speech to the common loudness."""
    samples = array.array("h", sound.samples)
    if sys.byteorder == "big":
        samples.byteswap()
    loud = [abs(sample) / 32768 for sample in samples[::4]]
    spoken = [value for value in loud if value > _QUIET]
    if not spoken:
        return 1.0
    rms = math.sqrt(sum(value * value for value in spoken) / len(spoken))
    return min(_SPEECH_RMS / rms, _PEAK / max(loud), _MOST_GAIN)
