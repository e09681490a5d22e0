"""Mix narration and music with the clips' audio.

The mix has exactly the duration of the video:

    clips ──┐
    music ──┴─ bed ── ducking ──────────────────────────┐
    narrations, each sped up to fit, at its start time ──┴─ limiter ── mix
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
_SAMPLE_BYTES = 4  # for both channels
_NARRATIONS_PER_RUN = 8
_TIMEOUT_SECONDS = 300
_MUSIC_TIMEOUT_SECONDS = 60
# Speech is normalized to an RMS of -20 dB, with headroom for its peaks.
_SPEECH_RMS, _PEAK, _MAX_GAIN = 0.1, 0.84, 8.0
_SPEECH_FLOOR = 0.01  # quieter samples are pauses
# Ducking attenuates the bed by about 12 dB within 30 ms and releases in half a second.
_DUCK = "sidechaincompress=threshold=0.02:ratio=9:attack=30:release=500"
_LIMITER = "alimiter=limit=0.89:attack=5:release=60:level=false:latency=true"
_TO_STEREO = f"aresample={RATE},aformat=sample_fmts=fltp:channel_layouts=stereo"
_MONO_TO_STEREO = f"aresample={RATE},{downmix.to_stereo('mono')}"
# Music is normalized to the loudness of speech before its volume is applied.
_MUSIC_LUFS, _MAX_MUSIC_GAIN = -18.0, 30.0
_FADE_SECONDS = 0.03


@dataclass(frozen=True, slots=True)
class Music:
    """Background music: an untrusted file, its volume, and its fades in seconds."""

    path: Path
    volume: float
    fade_in: float
    fade_out: float
    loop: bool
    duck: bool


@dataclass(frozen=True, slots=True)
class AddedAudio:
    """Audio to add to the clips' own: narrations as WAV files, by scene, and music."""

    narrations: Mapping[int, Path]
    music: Music | None = None

    @property
    def is_silent(self) -> bool:
        """True if there is nothing to add."""
        return not self.narrations and self.music is None

    def spoken(self, scenes: Sequence[MergedScene]) -> dict[int, TimedNarration]:
        """Return the timing of each narration by scene, without scenes that were skipped."""
        windows = {scene.scene: window(scene, scenes) for scene in scenes}
        return {
            number: narration_timing.fit_to_scene(read_wav(path.read_bytes()), *windows[number])
            for number, path in self.narrations.items()
            if number in windows and windows[number][1] > windows[number][0]
        }


@dataclass(slots=True)
class _Graph:
    """A builder of an ffmpeg command: inputs and filter chains."""

    inputs: list[str]
    chains: list[str]
    count: int = 0

    def add(self, input_arguments: Sequence[str], filters: str, label: str) -> str:
        self.inputs += input_arguments
        self.chains.append(f"[{self.count}:a:0]{filters}[{label}]")
        self.count += 1
        return f"[{label}]"

    def sum(self, labels: Sequence[str], label: str) -> str:
        self.chains.append(
            f"{''.join(labels)}amix=inputs={len(labels)}:normalize=0:duration=longest[{label}]"
        )
        return f"[{label}]"


def mix(
    track: AddedAudio,
    clips: Path | None,
    scenes: Sequence[MergedScene],
    seconds: float,
    scratch: Path,
) -> Path:
    """Write the mix as PCM: 48 kHz, stereo, 16 bits, little-endian.

    `clips` is the clips' audio in the same format, or None; `seconds` is the duration of the
    video. Raises MediaError (`merge.music`) for music that cannot be read.
    """
    samples = round(seconds * RATE)
    exact_length = f"apad,atrim=end_sample={samples}"
    graph = _Graph([], [])
    bed_labels, narration_label = [], ""
    narrations = track.spoken(scenes)
    input_arguments: Sequence[str]
    if clips is not None:
        filters = f"{_TO_STEREO},{exact_length}"
        bed_labels.append(graph.add(loudness.pcm_input(clips), filters, "clips"))
    if track.music:
        input_arguments, gain = _decode_music(track.music, seconds, scratch)
        filters = _music_filters(track.music, seconds)
        filters = f"{_TO_STEREO},volume={gain:.3f}dB,{filters},{exact_length}"
        bed_labels.append(graph.add(input_arguments, filters, "music"))
    if narrations:
        narration_file = _render_narrations(track.narrations, narrations, scratch)
        filters = f"{_TO_STEREO},{exact_length}"
        narration_label = graph.add(loudness.pcm_input(narration_file), filters, "spoken")
    duck = track.music.duck if track.music else True
    mixed = _sum_with_ducking(graph, bed_labels, narration_label, duck=duck)
    graph.chains.append(f"{mixed}{_LIMITER},{exact_length}[track]")
    return _run(graph, "[track]", scratch / "soundtrack.pcm")


