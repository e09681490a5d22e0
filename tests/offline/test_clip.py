"""The offline camera: real clips, decoded and measured."""

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
from tests.offline.providers import KEY, Shelf, clip_request, image_request, paint

SIZE = (320, 180)


@pytest.fixture(scope="module")
def picture() -> EncodedImage:
    """A drawn picture with depth."""
    return paint(image_request(size=SIZE)).picture


def camera(picture: EncodedImage) -> OfflineCamera:
    """Return the offline camera with the picture on its shelf."""
    return OfflineCamera(ProviderContext(store=Shelf({KEY: picture.data})))


# -- the file --------------------------------------------------------------------------------------
@pytest.mark.parametrize("seconds", [2, 3])
def test_a_clip_is_what_the_merge_expects(
    seconds: int, picture: EncodedImage, tmp_path: Path
) -> None:
    target = tmp_path / "clip.mp4"
    providers.film(picture, target, seconds=seconds)
    facts = ffmpeg.decode(target)
    assert (facts.codec, facts.width, facts.height) == ("h264", *SIZE)
    assert facts.frames == seconds * 24
    assert facts.seconds == pytest.approx(seconds)
    assert facts.time_base == Fraction(1, 12288)
    assert facts.sample_aspect in ("0/1", "1/1")
    assert facts.rising
    assert not facts.has_sound
    assert ffmpeg.starts_at_once(target)
    assert list(tmp_path.iterdir()) == [target]


def test_pictures_come_at_an_even_pace_and_start_at_zero(
    picture: EncodedImage, tmp_path: Path
) -> None:
    target = tmp_path / "clip.mp4"
    providers.film(picture, target)
    listing = ffmpeg.run(["-i", str(target), "-c", "copy", "-f", "framecrc", "-"], timeout=30)
    rows = [line.split(",") for line in listing.splitlines() if line[:1].isdigit()]
    times = [(int(row[1]), int(row[2])) for row in rows]
    assert times == [(512 * i, 512 * i) for i in range(48)]


def test_it_is_eight_bit_4_2_0_of_the_high_profile_with_colours_told(
    picture: EncodedImage, tmp_path: Path
) -> None:
    target = tmp_path / "clip.mp4"
    providers.film(picture, target)
    data = target.read_bytes()
    at = data.index(b"avcC") + 4
    assert data[at + 1] == 100  # High
    assert b"colr" in data
    raw = tmp_path / "one.yuv"
    ffmpeg.run(["-i", str(target), "-frames:v", "1", "-f", "rawvideo", str(raw)], timeout=30)
    assert raw.stat().st_size == SIZE[0] * SIZE[1] * 3 // 2


def test_clips_of_one_size_can_be_joined_without_encoding(tmp_path: Path) -> None:
    setups = set()
    for number, name in enumerate(("Sketch", "Cartoon"), start=1):
        still = paint(
            image_request(size=SIZE, scene=number, feeling=mood(("Calm", "Energetic")[number - 1]))
        ).picture
        target = tmp_path / f"{name}.mp4"
        providers.film(still, target, scene=number)
        setups.add(ffmpeg.inspect(target).setup)
    assert len(setups) == 1


