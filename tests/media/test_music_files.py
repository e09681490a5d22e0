"""Music files with tags, cover art, padding and extra streams."""

import array
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from common.domain.errors import MediaError
from merge.audio import mix
from merge.audio.mix import AddedAudio, Music
from merge.models import MergedScene, SceneTreatment
from register.inspection import measure
from tests.media.coded import FFMPEG
from tests.media.test_uploads import upload, write_upload

TONE = ("-f", "lavfi", "-i", "sine=d=2:sample_rate=44100")


def sound(folder: Path, suffix: str, *arguments: str) -> bytes:
    path = folder / f"sound.{suffix}"
    subprocess.run([FFMPEG, "-v", "error", *arguments, "-y", str(path)], check=True, timeout=60)
    return path.read_bytes()


def with_cover(folder: Path, suffix: str, cover: str, side: int) -> bytes:
    """Return an audio file with cover art of that codec and size."""
    image = folder / f"cover.{cover}"
    red = ("-f", "lavfi", "-i", f"color=red:s={side}x{side}", "-frames:v", "1")
    subprocess.run([FFMPEG, "-v", "error", *red, "-y", str(image)], check=True, timeout=60)
    inputs = (*TONE, "-i", str(image), "-map", "0", "-map", "1", "-c:v", "copy")
    return sound(folder, suffix, *inputs, "-disposition:v", "attached_pic")


def id3(size: int, *, version: int = 4, flags: int = 0) -> bytes:
    length = bytes(size >> shift & 0x7F for shift in (21, 14, 7, 0))
    return b"ID3" + bytes((version, 0, flags)) + length + bytes(size)


MP3 = ("-c:a", "libmp3lame", "-id3v2_version", "0")
FILES: dict[str, tuple[str, Callable[[Path], bytes]]] = {
    "gif cover": ("audio/mpeg", lambda folder: with_cover(folder, "mp3", "gif", 300)),
    "bmp cover": ("audio/mpeg", lambda folder: with_cover(folder, "mp3", "bmp", 300)),
    "webp cover": ("audio/mpeg", lambda folder: with_cover(folder, "mp3", "webp", 300)),
    "tiff cover": ("audio/mpeg", lambda folder: with_cover(folder, "mp3", "tiff", 300)),
    "huge cover": ("audio/mpeg", lambda folder: with_cover(folder, "mp3", "png", 3200)),
    "huge cover in FLAC": ("audio/flac", lambda folder: with_cover(folder, "flac", "png", 3200)),
    "huge cover in M4A": ("audio/mp4", lambda folder: with_cover(folder, "m4a", "png", 3200)),
    "leading zeros": ("audio/mpeg", lambda folder: bytes(700) + sound(folder, "mp3", *TONE, *MP3)),
    "many leading zeros": (
        "audio/mpeg",
        lambda folder: bytes(90_000) + sound(folder, "mp3", *TONE, *MP3),
    ),
    "zeros, then a tag": (
        "audio/mpeg",
        lambda folder: bytes(5000) + id3(50) + sound(folder, "mp3", *TONE, *MP3),
    ),
    "trailing zeros": (
        "audio/mpeg",
        lambda folder: sound(folder, "mp3", *TONE, *MP3) + bytes(9000),
    ),
    "two tags": ("audio/mpeg", lambda folder: 2 * id3(80) + sound(folder, "mp3", *TONE, *MP3)),
    "ID3v2.2": (
        "audio/mpeg",
        lambda folder: id3(40, version=2) + sound(folder, "mp3", *TONE, *MP3),
    ),
    "padded tag": ("audio/mpeg", lambda folder: id3(70_000) + sound(folder, "mp3", *TONE, *MP3)),
    "ID3v1": ("audio/mpeg", lambda folder: sound(folder, "mp3", *TONE, *MP3) + b"TAG" + bytes(125)),
    "tag before FLAC": ("audio/mpeg", lambda folder: id3(300) + sound(folder, "flac", *TONE)),
    "more streams": (
        "audio/mp4",
        lambda folder: sound(folder, "m4a", *TONE, *TONE, "-map", "0", "-map", "1", "-c:a", "aac"),
    ),
}


@pytest.mark.parametrize("kind", FILES)
def test_music_file_is_accepted_and_audible(kind: str, tmp_path: Path) -> None:
    media_type, write = FILES[kind]
    path = write_upload(tmp_path, write(tmp_path))
    facts = measure(upload("audio", media_type, b"x"), path)
    assert facts.seconds == pytest.approx(2, abs=0.15)
    parts = (MergedScene(1, SceneTreatment.COPIED, "", 0, 1.5, 36),)
    music = Music(path, volume=1, fade_in=0, fade_out=0, loop=False, duck=False)
    mixed = mix.mix(AddedAudio({}, music), None, parts, 1.5, tmp_path)
    assert max(array.array("h", mixed.read_bytes())) > 2000


@pytest.mark.parametrize("content", [bytes(5000), id3(40), bytes(3000) + b"#EXTM3U\nfile:///x"])
def test_file_without_audio_after_tags_is_rejected(content: bytes, tmp_path: Path) -> None:
    with pytest.raises(MediaError):
        measure(upload("audio", "audio/mpeg", b"x"), write_upload(tmp_path, content))
