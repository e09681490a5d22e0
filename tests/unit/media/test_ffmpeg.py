"""What ffmpeg is asked, and what is made of its answers."""

from fractions import Fraction
from pathlib import Path

import pytest

from common.domain.errors import MediaError, PermanentError
from common.media import ffmpeg
from tests.unit import clips


def test_the_facts_of_a_clip(tmp_path: Path) -> None:
    facts = ffmpeg.inspect(clips.make(tmp_path / "a.mp4", seconds=2, fps=25))
    assert (facts.codec, facts.width, facts.height) == ("h264", 320, 180)
    assert (facts.frames, facts.seconds, facts.time_base) == (50, 2.0, Fraction(1, 12288))
    assert facts.rising
    assert not facts.has_sound


def test_sound_is_noticed(tmp_path: Path) -> None:
    assert ffmpeg.inspect(clips.make(tmp_path / "a.mp4", sound=True)).has_sound


def test_different_encoders_have_a_different_setup(tmp_path: Path) -> None:
    high = clips.make(tmp_path / "a.mp4")
    main = clips.make(tmp_path / "b.mp4", codec=("-c:v", "libx264", "-profile:v", "main"))
    assert ffmpeg.inspect(high).setup != ffmpeg.inspect(main).setup


def test_a_hole_in_the_media_is_found_by_decoding(tmp_path: Path) -> None:
    path = clips.make(tmp_path / "a.mp4", seconds=2, codec=("-c:v", "libx264", "-g", "10"))
    data = bytearray(path.read_bytes())
    start = data.rindex(b"mdat") + 1200
    data[start : start + 400] = bytes(range(256)) + bytes(144)
    path.write_bytes(data)
    with pytest.raises(MediaError):
        ffmpeg.decode(path)


def test_a_codec_that_is_not_taken_is_named(tmp_path: Path) -> None:
    path = clips.make(tmp_path / "a.mov", codec=("-c:v", "jpeg2000"))
    for look in (ffmpeg.inspect, ffmpeg.decode):
        with pytest.raises(MediaError, match="holds jpeg2000, a codec that is not taken"):
            look(path)


def test_a_playlist_in_disguise_reads_no_other_file(tmp_path: Path) -> None:
    secret = clips.make(tmp_path / "secret.ts", grey=77)
    path = tmp_path / "clip.mp4"
    path.write_text(
        f"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nfile://{secret}\n#EXT-X-ENDLIST\n"
    )
    with pytest.raises(MediaError):
        ffmpeg.inspect(path)


def test_the_index_in_front_is_noticed(tmp_path: Path) -> None:
    path = clips.make(tmp_path / "a.mp4")
    behind = tmp_path / "b.mp4"
    ffmpeg.run(["-i", str(path), "-c", "copy", "-y", str(behind)], timeout=30)
    assert ffmpeg.starts_at_once(path)
    assert not ffmpeg.starts_at_once(behind)


def test_without_the_program_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(PermanentError) as caught:
        ffmpeg.run(["-version"], timeout=5)
    assert caught.value.error_code == "ffmpeg.missing"


def test_a_run_that_takes_too_long_is_stopped(tmp_path: Path) -> None:
    endless = ["-f", "lavfi", "-i", "testsrc2=s=1920x1080", "-f", "null", "-"]
    with pytest.raises(MediaError) as caught:
        ffmpeg.run(endless, timeout=0.5)
    assert caught.value.error_code == "media.timeout"
