"""Translation of ffmpeg's log and exit status into one reason for users."""

import os
import signal
from pathlib import Path

import pytest

from common.domain.errors import MediaError
from common.media import ffmpeg_errors
from offline.animator import film
from offline.tts import program

# Lines that ffmpeg 7 prints, with the expected code and a word of the reason.
LOGS = {
    "[error] Picture size 20000x20000 is invalid": ("media.too_large", "pixels"),
    "[h264 @ 0x1] [error] pixel count exceeds the limit max_pixels": ("media.too_large", "pixels"),
    "[mov @ 0x1] [error] max streams 64 reached": ("media.too_large", "tracks"),
    "x264 [error]: malloc of size 12345 failed": ("media.memory", "memory"),
    "[fatal] Error initializing: Cannot allocate memory": ("media.memory", "memory"),
    "[libx265 @ 0x1] std::bad_alloc": ("media.memory", "memory"),
    "[h264 @ 0x1] [error] pthread_create() failed: Resource temporarily unavailable": (
        "media.memory",
        "memory",
    ),
    "[error] av_interleaved_write_frame(): No space left on device": ("media.too_large", "disk"),
    "[error] Error writing trailer: File too large": ("media.too_large", "larger than"),
    "[fatal] Stream map '0:a:0' matches no streams.": ("media.invalid", "no stream"),
    "[error] Output file #0 does not contain any stream": ("media.invalid", "no stream"),
    "[error] Decoder (codec none) not found for input stream": ("media.invalid", "codec"),
    "[mov @ 0x1] [error] Codec (dnxhd) not on whitelist 'h264'": ("media.invalid", "codec"),
    "[mov @ 0x1] [error] moov atom not found": ("media.invalid", "index is missing"),
    "[error] no path between colorspaces": ("media.invalid", "colours"),
    "[fatal] Error reinitializing filters!": ("media.invalid", "colours"),
    "[error] x.mp4: Invalid data found when processing input": ("media.invalid", "damaged"),
    "[h264 @ 0x1] [error] Invalid NAL unit size (9 > 4).": ("media.invalid", "damaged"),
    "[error] Error opening output: Invalid argument": ("media.invalid", "form"),
}


@pytest.mark.parametrize("log", LOGS)
def test_ffmpeg_log_line_maps_to_its_reason(log: str) -> None:
    code, excerpt = LOGS[log]
    result, reason = ffmpeg_errors.reason(log, 1)
    assert result == code
    assert excerpt in reason


def test_ffmpeg_reasons_are_all_reachable() -> None:
    """No reason of the table is shadowed by an earlier one."""
    reached = {ffmpeg_errors.reason(log, 1) for log in LOGS}
    assert reached == {(code, text) for _, code, text in ffmpeg_errors._REASONS}


@pytest.mark.parametrize(
    ("log", "code", "excerpt"),
    [
        # A decoder out of memory also reports damage; memory is the cause.
        (
            "[h264] [error] Cannot allocate memory\n[error] Invalid data found",
            "media.memory",
            "memory",
        ),
        ("[error] moov atom not found\n[error] Invalid data found", "media.invalid", "index"),
        ("[error] File too large\n[error] Invalid argument", "media.too_large", "larger"),
    ],
)
def test_ffmpeg_reason_names_the_cause_not_its_consequence(
    log: str, code: str, excerpt: str
) -> None:
    result, reason = ffmpeg_errors.reason(log, 1)
    assert result == code
    assert excerpt in reason


@pytest.mark.parametrize(
    ("number", "code"),
    [
        (signal.SIGKILL, "media.memory"),
        (signal.SIGXCPU, "media.timeout"),
        (signal.SIGXFSZ, "media.too_large"),
        (signal.SIGSEGV, "media.invalid"),
    ],
)
def test_ffmpeg_killed_by_signal_has_a_reason(number: int, code: str) -> None:
    assert ffmpeg_errors.reason("", -number)[0] == code


def test_ffmpeg_reason_quotes_neither_log_nor_number() -> None:
    for log in (*LOGS, "something new in /tmp/clip_7.mp4"):
        _, reason = ffmpeg_errors.reason(log, 234)
        assert not any(
            fragment in reason for fragment in ("234", "0x", "/tmp", "[error]", "exit code")
        )


def _install_ffmpeg_stub(folder: Path, script: str, monkeypatch: pytest.MonkeyPatch) -> None:
    path = folder / "ffmpeg"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")


def test_offline_animator_failure_gives_the_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _install_ffmpeg_stub(
        tmp_path, "echo 'x264 [error]: malloc of size 9 failed' >&2; exit 187", monkeypatch
    )
    with pytest.raises(MediaError) as caught:
        film.encode(iter(()), (64, 36), tmp_path / "clip.mp4")
    assert caught.value.error_code == "media.memory"
    assert "needs more memory" in caught.value.detail
    assert "187" not in caught.value.detail
    assert "exit code" not in caught.value.detail


def test_offline_voice_failure_gives_the_reason() -> None:
    with pytest.raises(MediaError) as caught:
        program.speak("Good evening.", "tlh-klingon", 160)
    assert "no voice for its language" in caught.value.detail
    assert "exit code" not in caught.value.detail
