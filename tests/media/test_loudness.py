"""How loud finished videos are, measured by ffmpeg's meters in the decoded files."""

import re
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from common.domain.output import Format, Loudness, Output, Shape
from common.media import ffmpeg
from common.media.wav import PcmAudio
from merge import deliverables
from merge.audio.mix import Music, Track
from merge.deliverables import Deliverables, DeliverablesRequest
from merge.models import Clip
from offline.tts import program
from tests.media import coded
from tests.media.coded import FFMPEG, PLAIN, Make

NORMALIZED = Output(loudness=Loudness.NORMALIZED)
TEXT = "The boat leaves the quay. Nobody sees it go."


def meter(path: Path, start: float = 0, seconds: float = 60) -> tuple[float, float]:
    """Return the loudness in LUFS and the true peak in dBTP."""
    command = [FFMPEG, "-hide_banner", "-nostats", "-ss", str(start), "-i", str(path)]
    command += ["-t", str(seconds), "-af", "ebur128=peak=true:framelog=quiet", "-f", "null", "-"]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stderr
    loud, peak = re.findall(r"(?:I|Peak):\s+(-?[\d.]+|-inf) (?:LUFS|dBFS)", said)
    return float(loud), float(peak)


def sounding(volume: str, form: str = "r=48000:cl=stereo") -> Make:
    """A clip of three seconds with a tone of about -10 LUFS, filtered."""
    return replace(PLAIN, frames=72, sound=(*coded.AAC, "-af", volume), sound_form=form)


def produced(makes: list[Make], tmp_path: Path, output: Output, track: Track) -> Deliverables:
    clips = {n: Clip(path) for n, path in coded.clips(tmp_path, *makes).items()}
    return deliverables.render_deliverables(
        DeliverablesRequest(clips, output, dict.fromkeys(clips, TEXT), track), tmp_path
    )


def narration(tmp_path: Path) -> dict[int, Path]:
    path = tmp_path / "said.wav"
    path.write_bytes(program.speak(TEXT, "en-us+f2", 200).as_wav())
    return {1: path}


def music(tmp_path: Path, filters: str, name: str = "music.mp3") -> Music:
    path = tmp_path / name
    source = ("-f", "lavfi", "-i", "anoisesrc=c=pink:r=44100:a=0.5:d=4:seed=3")
    ffmpeg.run([*source, "-af", filters, "-y", str(path)], timeout=30)
    return Music(path, volume=0.3, fade_in=0, fade_out=0, loop=True, duck=False)


QUIET = sounding("volume=-24dB")
SILENT = replace(PLAIN, frames=72, sound=None)
# Quiet, with a peak that would be 8 dB too high at the target.
PEAKS = sounding("volume='if(lt(mod(t,1),0.02),1.2,0.12)':eval=frame")


@pytest.mark.parametrize(
    ("makes", "voice", "tune", "container"),
    [
        ([SILENT], True, None, Format.MP4),
        ([SILENT], True, "volume=-25dB", Format.MP4),
        ([SILENT], False, "volume=-20dB", Format.MP4),
        ([QUIET, QUIET], False, None, Format.MP4),
        ([QUIET, sounding("volume=6dB", "r=44100:cl=mono")], False, None, Format.MP4),
        ([PEAKS, PEAKS], False, None, Format.MP4),
        ([QUIET], True, "volume=0dB", Format.WEBM),
    ],
)
def test_every_finished_video_has_one_loudness(
    makes: list[Make], voice: bool, tune: str | None, container: Format, tmp_path: Path
) -> None:
    track = Track(narration(tmp_path) if voice else {}, music(tmp_path, tune) if tune else None)
    output = replace(NORMALIZED, format=container, renditions=(Shape("1:1"),))
    made = produced(makes, tmp_path, output, track)
    for file in made.files[:2]:
        loud, peak = meter(file.path)
        assert loud == pytest.approx(-14, abs=0.8)
        assert peak <= -1
        assert file.seconds == pytest.approx(3 * len(makes), abs=0.03)
    assert not made.warnings


