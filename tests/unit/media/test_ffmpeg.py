"""Probing, decoding and running ffmpeg."""

from fractions import Fraction
from pathlib import Path

import pytest

from common.domain.errors import MediaError, PermanentError
from common.media import ffmpeg
from tests.unit import clips


def test_inspect_returns_codec_size_and_timing(tmp_path: Path) -> None:
    probe = ffmpeg.inspect(clips.make(tmp_path / "a.mp4", seconds=2, fps=25))
    assert (probe.codec, probe.width, probe.height) == ("h264", 320, 180)
    assert (probe.frames, probe.seconds, probe.time_base) == (50, 2.0, Fraction(1, 12288))
    assert probe.has_increasing_dts
    assert not probe.has_sound


def test_inspect_detects_audio(tmp_path: Path) -> None:
    assert ffmpeg.inspect(clips.make(tmp_path / "a.mp4", sound=True)).has_sound


def test_inspect_distinguishes_encoder_setups(tmp_path: Path) -> None:
    high = clips.make(tmp_path / "a.mp4")
    main = clips.make(tmp_path / "b.mp4", codec=("-c:v", "libx264", "-profile:v", "main"))
    assert ffmpeg.inspect(high).setup != ffmpeg.inspect(main).setup


def test_decode_detects_damaged_samples(tmp_path: Path) -> None:
    path = clips.make(tmp_path / "a.mp4", seconds=2, codec=("-c:v", "libx264", "-g", "10"))
    data = bytearray(path.read_bytes())
    start = data.rindex(b"mdat") + 1200
    data[start : start + 400] = bytes(range(256)) + bytes(144)
    path.write_bytes(data)
    with pytest.raises(MediaError):
        ffmpeg.decode(path)


def test_unsupported_codec_is_named(tmp_path: Path) -> None:
    path = clips.make(tmp_path / "a.mov", codec=("-c:v", "jpeg2000"))
    for read in (ffmpeg.inspect, ffmpeg.decode):
        with pytest.raises(MediaError, match="uses jpeg2000, a codec that is not supported"):
            read(path)


def test_playlist_named_mp4_reads_no_other_file(tmp_path: Path) -> None:
    secret = clips.make(tmp_path / "secret.ts", grey=77)
    path = tmp_path / "clip.mp4"
    path.write_text(
        f"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nfile://{secret}\n#EXT-X-ENDLIST\n"
    )
    with pytest.raises(MediaError):
        ffmpeg.inspect(path)


def test_starts_at_once_detects_faststart(tmp_path: Path) -> None:
    path = clips.make(tmp_path / "a.mp4")
    index_at_end = tmp_path / "b.mp4"
    ffmpeg.run(["-i", str(path), "-c", "copy", "-y", str(index_at_end)], timeout=30)
    assert ffmpeg.is_fast_start(path)
    assert not ffmpeg.is_fast_start(index_at_end)


def test_missing_ffmpeg_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(PermanentError) as caught:
        ffmpeg.run(["-version"], timeout=5)
    assert caught.value.error_code == "ffmpeg.missing"


def test_ffmpeg_is_stopped_after_its_timeout(tmp_path: Path) -> None:
    endless = ["-f", "lavfi", "-i", "testsrc2=s=1920x1080", "-f", "null", "-"]
    with pytest.raises(MediaError) as caught:
        ffmpeg.run(endless, timeout=0.5)
    assert caught.value.error_code == "media.timeout"
