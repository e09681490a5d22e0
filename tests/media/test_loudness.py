"""The loudness of finished videos, measured by ffmpeg in the decoded files."""

import re
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from common.domain.output import Format, Loudness, Output, Shape
from common.media import ffmpeg
from common.media.wav import PcmAudio
from merge import deliverables
from merge.audio.mix import AddedAudio, Music
from merge.deliverables import Deliverables, DeliverablesRequest
from merge.models import Clip
from offline.tts import program
from tests.media import coded
from tests.media.coded import FFMPEG, PLAIN, ClipSpec

NORMALIZED = Output(loudness=Loudness.NORMALIZED)
NARRATION = "The boat leaves the quay. Nobody sees it go."


def meter(path: Path, start: float = 0, seconds: float = 60) -> tuple[float, float]:
    """Return the loudness in LUFS and the true peak in dBTP."""
    command = [FFMPEG, "-hide_banner", "-nostats", "-ss", str(start), "-i", str(path)]
    command += ["-t", str(seconds), "-af", "ebur128=peak=true:framelog=quiet", "-f", "null", "-"]
    log = subprocess.run(command, capture_output=True, text=True, check=True).stderr
    loud, peak = re.findall(r"(?:I|Peak):\s+(-?[\d.]+|-inf) (?:LUFS|dBFS)", log)
    return float(loud), float(peak)


def tone_spec(volume: str, form: str = "r=48000:cl=stereo") -> ClipSpec:
    """Return the spec of a clip of three seconds with a filtered tone of about -10 LUFS."""
    return replace(PLAIN, frames=72, sound=(*coded.AAC, "-af", volume), sound_form=form)


def render(
    makes: list[ClipSpec], tmp_path: Path, output: Output, track: AddedAudio
) -> Deliverables:
    clips = {n: Clip(path) for n, path in coded.clips(tmp_path, *makes).items()}
    return deliverables.render_deliverables(
        DeliverablesRequest(clips, output, dict.fromkeys(clips, NARRATION), track), tmp_path
    )


def narration(tmp_path: Path) -> dict[int, Path]:
    path = tmp_path / "narration.wav"
    path.write_bytes(program.speak(NARRATION, "en-us+f2", 200).as_wav())
    return {1: path}


def music(tmp_path: Path, filters: str, name: str = "music.mp3") -> Music:
    path = tmp_path / name
    source = ("-f", "lavfi", "-i", "anoisesrc=c=pink:r=44100:a=0.5:d=4:seed=3")
    ffmpeg.run([*source, "-af", filters, "-y", str(path)], timeout=30)
    return Music(path, volume=0.3, fade_in=0, fade_out=0, loop=True, duck=False)


QUIET = tone_spec("volume=-24dB")
SILENT = replace(PLAIN, frames=72, sound=None)
# Quiet, with peaks that would be 8 dB too high at the target loudness.
PEAKS = tone_spec("volume='if(lt(mod(t,1),0.02),1.2,0.12)':eval=frame")


@pytest.mark.parametrize(
    ("makes", "narrated", "music_filter", "container"),
    [
        ([SILENT], True, None, Format.MP4),
        ([SILENT], True, "volume=-25dB", Format.MP4),
        ([SILENT], False, "volume=-20dB", Format.MP4),
        ([QUIET, QUIET], False, None, Format.MP4),
        ([QUIET, tone_spec("volume=6dB", "r=44100:cl=mono")], False, None, Format.MP4),
        ([PEAKS, PEAKS], False, None, Format.MP4),
        ([QUIET], True, "volume=0dB", Format.WEBM),
    ],
)
def test_normalized_loudness_is_minus_14_lufs(
    makes: list[ClipSpec],
    narrated: bool,
    music_filter: str | None,
    container: Format,
    tmp_path: Path,
) -> None:
    track = AddedAudio(
        narration(tmp_path) if narrated else {},
        music(tmp_path, music_filter) if music_filter else None,
    )
    output = replace(NORMALIZED, format=container, renditions=(Shape("1:1"),))
    result = render(makes, tmp_path, output, track)
    for file in result.files[:2]:
        loud, peak = meter(file.path)
        assert loud == pytest.approx(-14, abs=0.8)
        assert peak <= -1
        assert file.seconds == pytest.approx(3 * len(makes), abs=0.03)
    assert not result.warnings