def _render_narrations(
    files: Mapping[int, Path], narrations: Mapping[int, TimedNarration], scratch: Path
) -> Path:
    """Write all narrations into one PCM file, each at its start time.

    ffmpeg needs threads and memory for every input, so one run processes only a few narrations.
    """
    target = scratch / "narrations.pcm"
    scenes = sorted(narrations, key=lambda scene: narrations[scene].start)
    with target.open("wb") as out:
        for first in range(0, len(scenes), _NARRATIONS_PER_RUN):
            batch = scenes[first : first + _NARRATIONS_PER_RUN]
            batch_start = round(narrations[batch[0]].start * RATE)
            graph = _Graph([], [])
            labels = [
                graph.add(
                    ("-f", "wav", "-i", str(files[scene])),
                    _narration_filters(narrations[scene], batch_start),
                    f"narration{scene}",
                )
                for scene in batch
            ]
            batch_file = _run(graph, graph.sum(labels, "narrations"), scratch / "batch.pcm")
            out.seek(batch_start * _SAMPLE_BYTES)
            with batch_file.open("rb") as file:
                shutil.copyfileobj(file, out)
            batch_file.unlink()
    return target


def _run(graph: _Graph, label: str, target: Path) -> Path:
    """Run the graph and write the stream `label` as PCM."""
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
        timeout=_TIMEOUT_SECONDS,
    )
    return target


def _sum_with_ducking(
    graph: _Graph, bed_labels: Sequence[str], narration_label: str, *, duck: bool
) -> str:
    """Mix the bed and the narration; return the label of the result."""
    bed = graph.sum(bed_labels, "bed") if bed_labels else ""
    if not (bed and narration_label):
        return bed or narration_label
    if not duck:
        return graph.sum([bed, narration_label], "sum")
    graph.chains.append(f"{narration_label}asplit=2[voice][key]")
    graph.chains.append(f"{bed}[key]{_DUCK}[ducked]")
    return graph.sum(["[ducked]", "[voice]"], "sum")


def _decode_music(music: Music, seconds: float, scratch: Path) -> tuple[list[str], float]:
    """Decode the untrusted music file to WAV, within limits.

    Return the input arguments for the WAV file, and the gain in dB to the common loudness.
    """
    decoded = scratch / "music.wav"
    try:
        stream = ffmpeg.audio_stream(music.path, sound=True)
        stereo = f"aresample={RATE},{downmix.to_stereo(stream.layout)}"
        ffmpeg.run(
            [
                *ffmpeg.source(music.path, sound=True),
                "-map",
                f"0:{stream.index}",
                "-t",
                f"{seconds:.3f}",
                "-af",
                stereo,
                "-c:a",
                "pcm_s16le",
                "-f",
                "wav",
                "-y",
                str(decoded),
            ],
            timeout=_MUSIC_TIMEOUT_SECONDS,
        )
    except MediaError as error:
        raise MediaError(
            f"The music cannot be read: {error.detail} Nothing was merged. The clips are kept.",
            code="merge.music",
        ) from error
    music_input = ["-f", "wav", "-i", str(decoded)]
    measured = loudness.measure(music_input).integrated
    gain = 0.0 if measured < loudness.SILENCE_LUFS else min(_MUSIC_LUFS - measured, _MAX_MUSIC_GAIN)
    return [*(("-stream_loop", "-1") if music.loop else ()), *music_input], gain


def _music_filters(music: Music, seconds: float) -> str:
    fade_in, fade_out = min(music.fade_in, seconds / 2), min(music.fade_out, seconds / 2)
    filters = [
        f"atrim=end={seconds:.6f}",
        f"volume={music.volume:.4f}",
    ]
    if fade_in:
        filters.append(f"afade=t=in:d={fade_in:.3f}")
    if fade_out:
        filters.append(f"afade=t=out:st={seconds - fade_out:.6f}:d={fade_out:.3f}")
    return ",".join(filters)


def _narration_filters(narration: TimedNarration, batch_start: int) -> str:
    """Return the filters for a narration, in a file that begins at sample `batch_start`."""
    filters = [_MONO_TO_STEREO, f"volume={_gain(narration.sound):.4f}"]
    if narration.pace > 1:
        filters.append(f"atempo={narration.pace:.4f}")
    filters += [
        f"atrim=end={narration.seconds:.6f}",
        f"afade=t=out:st={max(0.0, narration.seconds - _FADE_SECONDS):.6f}:d={_FADE_SECONDS}",
        f"adelay=delays={round(narration.start * RATE) - batch_start}S:all=1",
    ]
    return ",".join(filters)


def _gain(sound: PcmAudio) -> float:
    """Return the factor that normalizes the loudness of speech."""
    samples = array.array("h", sound.samples)
    if sys.byteorder == "big":
        samples.byteswap()
    levels = [abs(sample) / 32768 for sample in samples[::4]]
    speech = [level for level in levels if level > _SPEECH_FLOOR]
    if not speech:
        return 1.0
    rms = math.sqrt(sum(level * level for level in speech) / len(speech))
    return min(_SPEECH_RMS / rms, _PEAK / max(levels), _MAX_GAIN)
