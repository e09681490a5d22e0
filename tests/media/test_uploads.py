"""What an upload turns out to be: by its bytes, with hostile ones refused."""

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

SOUNDS = {
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


def written(folder: Path, data: bytes) -> Path:
    path = folder / "upload"
    path.write_bytes(data)
    return path


def made(folder: Path, form: str, *arguments: str) -> Path:
    path = folder / "upload"
    command = [FFMPEG, "-v", "error", *arguments, "-f", form, "-y", str(path)]
    subprocess.run(command, check=True, timeout=60)
    return path


@pytest.mark.parametrize("form", ["PNG", "JPEG", "WEBP", "AVIF"])
def test_a_picture_is_kept_as_its_pixels_alone(form: str, tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112], exif[0x010E] = 6, "MARKER-IN-EXIF"
    out = io.BytesIO()
    Image.new("RGB", (640, 480), (1, 2, 3)).save(out, form, exif=exif)
    path = written(tmp_path, out.getvalue() + b"MARKER-AT-THE-END")
    found = measure(upload("image", "image/png", b"x"), path)
    assert (found.media_type, found.width, found.height) == ("image/png", 480, 640)
    kept = path.read_bytes()
    assert b"MARKER" not in kept
    assert (found.size_bytes, found.sha256) == (len(kept), hashlib.sha256(kept).hexdigest())
    assert found.key.endswith("/user-uploads/reference_image_1.png")


@pytest.mark.parametrize("media_type", VIDEOS)
def test_a_video_is_measured(media_type: str, tmp_path: Path) -> None:
    form, codec = VIDEOS[media_type]
    source = ("-f", "lavfi", "-i", "testsrc2=s=320x180:r=24:d=2", "-c:v", codec)
    path = made(tmp_path, form, *source, "-pix_fmt", "yuv420p")
    found = measure(upload("video", media_type, b"x"), path)
    assert (found.media_type, found.width, found.height) == (media_type, 320, 180)
    assert found.seconds == pytest.approx(2, abs=0.05)
    assert found.has_sound is False
    assert found.key.endswith(f"/user-uploads/video_1.{SUFFIXES[media_type]}")


@pytest.mark.parametrize(
    ("codec", "named", "stored"),
    [
        ("libx264", "video/webm", "video/matroska"),
        ("libvpx-vp9", "video/matroska", "video/webm"),
    ],
)
def test_matroska_is_webm_only_with_codecs_of_webm(
    codec: str, named: str, stored: str, tmp_path: Path
) -> None:
    source = ("-f", "lavfi", "-i", "testsrc2=s=320x180:r=24:d=1", "-c:v", codec)
    path = made(tmp_path, "matroska", *source, "-pix_fmt", "yuv420p")
    found = measure(upload("video", named, b"x"), path)
    assert found.media_type == stored
    assert found.key.endswith(SUFFIXES[stored])


@pytest.mark.parametrize("media_type", SOUNDS)
def test_a_sound_is_measured(media_type: str, tmp_path: Path) -> None:
    form, codec = SOUNDS[media_type]
    path = made(tmp_path, form, "-f", "lavfi", "-i", "sine=d=2", "-c:a", codec)
    found = measure(upload("audio", media_type, b"x"), path)
    assert found.media_type == media_type
    assert found.seconds == pytest.approx(2, abs=0.1)
    assert found.has_sound is True
    assert (found.width, found.height) == (None, None)


def test_a_file_of_another_kind_is_refused(tmp_path: Path) -> None:
    out = io.BytesIO()
    Image.new("RGB", (8, 8)).save(out, "PNG")
    for kind in ("video", "audio"):
        with pytest.raises(MediaError) as caught:
            measure(upload(kind, f"{kind}/mp4", b"x"), written(tmp_path, out.getvalue()))
        assert caught.value.error_code == "upload.type"


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("kind", ["video", "audio", "image"])
def test_a_hostile_file_is_refused_or_harmless(
    name: str, kind: Kind, tmp_path: Path, plain: dict[int, Path]
) -> None:
    """Whatever it is announced as: a refusal, or the truth about a file that only looks odd."""
    secret = tmp_path / "secret.ts"
    secret.write_bytes(b"THE-SECRET" * 1000)
    sent = HOSTILE[name](Bait(secret, plain[2].read_bytes()))
    path = written(tmp_path, sent)
    started = time.monotonic()
    said = ""
    try:
        said = measure(upload(kind, f"{kind}/x", b"x"), path).media_type
    except (MediaError, InvalidInput) as refusal:
        said = refusal.detail
    else:
        assert said.startswith(kind)
    assert str(secret) not in said
    # One of them carries it from the start; nothing of the host is added to any.
    assert path.read_bytes().count(b"THE-SECRET") <= sent.count(b"THE-SECRET")
    assert time.monotonic() - started < 60


SLUG = r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}"


@given(st.text(), st.sampled_from(sorted(SUFFIXES)))
def test_a_key_is_always_under_its_own_owner(user_id: str, media_type: str) -> None:
    """Whatever a user is called: a key of that user's folder, or a refusal."""
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
def test_the_sender_of_an_arrival_is_its_user(user_id: str) -> None:
    media_id = ids.new("med")
    assert parse_upload_key(upload_key(user_id, media_id)) == (user_id, media_id)


@given(st.text())
def test_other_keys_have_no_sender(key: str) -> None:
    for wrong in (key, f"_uploads/{key}", f"_uploads/alice/{key}", f"_uploads/alice/../{key}"):
        with pytest.raises(NotFound):
            parse_upload_key(wrong)