def test_loudness_normalization_does_not_amplify_silence_or_noise(tmp_path: Path) -> None:
    for name, volume, warnings in (("silent", "volume=0", 0), ("noise", "volume=-60dB", 1)):
        (folder := tmp_path / name).mkdir()
        result = render([tone_spec(volume)], folder, NORMALIZED, AddedAudio({}))
        assert meter(result.files[0].path)[0] < -50
        assert len(result.warnings) == warnings


def test_loudness_gain_is_limited_with_warning(
    tmp_path: Path,
) -> None:
    result = render([tone_spec("volume=-34dB")] * 2, tmp_path, NORMALIZED, AddedAudio({}))
    before, _ = meter(tmp_path / "clip_01.mp4")
    after, _ = meter(result.files[0].path)
    assert after == pytest.approx(before + 20, abs=0.8)
    assert "LUFS" in result.warnings[0]


def packets(path: Path) -> set[bytes]:
    """Return the checksums of the audio packets."""
    listing = ffmpeg.run(
        [*ffmpeg.source(path), "-map", "0:a", "-c", "copy", "-f", "framecrc", "-"], timeout=30
    )
    return {line.split(",")[5].encode() for line in listing.splitlines() if line[:1].isdigit()}


@pytest.mark.parametrize(
    ("loudness", "volume", "copied"),
    [
        (Loudness.AUTO, "volume=-24dB", True),
        (Loudness.ORIGINAL, "volume=-24dB", True),
        (Loudness.NORMALIZED, "volume=-24dB", False),
        (Loudness.NORMALIZED, "volume=-4.2dB", True),
    ],
)
def test_audio_is_stream_copied_if_loudness_permits(
    loudness: Loudness, volume: str, copied: bool, tmp_path: Path
) -> None:
    result = render([tone_spec(volume)] * 2, tmp_path, Output(loudness=loudness), AddedAudio({}))
    clip = packets(tmp_path / "clip_01.mp4")
    assert (len(clip & packets(result.files[0].path)) > len(clip) / 2) == copied


FRONT = {
    "r=48000:cl=mono": "anull",
    "r=44100:cl=mono": "anull",
    "r=48000:cl=5.1": "pan=5.1|FL=FC|FR=FC",
    "r=48000:cl=quad": "pan=quad|FL=1.4142*FL|FR=1.4142*FR",
}


@pytest.mark.parametrize("form", FRONT)
@pytest.mark.parametrize("container", [Format.MP4, Format.WEBM])
def test_downmix_keeps_loudness_of_stereo(form: str, container: Format, tmp_path: Path) -> None:
    """The tone is only in the front channels, equally loud in each ear."""
    spec = tone_spec(FRONT[form], form)
    output = Output(format=container)
    result = render([PLAIN_STEREO, spec], tmp_path, output, AddedAudio({}))
    levels = [meter(result.files[0].path, start + 0.2, 2.6)[0] for start in (0, 3)]
    assert levels[1] == pytest.approx(levels[0], abs=0.3)


# ffmpeg converts the mono tone into two channels that are 3 dB quieter.
PLAIN_STEREO = tone_spec("volume=3.0103dB")


def test_downmix_of_loud_surround_does_not_clip(tmp_path: Path) -> None:
    loud = tone_spec("volume=8dB", "r=48000:cl=5.1")
    result = render([loud, PLAIN_STEREO], tmp_path, NORMALIZED, AddedAudio({}))
    assert meter(result.files[0].path)[1] <= -1


def test_music_loudness_depends_only_on_volume_setting(tmp_path: Path) -> None:
    """Quiet, loud and mono music are equally loud under the same narration."""
    voice = tmp_path / "narration.wav"
    speech = program.speak("Go.", "en-us+f2", 160)
    voice.write_bytes(PcmAudio(speech.rate, speech.samples).as_wav())
    levels = []
    for number, filters in enumerate(("volume=-30dB", "volume=6dB", "pan=mono|c0=c0")):
        (folder := tmp_path / str(number)).mkdir()
        track = AddedAudio({1: voice}, music(folder, filters))
        result = render([SILENT], folder, NORMALIZED, track)
        levels.append(meter(result.files[0].path, 2.0, 0.9)[0] - meter(result.files[0].path)[0])
    assert max(levels) - min(levels) < 0.5
