"""The offline camera: real clips that are decoded and measured."""

import io
import math
import shutil
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest
from PIL import Image, ImageDraw, ImageFilter
from PIL.PngImagePlugin import PngInfo

from common.domain.errors import MediaError, NotFound, PermanentError
from common.domain.styles import mood
from common.domain.video import EncodedImage
from common.media import ffmpeg
from common.providers import JobRef, JobStatus, ProviderContext
from offline import depth_map
from offline.animator import film, layers, living, moves
from offline.video import OfflineCamera
from tests.offline import providers
from tests.offline.providers import KEY, clip_request, image_request, paint
from tests.support.media_store import InMemoryMediaStore

SIZE = (320, 180)


@pytest.fixture(scope="module")
def picture() -> EncodedImage:
    """Return a generated image with a depth map."""
    return paint(image_request(size=SIZE)).picture


def camera(picture: EncodedImage) -> OfflineCamera:
    """Return the offline camera with the image in its media store."""
    return OfflineCamera(ProviderContext(store=InMemoryMediaStore({KEY: picture.data})))


# -- the file --------------------------------------------------------------------------------------
@pytest.mark.parametrize("seconds", [2, 3])
def test_clip_has_the_format_that_the_merge_expects(
    seconds: int, picture: EncodedImage, tmp_path: Path
) -> None:
    target = tmp_path / "clip.mp4"
    providers.animate(picture, target, seconds=seconds)
    probe = ffmpeg.decode(target)
    assert (probe.codec, probe.width, probe.height) == ("h264", *SIZE)
    assert probe.frames == seconds * 24
    assert probe.seconds == pytest.approx(seconds)
    assert probe.time_base == Fraction(1, 12288)
    assert probe.sample_aspect in ("0/1", "1/1")
    assert probe.has_increasing_dts
    assert not probe.has_sound
    assert ffmpeg.is_fast_start(target)
    assert list(tmp_path.iterdir()) == [target]


def test_clip_timestamps_are_regular_and_start_at_zero(
    picture: EncodedImage, tmp_path: Path
) -> None:
    target = tmp_path / "clip.mp4"
    providers.animate(picture, target)
    listing = ffmpeg.run(["-i", str(target), "-c", "copy", "-f", "framecrc", "-"], timeout=30)
    rows = [line.split(",") for line in listing.splitlines() if line[:1].isdigit()]
    times = [(int(row[1]), int(row[2])) for row in rows]
    assert times == [(512 * i, 512 * i) for i in range(48)]


def test_clip_is_8_bit_yuv420_high_profile_with_color_tags(
    picture: EncodedImage, tmp_path: Path
) -> None:
    target = tmp_path / "clip.mp4"
    providers.animate(picture, target)
    data = target.read_bytes()
    offset = data.index(b"avcC") + 4
    assert data[offset + 1] == 100  # High
    assert b"colr" in data
    raw = tmp_path / "one.yuv"
    ffmpeg.run(["-i", str(target), "-frames:v", "1", "-f", "rawvideo", str(raw)], timeout=30)
    assert raw.stat().st_size == SIZE[0] * SIZE[1] * 3 // 2


def test_clips_of_one_size_share_their_encoder_setup(tmp_path: Path) -> None:
    setups = set()
    for number, name in enumerate(("Sketch", "Cartoon"), start=1):
        source_image = paint(
            image_request(size=SIZE, scene=number, feeling=mood(("Calm", "Energetic")[number - 1]))
        ).picture
        target = tmp_path / f"{name}.mp4"
        providers.animate(source_image, target, scene=number)
        setups.add(ffmpeg.inspect(target).setup)
    assert len(setups) == 1