@pytest.mark.parametrize("size", [(180, 320), (396, 168), (161, 121)])
def test_any_size_is_filmed_at_its_own_even_size(size: tuple[int, int], tmp_path: Path) -> None:
    still = providers.as_picture(Image.linear_gradient("L").resize(size).convert("RGB"))
    providers.film(still, tmp_path / "clip.mp4")
    facts = ffmpeg.decode(tmp_path / "clip.mp4")
    assert (facts.width, facts.height) == (size[0] // 2 * 2, size[1] // 2 * 2)


def test_the_same_job_gives_the_same_clip(picture: EncodedImage, tmp_path: Path) -> None:
    for name in ("one", "two"):
        providers.film(picture, tmp_path / name)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


# -- the motion ------------------------------------------------------------------------------------
MARK = (640, 360)


def marked(*, layered: bool) -> EncodedImage:
    """Return a picture with one soft dot, whose middle can be measured to a part of a pixel."""
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


def middle(grey: bytes, width: int) -> tuple[float, float]:
    """Return the centre of what is bright."""
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
    """Return the RMS distance of a track from its own smooth course (parabolas over 9 steps)."""
    rest = []
    for i in range(4, len(track) - 4):
        part = track[i - 4 : i + 5]
        flat, bent = sum(part), sum(x * x * y for x, y in zip(range(-4, 5), part, strict=True))
        rest.append(track[i] - (flat * 708 - bent * 60) / (9 * 708 - 60 * 60))
    return math.sqrt(sum(r * r for r in rest) / len(rest))


@pytest.mark.parametrize("layered", [False, True], ids=["flat", "layered"])
@pytest.mark.parametrize("move", ["pan right", "push in", "rise", "orbit"])
def test_the_motion_is_real_and_smooth_below_a_pixel(
    move: str, layered: bool, tmp_path: Path
) -> None:
    target = tmp_path / "clip.mp4"
    providers.film(marked(layered=layered), target, move, seconds=2)
    track = [middle(grey, MARK[0]) for grey in providers.greys(target, MARK)]
    xs, ys = [x for x, _ in track], [y for _, y in track]
    assert roughness(xs) < 0.15
    assert roughness(ys) < 0.15
    if not (move == "orbit" and layered):  # the dot is what the camera turns around
        moved = math.hypot(xs[-1] - xs[0], ys[-1] - ys[0])
        assert moved > 1


def test_whole_pixel_steps_would_be_noticed() -> None:
    steady = [0.37 * i for i in range(48)]
    assert roughness(steady) < 0.001
    assert roughness([float(round(x)) for x in steady]) > 0.2


def test_near_layers_move_farther_than_far_ones(tmp_path: Path) -> None:
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
    providers.film(EncodedImage(out.getvalue()), tmp_path / "clip.mp4", "pan right")
    greys = providers.greys(tmp_path / "clip.mp4", MARK)
    half = MARK[0] * MARK[1] // 2
    far = [middle(grey[:half], MARK[0])[0] for grey in (greys[0], greys[-1])]
    near = [middle(grey[half:], MARK[0])[0] for grey in (greys[0], greys[-1])]
    assert abs(near[1] - near[0]) > 1.3 * abs(far[1] - far[0])


@pytest.mark.parametrize("move", moves.MOVES)
@pytest.mark.parametrize("speed", [0.3, 1.0, 3.0])
@pytest.mark.parametrize("layered", [False, True])
def test_the_window_never_leaves_the_still(move: str, speed: float, layered: bool) -> None:
    size = (1280, 720)
    for focus in ((0.2, 0.2), (0.8, 0.8)):
        way = moves.plan(move, size, 120, speed=speed, focus=focus, layered=layered)
        assert len(way.views) == 120
        for view in way.views:
            for shift in (0.0, (0.0 - way.pivot) * view.shift, (1.0 - way.pivot) * view.shift):
                across, down = (shift, 0.0) if way.axis == 0 else (0.0, shift)
                assert view.left >= max(0.0, across) - 1e-6
                assert view.left + view.width <= size[0] + min(0.0, across) + 1e-6
                assert view.top >= max(0.0, down) - 1e-6
                if way.move not in ("push", "pull"):  # there nearer layers only sink
                    assert view.top + view.height <= size[1] + min(0.0, down) + 1e-6
            assert abs(view.shift) <= layers.REACH * max(size)


def test_no_edge_of_the_still_comes_into_view(tmp_path: Path) -> None:
    """A still of one colour stays of one colour, however the layers move."""
    labels = Image.linear_gradient("L").resize(SIZE).point([v * 7 // 256 for v in range(256)])
    info, out = PngInfo(), io.BytesIO()
    parallax = [0.0, 0.04, 0.12, 0.28, 0.46, 0.7, 1.0]
    depth_map.add(info, depth_map.Depth(labels, {"parallax": parallax}))
    Image.new("RGB", SIZE, (200, 120, 60)).save(out, "PNG", pnginfo=info)
    for move in ("pan left", "rise", "orbit", "push in"):
        providers.film(EncodedImage(out.getvalue()), tmp_path / "clip.mp4", move)
        for grey in providers.greys(tmp_path / "clip.mp4", SIZE)[::12]:
            assert max(grey) - min(grey) < 10


def test_the_prompt_the_mood_and_the_scene_choose_the_move() -> None:
    assert moves.choose("Slowly pull back from the fox", (), 1, 1) == "pull"
    assert moves.choose("Pan left along the wall", ("push",), 1, 1) == "left"
    assert moves.choose("The camera rises", (), 1, 1) == "rise"
    assert moves.choose("quiet", ("push", "orbit"), 1, 1) == "orbit"
    assert {moves.choose("", (), 7, scene) for scene in range(1, 8)} == set(moves.MOVES)
    wishes = ("truck",)
    assert {moves.choose("", wishes, 7, scene) for scene in range(1, 9)} == {"left", "right"}


def test_the_scenes_of_a_story_move_in_different_ways(picture: EncodedImage) -> None:
    told = providers.story(scenes=6).scenes
    jobs = [camera(picture).submit(clip_request(picture, s.motion_prompt)) for s in told]
    assert len({job.facts["move"] for job in jobs}) >= 3


def test_the_mood_sets_the_speed(picture: EncodedImage) -> None:
    calm, wild = (
        camera(picture).submit(clip_request(picture, feeling=name)).facts["speed"]
        for name in ("Calm", "Energetic")
    )
    assert calm < wild
    slow, fast = (moves.plan("right", SIZE, 48, speed=speed).views for speed in (calm, wild))
    assert abs(slow[-1].left - slow[0].left) < abs(fast[-1].left - fast[0].left)


# -- living details --------------------------------------------------------------------------------
def facts(weather: str = "clear", motes: str | None = None) -> dict[str, object]:
    return {"weather": weather, "motes": motes, "lamps": [[40, 40, 6, [255, 220, 150]]]}


def luma(still: Image.Image, what: dict[str, object], frames: int) -> list[Image.Image]:
    way = moves.plan("push", SIZE, frames, speed=0.0)
    parts = layers.cut(still, None, [0.0])
    return [planes[0] for planes in film.frames(parts, way, what, 7, 1.0)]


@pytest.mark.parametrize(
    "what",
    [facts("rain"), facts("snow"), *(facts(motes=m) for m in ("dust", "fireflies", "bubbles"))],
)
def test_weather_and_specks_move_over_a_still_of_one_colour(what: dict[str, object]) -> None:
    still = Image.new("RGB", SIZE, (70, 80, 110))
    quiet = luma(still, facts(), 3)
    alive = luma(still, what, 3)
    assert all(len(set(image.tobytes())) == 1 for image in quiet)
    assert all(len(set(image.tobytes())) > 3 for image in alive)
    assert alive[0].tobytes() != alive[2].tobytes()


def test_lights_flicker_where_the_painter_put_them() -> None:
    lights = living.lamps(facts(), SIZE)
    flicker = living.Flicker(lights)
    seen = set()
    for tick in range(24):
        planes = layers.planes(Image.new("RGB", SIZE, (30, 30, 60)))
        flicker.draw(planes, tick / 24, [(0.0, 0.0)])
        seen.add(planes[0].getpixel((40, 40)))
        assert planes[0].getpixel((200, 100)) == planes[0].getpixel((300, 20))
    assert len(seen) >= 3


@pytest.mark.parametrize("lamps", [None, "x", [[]], [["a", 1, 2]], [[-5, 5, 5]], [[1, 1, 10**9]]])
def test_strange_lights_are_left_out(lamps: object) -> None:
    assert living.lamps({"lamps": lamps}, SIZE) == []


# -- jobs ------------------------------------------------------------------------------------------
def test_a_job_is_json_free_and_succeeds_at_once(picture: EncodedImage) -> None:
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


def test_a_job_that_is_not_fetched_is_canceled(picture: EncodedImage) -> None:
    provider = camera(picture)
    job = provider.submit(clip_request(picture))
    assert provider.cancel(job, provider.poll(job)).status is JobStatus.CANCELED


# -- bad luck --------------------------------------------------------------------------------------
@pytest.mark.parametrize("data", [b"", b"GIF89a", b"\x89PNG\r\n\x1a\n" + b"\0" * 60])
def test_a_broken_picture_is_refused_when_submitted(data: bytes) -> None:
    broken = EncodedImage(data)
    with pytest.raises(MediaError):
        camera(broken).submit(clip_request(broken))


def test_a_huge_picture_is_refused() -> None:
    huge = providers.as_picture(Image.new("1", (2100, 2100)))
    with pytest.raises(MediaError, match="2100x2100"):
        camera(huge).submit(clip_request(huge))


def test_a_picture_that_is_gone_is_said_so(picture: EncodedImage, tmp_path: Path) -> None:
    provider = camera(picture)
    job = provider.submit(clip_request(picture))
    lost = OfflineCamera(ProviderContext(store=Shelf()))
    with pytest.raises(NotFound):
        lost.fetch(job, lost.poll(job), tmp_path / "clip.mp4")
    assert list(tmp_path.iterdir()) == []


def test_without_ffmpeg_it_says_what_is_missing(
    picture: EncodedImage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(PermanentError, match="ffmpeg layer") as caught:
        providers.film(picture, tmp_path / "clip.mp4")
    assert caught.value.error_code == "ffmpeg.missing"
    assert list(tmp_path.iterdir()) == []


def fake_ffmpeg(folder: Path, script: str) -> Path:
    folder.mkdir()
    program = folder / "ffmpeg"
    program.write_text(f"#!{shutil.which('sh')}\n{script}\n")
    program.chmod(0o755)
    return folder


@pytest.mark.parametrize("script", ["exit 3", "cat > /dev/null; exit 3", "kill -9 $$"])
def test_a_failing_ffmpeg_leaves_nothing_behind(
    script: str, picture: EncodedImage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = fake_ffmpeg(tmp_path / "bin", f"PATH=/usr/bin:/bin; {script}")
    monkeypatch.setenv("PATH", str(folder))
    results = tmp_path / "out"
    results.mkdir()
    with pytest.raises(MediaError, match="ffmpeg") as caught:
        providers.film(picture, results / "clip.mp4")
    assert str(tmp_path) not in caught.value.detail
    assert list(results.iterdir()) == []


def test_an_error_while_drawing_stops_ffmpeg_and_leaves_nothing(
    picture: EncodedImage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_args: object) -> None:
        raise RuntimeError("out of paint")

    monkeypatch.setattr(layers.Layer, "lay", fails)
    with pytest.raises(RuntimeError, match="out of paint"):
        providers.film(picture, tmp_path / "clip.mp4", "pan right")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "strange",
    [
        {},
        {"parallax": "x", "focus": None},
        {"parallax": [], "lamps": 7, "weather": 3, "motes": 5},
        {"parallax": [0, 9e9, -5, None]},
        {"parallax": [0.0, 1.0], "focus": ["a", "b"]},
    ],
)
def test_strange_facts_in_the_file_do_no_harm(strange: dict[str, object], tmp_path: Path) -> None:
    labels = Image.linear_gradient("L").resize(SIZE)
    info, out = PngInfo(), io.BytesIO()
    depth_map.add(info, depth_map.Depth(labels, strange))
    Image.new("RGB", SIZE, (90, 90, 120)).save(out, "PNG", pnginfo=info)
    providers.film(EncodedImage(out.getvalue()), tmp_path / "clip.mp4")
    assert ffmpeg.decode(tmp_path / "clip.mp4").frames == 48


def test_a_depth_of_another_size_is_not_used(tmp_path: Path, picture: EncodedImage) -> None:
    info, out = PngInfo(), io.BytesIO()
    depth_map.add(info, depth_map.Depth(Image.new("L", (8, 8)), {"parallax": [0.0, 1.0]}))
    providers.opened(picture).save(out, "PNG", pnginfo=info)
    providers.film(EncodedImage(out.getvalue()), tmp_path / "clip.mp4")
    assert ffmpeg.decode(tmp_path / "clip.mp4").frames == 48


def test_a_job_of_ten_seconds_has_240_pictures(picture: EncodedImage) -> None:
    job = camera(picture).submit(replace(clip_request(picture), seconds=10))
    assert len(moves.plan(job.facts["move"], SIZE, 10 * film.RATE, speed=1).views) == 240
