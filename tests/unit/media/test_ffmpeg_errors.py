"""Users read why ffmpeg failed in words: each line of its log leads to one reason."""

import os
import signal
from pathlib import Path

import pytest

from common.domain.errors import MediaError
from common.media import ffmpeg_errors
from offline.animator import film
from offline.tts import program

# What ffmpeg 7 prints, as found in logs, and words of the reason that users read.
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
def test_the_log_leads_to_its_reason(log: str) -> None:
    code, words = LOGS[log]
    found, reason = ffmpeg_errors.reason(log, 1)
    assert found == code
    assert words in reason


def test_the_log_of_every_reason_is_tried() -> None:
    """Nothing in the table is out of reach of the logs above, behind a reason before it."""
    reached = {ffmpeg_errors.reason(log, 1) for log in LOGS}
    assert reached == {(code, text) for _, code, text in ffmpeg_errors._REASONS}


@pytest.mark.parametrize(
    ("log", "code", "words"),
    [
        # A decoder that has no memory reports damage too; the cause is what can be changed.
        (
            "[h264] [error] Cannot allocate memory\n[error] Invalid data found",
            "media.memory",
            "memory",
        ),
        ("[error] moov atom not found\n[error] Invalid data found", "media.invalid", "index"),
        ("[error] File too large\n[error] Invalid argument", "media.too_large", "larger"),
    ],
)
def test_the_cause_is_named_and_not_what_follows_from_it(log: str, code: str, words: str) -> None:
    found, reason = ffmpeg_errors.reason(log, 1)
    assert found == code
    assert words in reason


@pytest.mark.parametrize(
    ("number", "code"),
    [
        (signal.SIGKILL, "media.memory"),
        (signal.SIGXCPU, "media.timeout"),
        (signal.SIGXFSZ, "media.too_large"),
        (signal.SIGSEGV, "media.invalid"),
    ],
)
def test_a_signal_has_a_reason_too(number: int, code: str) -> None:
    assert ffmpeg_errors.reason("", -number)[0] == code


def test_no_reason_quotes_the_log_or_a_number() -> None:
    for log in (*LOGS, "something new in /tmp/clip_7.mp4"):
        _, reason = ffmpeg_errors.reason(log, 234)
        assert not any(sign in reason for sign in ("234", "0x", "/tmp", "[error]", "exit code"))


def _program(folder: Path, script: str, monkeypatch: pytest.MonkeyPatch) -> None:
    path = folder / "ffmpeg"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")


def test_the_offline_camera_says_why_in_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _program(tmp_path, "echo 'x264 [error]: malloc of size 9 failed' >&2; exit 187", monkeypatch)
    with pytest.raises(MediaError) as caught:
        film.encode(iter(()), (64, 36), tmp_path / "clip.mp4")
    assert caught.value.error_code == "media.memory"
    assert "needs more memory" in caught.value.detail
    assert "187" not in caught.value.detail
    assert "exit code" not in caught.value.detail


def test_the_offline_voice_says_why_in_words() -> None:
    with pytest.raises(MediaError) as caught:
        program.speak("Good evening.", "tlh-klingon", 160)
    assert "no voice for its language" in caught.value.detail
    assert "exit code" not in caught.value.detail