@pytest.mark.parametrize("size", [(180, 320), (396, 168), (161, 121)])
def test_clip_size_is_rounded_down_to_even(size: tuple[int, int], tmp_path: Path) -> None:
    source_image = providers.as_picture(Image.linear_gradient("L").resize(size).convert("RGB"))
    providers.animate(source_image, tmp_path / "clip.mp4")
    probe = ffmpeg.decode(tmp_path / "clip.mp4")
    assert (probe.width, probe.height) == (size[0] // 2 * 2, size[1] // 2 * 2)


def test_clip_of_the_same_job_has_the_same_bytes(picture: EncodedImage, tmp_path: Path) -> None:
    for name in ("one", "two"):
        providers.animate(picture, tmp_path / name)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


# -- the motion ------------------------------------------------------------------------------------
MARK = (640, 360)


def dot_image(*, layered: bool) -> EncodedImage:
    """Return an image with one soft dot, whose centre can be measured below a pixel."""
    image = Image.new("RGB", MARK, (60, 60, 60))
    draw = ImageDraw.Draw(image)
    draw.ellipse((300, 170, 324, 194), fill=(250, 250, 250))
    image = image.filter(ImageFilter.GaussianBlur(2))
    info = PngInfo()
    if layered:
        labels = Image.new("L", MARK)
        ImageDraw.Draw(labels).rectangle((270, 140, 354, 224), fill=2)
        depth_map.add(
            info, depth_map.Depth(labels, {"parallax": [0.0, 0.3, 1.0], "place": "space"})
        )
    out = io.BytesIO()
    image.save(out, "PNG", pnginfo=info)
    return EncodedImage(out.getvalue())


def centroid(grey: bytes, width: int) -> tuple[float, float]:
    """Return the centroid of the bright pixels."""
    total = across = down = 0.0
    for y in range(len(grey) // width):
        row = grey[y * width : (y + 1) * width]
        if max(row) <= 96:
            continue
        for x, value in enumerate(row):
            if value > 96:
                total += value - 96
                across += (value - 96) * x
                down += (value - 96) * y
    return across / total, down / total


def roughness(track: list[float]) -> float:
    """Return the RMS distance of a track from its smoothed self (parabolas over 9 samples)."""
    residuals = []
    for i in range(4, len(track) - 4):
        window = track[i - 4 : i + 5]
        total, weighted = (
            sum(window),
            sum(x * x * y for x, y in zip(range(-4, 5), window, strict=True)),
        )
        residuals.append(track[i] - (total * 708 - weighted * 60) / (9 * 708 - 60 * 60))
    return math.sqrt(sum(r * r for r in residuals) / len(residuals))


@pytest.mark.parametrize("layered", [False, True], ids=["flat", "layered"])
@pytest.mark.parametrize("move", ["pan right", "push in", "rise", "orbit"])
def test_motion_is_smooth_at_subpixel_precision(move: str, layered: bool, tmp_path: Path) -> None:
    target = tmp_path / "clip.mp4"
    providers.animate(dot_image(layered=layered), target, move, seconds=2)
    track = [centroid(grey, MARK[0]) for grey in providers.greys(target, MARK)]
    xs, ys = [x for x, _ in track], [y for _, y in track]
    assert roughness(xs) < 0.15
    assert roughness(ys) < 0.15
    if not (move == "orbit" and layered):  # the camera orbits around the dot
        distance = math.hypot(xs[-1] - xs[0], ys[-1] - ys[0])
        assert distance > 1


def test_roughness_detects_whole_pixel_steps() -> None:
    steady = [0.37 * i for i in range(48)]
    assert roughness(steady) < 0.001
    assert roughness([float(round(x)) for x in steady]) > 0.2


def test_near_layers_move_farther_than_far_layers(tmp_path: Path) -> None:
    labels = Image.new("L", MARK)
    image = Image.new("RGB", MARK, (40, 40, 40))
    for box, band in (((100, 60, 140, 100), 1), ((400, 240, 440, 280), 2)):
        ImageDraw.Draw(image).ellipse(box, fill=(250, 250, 250))
        ImageDraw.Draw(labels).rectangle(
            (box[0] - 8, box[1] - 8, box[2] + 8, box[3] + 8), fill=band
        )
    info, out = PngInfo(), io.BytesIO()
    depth_map.add(info, depth_map.Depth(labels, {"parallax": [0.0, 0.1, 1.0]}))
    image.save(out, "PNG", pnginfo=info)
    providers.animate(EncodedImage(out.getvalue()), tmp_path / "clip.mp4", "pan right")
    greys = providers.greys(tmp_path / "clip.mp4", MARK)
    half = MARK[0] * MARK[1] // 2
    far = [centroid(grey[:half], MARK[0])[0] for grey in (greys[0], greys[-1])]
    near = [centroid(grey[half:], MARK[0])[0] for grey in (greys[0], greys[-1])]
    assert abs(near[1] - near[0]) > 1.3 * abs(far[1] - far[0])


@pytest.mark.parametrize("move", moves.MOVES)
@pytest.mark.parametrize("speed", [0.3, 1.0, 3.0])
@pytest.mark.parametrize("layered", [False, True])
def test_camera_window_stays_inside_the_image(move: str, speed: float, layered: bool) -> None:
    size = (1280, 720)
    for focus in ((0.2, 0.2), (0.8, 0.8)):
        path = moves.plan(move, size, 120, speed=speed, focus=focus, layered=layered)
        assert len(path.views) == 120
        for view in path.views:
            for shift in (0.0, (0.0 - path.pivot) * view.shift, (1.0 - path.pivot) * view.shift):
                across, down = (shift, 0.0) if path.axis == 0 else (0.0, shift)
                assert view.left >= max(0.0, across) - 1e-6
                assert view.left + view.width <= size[0] + min(0.0, across) + 1e-6
                assert view.top >= max(0.0, down) - 1e-6
                if path.move not in ("push", "pull"):  # where nearer layers only move down
                    assert view.top + view.height <= size[1] + min(0.0, down) + 1e-6
            assert abs(view.shift) <= layers.REACH * max(size)


def test_clip_never_shows_an_edge_of_the_image(tmp_path: Path) -> None:
    """An image of one colour stays of one colour, however its layers move."""
    labels = Image.linear_gradient("L").resize(SIZE).point([v * 7 // 256 for v in range(256)])
    info, out = PngInfo(), io.BytesIO()
    parallax = [0.0, 0.04, 0.12, 0.28, 0.46, 0.7, 1.0]
    depth_map.add(info, depth_map.Depth(labels, {"parallax": parallax}))
    Image.new("RGB", SIZE, (200, 120, 60)).save(out, "PNG", pnginfo=info)
    for move in ("pan left", "rise", "orbit", "push in"):
        providers.animate(EncodedImage(out.getvalue()), tmp_path / "clip.mp4", move)
        for grey in providers.greys(tmp_path / "clip.mp4", SIZE)[::12]:
            assert max(grey) - min(grey) < 10


def test_camera_move_depends_on_prompt_mood_and_scene() -> None:
    assert moves.choose("Slowly pull back from the fox", (), 1, 1) == "pull"
    assert moves.choose("Pan left along the wall", ("push",), 1, 1) == "left"
    assert moves.choose("The camera rises", (), 1, 1) == "rise"
    assert moves.choose("quiet", ("push", "orbit"), 1, 1) == "orbit"
    assert {moves.choose("", (), 7, scene) for scene in range(1, 8)} == set(moves.MOVES)
    preferred = ("truck",)
    assert {moves.choose("", preferred, 7, scene) for scene in range(1, 9)} == {"left", "right"}


def test_scenes_of_a_story_have_different_camera_moves(picture: EncodedImage) -> None:
    scenes = providers.story(scenes=6).scenes
    jobs = [camera(picture).submit(clip_request(picture, s.motion_prompt)) for s in scenes]
    assert len({job.facts["move"] for job in jobs}) >= 3


def test_camera_speed_depends_on_the_mood(picture: EncodedImage) -> None:
    calm, energetic = (
        camera(picture).submit(clip_request(picture, feeling=name)).facts["speed"]
        for name in ("Calm", "Energetic")
    )
    assert calm < energetic
    slow, fast = (moves.plan("right", SIZE, 48, speed=speed).views for speed in (calm, energetic))
    assert abs(slow[-1].left - slow[0].left) < abs(fast[-1].left - fast[0].left)


# -- living details --------------------------------------------------------------------------------
def scene_details(weather: str = "clear", motes: str | None = None) -> dict[str, object]:
    return {"weather": weather, "motes": motes, "lamps": [[40, 40, 6, [255, 220, 150]]]}


def luma(image: Image.Image, details: dict[str, object], frames: int) -> list[Image.Image]:
    path = moves.plan("push", SIZE, frames, speed=0.0)
    layer_stack = layers.cut(image, None, [0.0])
    return [planes[0] for planes in film.frames(layer_stack, path, details, 7, 1.0)]


@pytest.mark.parametrize(
    "details",
    [
        scene_details("rain"),
        scene_details("snow"),
        *(scene_details(motes=m) for m in ("dust", "fireflies", "bubbles")),
    ],
)
def test_weather_and_particles_are_animated(details: dict[str, object]) -> None:
    source_image = Image.new("RGB", SIZE, (70, 80, 110))
    plain_frames = luma(source_image, scene_details(), 3)
    detailed_frames = luma(source_image, details, 3)
    assert all(len(set(frame.tobytes())) == 1 for frame in plain_frames)
    assert all(len(set(frame.tobytes())) > 3 for frame in detailed_frames)
    assert detailed_frames[0].tobytes() != detailed_frames[2].tobytes()


def test_lights_flicker_at_their_positions() -> None:
    lights = living.lamps(scene_details(), SIZE)
    flicker = living.Flicker(lights)
    values = set()
    for tick in range(24):
        planes = layers.planes(Image.new("RGB", SIZE, (30, 30, 60)))
        flicker.draw(planes, tick / 24, [(0.0, 0.0)])
        values.add(planes[0].getpixel((40, 40)))
        assert planes[0].getpixel((200, 100)) == planes[0].getpixel((300, 20))
    assert len(values) >= 3


@pytest.mark.parametrize("lamps", [None, "x", [[]], [["a", 1, 2]], [[-5, 5, 5]], [[1, 1, 10**9]]])
def test_invalid_lights_are_ignored(lamps: object) -> None:
    assert living.lamps({"lamps": lamps}, SIZE) == []


# -- jobs ------------------------------------------------------------------------------------------
def test_job_is_json_serializable_free_and_succeeds_immediately(picture: EncodedImage) -> None:
    provider = camera(picture)
    job = provider.submit(clip_request(picture))
    assert JobRef.from_json(job.as_json()) == job
    assert job.estimated.usd == 0
    assert job.wait_seconds <= 1
    state = provider.poll(job)
    assert state.status is JobStatus.SUCCEEDED
    assert state.progress == 1.0
    assert state.cost is not None
    assert state.cost.usd == 0


def test_job_that_is_not_fetched_can_be_canceled(picture: EncodedImage) -> None:
    provider = camera(picture)
    job = provider.submit(clip_request(picture))
    assert provider.cancel(job, provider.poll(job)).status is JobStatus.CANCELED


# -- failures --------------------------------------------------------------------------------------
@pytest.mark.parametrize("data", [b"", b"GIF89a", b"\x89PNG\r\n\x1a\n" + b"\0" * 60])
def test_submit_rejects_a_broken_image(data: bytes) -> None:
    broken = EncodedImage(data)
    with pytest.raises(MediaError):
        camera(broken).submit(clip_request(broken))


def test_submit_rejects_an_image_that_is_too_large() -> None:
    large_image = providers.as_picture(Image.new("1", (2100, 2100)))
    with pytest.raises(MediaError, match="2100x2100"):
        camera(large_image).submit(clip_request(large_image))


def test_fetch_of_a_missing_image_raises_not_found(picture: EncodedImage, tmp_path: Path) -> None:
    provider = camera(picture)
    job = provider.submit(clip_request(picture))
    provider_without_image = OfflineCamera(ProviderContext(store=InMemoryMediaStore()))
    with pytest.raises(NotFound):
        provider_without_image.fetch(job, provider_without_image.poll(job), tmp_path / "clip.mp4")
    assert list(tmp_path.iterdir()) == []


def test_missing_ffmpeg_is_reported(
    picture: EncodedImage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(PermanentError, match="ffmpeg layer") as caught:
        providers.animate(picture, tmp_path / "clip.mp4")
    assert caught.value.error_code == "ffmpeg.missing"
    assert list(tmp_path.iterdir()) == []


def install_ffmpeg_stub(folder: Path, script: str) -> Path:
    folder.mkdir()
    program = folder / "ffmpeg"
    program.write_text(f"#!{shutil.which('sh')}\n{script}\n")
    program.chmod(0o755)
    return folder


@pytest.mark.parametrize("script", ["exit 3", "cat > /dev/null; exit 3", "kill -9 $$"])
def test_failing_ffmpeg_leaves_no_files(
    script: str, picture: EncodedImage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = install_ffmpeg_stub(tmp_path / "bin", f"PATH=/usr/bin:/bin; {script}")
    monkeypatch.setenv("PATH", str(folder))
    results = tmp_path / "out"
    results.mkdir()
    with pytest.raises(MediaError, match="ffmpeg") as caught:
        providers.animate(picture, results / "clip.mp4")
    assert str(tmp_path) not in caught.value.detail
    assert list(results.iterdir()) == []


def test_rendering_error_stops_ffmpeg_and_leaves_no_files(
    picture: EncodedImage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_args: object) -> None:
        raise RuntimeError("out of paint")

    monkeypatch.setattr(layers.Layer, "lay", fails)
    with pytest.raises(RuntimeError, match="out of paint"):
        providers.animate(picture, tmp_path / "clip.mp4", "pan right")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "scene_details",
    [
        {},
        {"parallax": "x", "focus": None},
        {"parallax": [], "lamps": 7, "weather": 3, "motes": 5},
        {"parallax": [0, 9e9, -5, None]},
        {"parallax": [0.0, 1.0], "focus": ["a", "b"]},
    ],
)
def test_invalid_depth_metadata_is_ignored(
    scene_details: dict[str, object], tmp_path: Path
) -> None:
    labels = Image.linear_gradient("L").resize(SIZE)
    info, out = PngInfo(), io.BytesIO()
    depth_map.add(info, depth_map.Depth(labels, scene_details))
    Image.new("RGB", SIZE, (90, 90, 120)).save(out, "PNG", pnginfo=info)
    providers.animate(EncodedImage(out.getvalue()), tmp_path / "clip.mp4")
    assert ffmpeg.decode(tmp_path / "clip.mp4").frames == 48


def test_depth_map_of_another_size_is_ignored(tmp_path: Path, picture: EncodedImage) -> None:
    info, out = PngInfo(), io.BytesIO()
    depth_map.add(info, depth_map.Depth(Image.new("L", (8, 8)), {"parallax": [0.0, 1.0]}))
    providers.opened(picture).save(out, "PNG", pnginfo=info)
    providers.animate(EncodedImage(out.getvalue()), tmp_path / "clip.mp4")
    assert ffmpeg.decode(tmp_path / "clip.mp4").frames == 48


def test_clip_of_ten_seconds_has_240_frames(picture: EncodedImage) -> None:
    job = camera(picture).submit(replace(clip_request(picture), seconds=10))
    assert len(moves.plan(job.facts["move"], SIZE, 10 * film.RATE, speed=1).views) == 240