def test_silence_stays_silent_and_noise_stays_quiet(tmp_path: Path) -> None:
    for name, volume, warned in (("silent", "volume=0", 0), ("noise", "volume=-60dB", 1)):
        (folder := tmp_path / name).mkdir()
        made = produced([sounding(volume)], folder, NORMALIZED, Track({}))
        assert meter(made.files[0].path)[0] < -50
        assert len(made.warnings) == warned


def test_sound_that_is_too_quiet_for_the_target_is_raised_so_far_and_that_is_told(
    tmp_path: Path,
) -> None:
    made = produced([sounding("volume=-34dB")] * 2, tmp_path, NORMALIZED, Track({}))
    before, _ = meter(tmp_path / "clip_01.mp4")
    after, _ = meter(made.files[0].path)
    assert after == pytest.approx(before + 20, abs=0.8)
    assert "LUFS" in made.warnings[0]


def packets(path: Path) -> set[bytes]:
    """Return the checksums of the packets of sound."""
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
def test_sound_is_copied_where_it_may_stay_as_loud_as_it_is(
    loudness: Loudness, volume: str, copied: bool, tmp_path: Path
) -> None:
    made = produced([sounding(volume)] * 2, tmp_path, Output(loudness=loudness), Track({}))
    clip = packets(tmp_path / "clip_01.mp4")
    assert (len(clip & packets(made.files[0].path)) > len(clip) / 2) == copied


FRONT = {
    "r=48000:cl=mono": "anull",
    "r=44100:cl=mono": "anull",
    "r=48000:cl=5.1": "pan=5.1|FL=FC|FR=FC",
    "r=48000:cl=quad": "pan=quad|FL=1.4142*FL|FR=1.4142*FR",
}


@pytest.mark.parametrize("form", FRONT)
@pytest.mark.parametrize("container", [Format.MP4, Format.WEBM])
def test_every_number_of_channels_is_as_loud_as_stereo(
    form: str, container: Format, tmp_path: Path
) -> None:
    """The tone is as loud in each ear; in the other channels of surround sound there is nothing."""
    other = sounding(FRONT[form], form)
    output = Output(format=container)
    made = produced([PLAIN_STEREO, other], tmp_path, output, Track({}))
    levels = [meter(made.files[0].path, start + 0.2, 2.6)[0] for start in (0, 3)]
    assert levels[1] == pytest.approx(levels[0], abs=0.3)


# The tone has one channel, of which ffmpeg makes two that are 3 dB quieter.
PLAIN_STEREO = sounding("volume=3.0103dB")


def test_all_channels_of_surround_sound_at_once_are_not_torn(tmp_path: Path) -> None:
    loud = sounding("volume=8dB", "r=48000:cl=5.1")
    made = produced([loud, PLAIN_STEREO], tmp_path, NORMALIZED, Track({}))
    assert meter(made.files[0].path)[1] <= -1


def test_music_is_as_loud_as_its_volume_says_whatever_it_is(tmp_path: Path) -> None:
    """Under the same voice a quiet piece, a loud one and one in mono come out alike."""
    voice = tmp_path / "said.wav"
    speech = program.speak("Go.", "en-us+f2", 160)
    voice.write_bytes(PcmAudio(speech.rate, speech.samples).as_wav())
    levels = []
    for number, filters in enumerate(("volume=-30dB", "volume=6dB", "pan=mono|c0=c0")):
        (folder := tmp_path / str(number)).mkdir()
        track = Track({1: voice}, music(folder, filters))
        made = produced([SILENT], folder, NORMALIZED, track)
        levels.append(meter(made.files[0].path, 2.0, 0.9)[0] - meter(made.files[0].path)[0])
    assert max(levels) - min(levels) < 0.5
