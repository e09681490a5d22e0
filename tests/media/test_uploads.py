"""Probing uploads by their content, and rejecting hostile files."""

import hashlib
import io
import subprocess
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from common.database.uploads import Upload
from common.domain import ids
from common.domain.errors import InvalidInput, MediaError, NotFound
from common.domain.uploads import SUFFIXES, Kind, kind_of
from common.storage import MediaFolder, parse_upload_key, upload_key
from register.inspection import measure
from tests.media.coded import FFMPEG
from tests.media.hostile import HOSTILE, Bait

AUDIO = {
    "audio/mpeg": ("mp3", "libmp3lame"),
    "audio/mp4": ("ipod", "aac"),
    "audio/wav": ("wav", "pcm_s16le"),
    "audio/ogg": ("ogg", "libvorbis"),
    "audio/flac": ("flac", "flac"),
    "audio/webm": ("webm", "libopus"),
}
VIDEOS = {
    "video/mp4": ("mp4", "libx264"),
    "video/quicktime": ("mov", "libx264"),
    "video/webm": ("webm", "libvpx-vp9"),
    "video/matroska": ("matroska", "libx264"),
}


def upload(kind: Kind, media_type: str, data: bytes) -> Upload:
    return Upload(ids.new("med"), "alice", kind, media_type, len(data))


def write_upload(folder: Path, data: bytes) -> Path:
    path = folder / "upload"
    path.write_bytes(data)
    return path


def write_media(folder: Path, form: str, *arguments: str) -> Path:
    path = folder / "upload"
    command = [FFMPEG, "-v", "error", *arguments, "-f", form, "-y", str(path)]
    subprocess.run(command, check=True, timeout=60)
    return path


@pytest.mark.parametrize("form", ["PNG", "JPEG", "WEBP", "AVIF"])
def test_image_upload_is_reduced_to_pixels(form: str, tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112], exif[0x010E] = 6, "MARKER-IN-EXIF"
    out = io.BytesIO()
    Image.new("RGB", (640, 480), (1, 2, 3)).save(out, form, exif=exif)
    path = write_upload(tmp_path, out.getvalue() + b"MARKER-AT-THE-END")
    facts = measure(upload("image", "image/png", b"x"), path)
    assert (facts.media_type, facts.width, facts.height) == ("image/png", 480, 640)
    stored = path.read_bytes()
    assert b"MARKER" not in stored
    assert (facts.size_bytes, facts.sha256) == (len(stored), hashlib.sha256(stored).hexdigest())
    assert facts.key.endswith("/user-uploads/reference_image_1.png")


@pytest.mark.parametrize("media_type", VIDEOS)
def test_video_upload_is_probed(media_type: str, tmp_path: Path) -> None:
    form, codec = VIDEOS[media_type]
    source = ("-f", "lavfi", "-i", "testsrc2=s=320x180:r=24:d=2", "-c:v", codec)
    path = write_media(tmp_path, form, *source, "-pix_fmt", "yuv420p")
    facts = measure(upload("video", media_type, b"x"), path)
    assert (facts.media_type, facts.width, facts.height) == (media_type, 320, 180)
    assert facts.seconds == pytest.approx(2, abs=0.05)
    assert facts.has_sound is False
    assert facts.key.endswith(f"/user-uploads/video_1.{SUFFIXES[media_type]}")


@pytest.mark.parametrize(
    ("codec", "declared", "stored"),
    [
        ("libx264", "video/webm", "video/matroska"),
        ("libvpx-vp9", "video/matroska", "video/webm"),
    ],
)
def test_matroska_upload_is_webm_only_with_webm_codecs(
    codec: str, declared: str, stored: str, tmp_path: Path
) -> None:
    source = ("-f", "lavfi", "-i", "testsrc2=s=320x180:r=24:d=1", "-c:v", codec)
    path = write_media(tmp_path, "matroska", *source, "-pix_fmt", "yuv420p")
    facts = measure(upload("video", declared, b"x"), path)
    assert facts.media_type == stored
    assert facts.key.endswith(SUFFIXES[stored])


@pytest.mark.parametrize("media_type", AUDIO)
def test_audio_upload_is_probed(media_type: str, tmp_path: Path) -> None:
    form, codec = AUDIO[media_type]
    path = write_media(tmp_path, form, "-f", "lavfi", "-i", "sine=d=2", "-c:a", codec)
    facts = measure(upload("audio", media_type, b"x"), path)
    assert facts.media_type == media_type
    assert facts.seconds == pytest.approx(2, abs=0.1)
    assert facts.has_sound is True
    assert (facts.width, facts.height) == (None, None)


def test_upload_of_other_kind_is_rejected(tmp_path: Path) -> None:
    out = io.BytesIO()
    Image.new("RGB", (8, 8)).save(out, "PNG")
    for kind in ("video", "audio"):
        with pytest.raises(MediaError) as caught:
            measure(upload(kind, f"{kind}/mp4", b"x"), write_upload(tmp_path, out.getvalue()))
        assert caught.value.error_code == "upload.type"


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("kind", ["video", "audio", "image"])
def test_hostile_upload_is_rejected_or_harmless(
    name: str, kind: Kind, tmp_path: Path, plain: dict[int, Path]
) -> None:
    """A hostile file is rejected under every declared type, or is harmless."""
    secret = tmp_path / "secret.ts"
    secret.write_bytes(b"THE-SECRET" * 1000)
    data = HOSTILE[name](Bait(secret, plain[2].read_bytes()))
    path = write_upload(tmp_path, data)
    started = time.monotonic()
    output = ""
    try:
        output = measure(upload(kind, f"{kind}/x", b"x"), path).media_type
    except (MediaError, InvalidInput) as error:
        output = error.detail
    else:
        assert output.startswith(kind)
    assert str(secret) not in output
    # One file contains the secret from the start; none gains a copy.
    assert path.read_bytes().count(b"THE-SECRET") <= data.count(b"THE-SECRET")
    assert time.monotonic() - started < 60


SLUG = r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}"


@given(st.text(), st.sampled_from(sorted(SUFFIXES)))
def test_upload_key_is_below_user_prefix(user_id: str, media_type: str) -> None:
    """For any user id, the key is below the user's prefix or the id is rejected."""
    media_id = ids.new("med")
    kind = kind_of(media_type)
    assert kind is not None
    try:
        key = MediaFolder(user_id, media_id).upload(kind, SUFFIXES[media_type])
        raw = upload_key(user_id, media_id)
    except (InvalidInput, NotFound):
        return
    assert key.startswith(f"{user_id}/{media_id}/user-uploads/")
    assert key.count("/") == raw.count("/") + 1 == 3
    assert parse_upload_key(raw) == (user_id, media_id)
    assert not key.startswith("_uploads/")


@given(st.from_regex(SLUG, fullmatch=True))
def test_parse_upload_key_round_trip(user_id: str) -> None:
    media_id = ids.new("med")
    assert parse_upload_key(upload_key(user_id, media_id)) == (user_id, media_id)


@given(st.text())
def test_parse_upload_key_rejects_other_keys(key: str) -> None:
    for wrong in (key, f"_uploads/{key}", f"_uploads/alice/{key}", f"_uploads/alice/../{key}"):
        with pytest.raises(NotFound):
            parse_upload_key(wrong)
