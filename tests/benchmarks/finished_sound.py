"""Loudness of finished videos and offset of captions from the narration: LUFS, dBTP, seconds."""

import re
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from common.domain.output import Format, Loudness, Output
from merge import deliverables
from merge.audio.mix import AddedAudio, Music
from merge.deliverables import Deliverables, DeliverablesRequest
from merge.models import Clip
from offline.tts import program
from tests.benchmarks.report import table
from tests.media import coded
from tests.media.coded import FFMPEG, PLAIN, ClipSpec

SECONDS = 8
TEXTS = (
    "The lighthouse keeper writes letters. The sky takes up most of the frame.",
    "Nobody answers. In the evening, after the rain, a small boat comes over the sea.",
)
LONG = "The boat leaves the quay in the morning. " * 2 + "Then it goes down the long river. " * 3
SILENT = replace(PLAIN, frames=24 * SECONDS, sound=None)


@dataclass(frozen=True)
class Case:
    """A video: its clips, their narrations, and music with a gain in dB."""

    makes: Sequence[ClipSpec]
    texts: Sequence[str] = ()
    music_db: int | None = None
    container: Format = Format.MP4


def _tone(filters: str, form: str = "r=48000:cl=stereo") -> ClipSpec:
    return replace(SILENT, sound=(*coded.AAC, "-af", filters), sound_form=form)


CASES: Mapping[str, Case] = {
    "narrated": Case([SILENT] * 2, TEXTS),
    "narrated, faster than spoken": Case([SILENT], [LONG]),
    "narrated, loud music": Case([SILENT] * 2, TEXTS, music_db=6),
    "narrated, quiet music": Case([SILENT] * 2, TEXTS, music_db=-30),
    "narrated, music, WebM": Case([SILENT] * 2, TEXTS, 0, Format.WEBM),
    "music alone": Case([SILENT], (), music_db=-20),
    "quiet clips": Case([_tone("volume=-20dB")] * 2),
    "loud clips": Case([_tone("volume=8dB")] * 2),
    "stereo, then mono": Case([_tone("volume=3.0103dB"), _tone("anull", "r=48000:cl=mono")]),
    "stereo, then 5.1": Case(
        [_tone("volume=3.0103dB"), _tone("pan=5.1|FL=FC|FR=FC", "r=48000:cl=5.1")]
    ),
}


def main(*, smallest: bool = False) -> None:
    """Print a row for each kind of video."""
    rows = []
    for name, case in list(CASES.items())[: 1 if smallest else None]:
        with tempfile.TemporaryDirectory() as folder:
            result = _render(case, Path(folder))
            rows.append([name, *_measure(result, case)])
    table(
        "Sound and captions of finished videos",
        ["video", "LUFS", "dBTP", "scene 2 against 1, LU", "captions begin / end off, s"],
        rows,
    )


def _render(case: Case, folder: Path) -> Deliverables:
    clips = {n: Clip(path) for n, path in coded.clips(folder, *case.makes).items()}
    narrations = {}
    for scene, text in enumerate(case.texts, 1):
        narrations[scene] = folder / f"narration_{scene}.wav"
        narrations[scene].write_bytes(program.speak(text, "en-us+f2", 160).as_wav())
    music = None
    if case.music_db is not None:
        music = Music(folder / "music.mp3", 0.3, fade_in=0.5, fade_out=1.5, loop=True, duck=True)
        source = ("-f", "lavfi", "-i", "anoisesrc=c=pink:r=44100:a=0.5:d=5:seed=3")
        command = [FFMPEG, "-v", "error", *source, "-af", f"volume={case.music_db}dB"]
        subprocess.run([*command, str(music.path)], check=True)
    texts = dict(enumerate(case.texts, 1))
    output = Output(format=case.container, loudness=Loudness.NORMALIZED)
    return deliverables.render_deliverables(
        DeliverablesRequest(clips, output, texts, AddedAudio(narrations, music)), folder
    )


def _measure(result: Deliverables, case: Case) -> list[str]:
    video = result.files[0].path
    loud, peak = meter(video)
    scenes, captions = "", ""
    if not case.texts and len(case.makes) > 1:
        one, two = (meter(video, start + 0.5, SECONDS - 1)[0] for start in (0, SECONDS))
        scenes = f"{two - one:+.1f}"
    if case.texts and case.music_db is None:
        srt = next(file.path for file in result.files if file.path.suffix == ".srt")
        begins, ends = speech_intervals(video, pause=0.1 if case.texts[0] == LONG else 0.25)
        times = _caption_times(srt)
        start_offset = max(_offset(at, begins) for at in times[::2])
        captions = f"{start_offset:.2f} / {max(_offset(at, ends) for at in times[1::2]):.2f}"
    return [f"{loud:.1f}", f"{peak:.1f}", scenes, captions]


def meter(path: Path, start: float = 0, seconds: float = 600) -> tuple[float, float]:
    """Return the loudness in LUFS and the true peak in dBTP, measured by ffmpeg."""
    command = [FFMPEG, "-hide_banner", "-nostats", "-ss", str(start), "-i", str(path)]
    command += ["-t", str(seconds), "-af", "ebur128=peak=true:framelog=quiet", "-f", "null", "-"]
    log = subprocess.run(command, capture_output=True, text=True, check=True).stderr
    loud, peak = re.findall(r"(?:I|Peak):\s+(-?[\d.]+|-inf) (?:LUFS|dBFS)", log)
    return float(loud), float(peak)


def speech_intervals(path: Path, *, pause: float) -> tuple[list[float], list[float]]:
    """Return the starts and ends of speech between pauses of at least `pause` seconds."""
    detect = f"silencedetect=noise=-40dB:duration={pause}"
    command = [FFMPEG, "-hide_banner", "-nostats", "-i", str(path), "-af", detect]
    log = subprocess.run(
        [*command, "-f", "null", "-"], capture_output=True, text=True, check=True
    ).stderr
    begins, ends = (
        [float(at) for at in re.findall(rf"silence_{edge}: (-?[\d.]+)", log)]
        for edge in ("end", "start")
    )
    return begins, ends


def _offset(moment: float, others: Sequence[float]) -> float:
    return min(abs(moment - other) for other in others)


def _caption_times(srt: Path) -> list[float]:
    """Return the start and end times of the captions, alternating."""
    moments = re.findall(r"(\d+):(\d+):(\d+),(\d+)", srt.read_text(encoding="utf-8"))
    return [int(h) * 3600 + int(m) * 60 + int(s) + int(ms) / 1000 for h, m, s, ms in moments]
