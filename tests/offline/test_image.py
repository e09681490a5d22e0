"""The offline painter: deterministic images that depend on prompt, style, mood and scene."""

import io
import itertools
import tomllib
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image, ImageStat

from common.domain.errors import MediaError
from common.domain.styles import mood, moods, style, styles
from common.domain.video import RATIOS, EncodedImage
from offline import depth_map
from offline.image import SOFTWARE
from offline.painter import words
from offline.painter.paint import PARALLAX, PLACES
from offline.painter.subjects import BY_PLACE, SUBJECTS
from tests.offline import providers
from tests.offline.providers import difference, image_request, opened, paint

MOST_BYTES = 2_500_000


@pytest.mark.parametrize("ratio", list(RATIOS))
def test_image_has_exactly_the_size_of_the_ratio(ratio: str) -> None:
    result = paint(image_request(size=RATIOS[ratio]))
    with Image.open(io.BytesIO(result.picture.data)) as image:
        assert (image.format, image.mode, image.size) == ("PNG", "RGB", RATIOS[ratio])
    assert result.picture.media_type == "image/png"
    assert result.cost.usd == 0


@pytest.mark.parametrize("name", ["Sketch", "Watercolor", "Realistic"])
def test_image_of_the_same_request_has_the_same_bytes(name: str) -> None:
    request = image_request(style=style(name))
    assert paint(request).picture.data == paint(request).picture.data
    different_seed = paint(replace(request, seed=8)).picture.data
    assert different_seed != paint(request).picture.data


@pytest.mark.parametrize("name", ["Sketch", "Cinematic", "Watercolor"])
def test_image_file_stays_small(name: str) -> None:
    request = image_request(style=style(name), size=(1280, 720))
    assert len(paint(request).picture.data) < MOST_BYTES


def test_every_two_styles_look_different() -> None:
    images = {
        name: opened(paint(image_request(style=image_style)).picture)
        for name, image_style in styles().items()
    }
    for first, second in itertools.combinations(images, 2):
        detail_difference = _detail(images[first]) - _detail(images[second])
        distance = difference(images[first], images[second]) + 0.6 * abs(detail_difference)
        assert distance > 2.0, f"{first} and {second} look alike ({distance:.1f})"


def _detail(image: Image.Image) -> float:
    """Return the amount of fine detail of an image: grain, hatching, outlines."""
    grey = image.convert("L")
    blurred = grey.reduce(2).resize(grey.size, Image.Resampling.BILINEAR)
    pairs = zip(grey.tobytes()[::7], blurred.tobytes()[::7], strict=True)
    return sum(abs(a - b) for a, b in pairs) / (len(grey.tobytes()) / 7)


def test_every_two_moods_look_different() -> None:
    images = [
        opened(paint(replace(image_request(), mood=image_mood, scene=2)).picture)
        for image_mood in moods().values()
    ]
    for first, second in itertools.combinations(images, 2):
        assert difference(first, second) > 2.0


def test_images_of_a_video_differ_and_share_their_world() -> None:
    first = paint(image_request(scene=1)).picture
    images = [first] + [
        paint(image_request(scene=number, anchor=first)).picture for number in range(2, 7)
    ]
    for earlier, later in itertools.combinations(images, 2):
        assert difference(opened(earlier), opened(later)) > 4
    worlds = []
    for image in images:
        depth = depth_map.read(image.data)
        assert depth is not None
        worlds.append(depth.facts["world"])
    assert all(world == worlds[0] for world in worlds)


def test_first_image_determines_the_world_for_every_seed() -> None:
    prompt = "something happens"
    first = paint(image_request(prompt, seed=1)).picture
    anchored = paint(image_request(prompt, seed=99, scene=2, anchor=first)).picture
    independent = paint(image_request(prompt, seed=99, scene=2)).picture
    world, anchored_world, independent_world = (
        depth.facts["world"]
        for depth in map(depth_map.read, (first.data, anchored.data, independent.data))
        if depth is not None
    )
    assert anchored_world == world
    assert independent_world != world


def test_foreign_first_image_determines_the_colors() -> None:
    green, violet = (
        providers.as_picture(Image.new("RGB", (64, 36), colour))
        for colour in ((40, 190, 70), (130, 50, 190))
    )
    results = [
        opened(paint(image_request(scene=2, anchor=anchor)).picture) for anchor in (green, violet)
    ]
    (_, green_1, _), (_, green_2, _) = (ImageStat.Stat(image).mean for image in results)
    assert green_1 > green_2 + 1


@pytest.mark.parametrize("place", list(PLACES))
def test_place_is_painted_in_every_framing(place: str) -> None:
    assert place in {hit.name for hit in words.find(_word_for("places", place))}
    for scene in (1, 4):
        request = image_request(_word_for("places", place), size=(320, 180), scene=scene)
        depth = depth_map.read(paint(request).picture.data)
        assert depth is not None
        assert depth.facts["place"] == place


@pytest.mark.parametrize("subject", list(SUBJECTS))
def test_subject_is_drawn(subject: str) -> None:
    request = image_request(f"a {_word_for('subjects', subject)}", size=(320, 180), scene=3)
    depth = depth_map.read(paint(request).picture.data)
    assert depth is not None
    assert depth.facts["world"]["cast"][0] == subject
    assert depth.labels.histogram()[5] > 30  # the band of the main character


def _word_for(kind: str, name: str) -> str:
    """Return a word of the table whose first meaning is `name`."""
    path = Path(words.__file__).with_name("words.toml")
    table = tomllib.loads(path.read_text(encoding="utf-8"))
    for word in table[kind][name]:
        hits = [hit.name for hit in words.find(word) if hit.kind == kind]
        if hits[:1] == [name]:
            return str(word)
    raise AssertionError(f"no word means {name}")


def test_default_subjects_and_places_exist() -> None:
    assert {name for names in BY_PLACE.values() for name in names} <= set(SUBJECTS)
    assert set(BY_PLACE) <= set(PLACES)


def test_prompt_changes_the_image() -> None:
    day, night, sea = (
        opened(paint(image_request(prompt)).picture)
        for prompt in (
            "a fox in a meadow at noon",
            "a fox in a meadow at night",
            "a fox by the sea",
        )
    )
    assert (
        ImageStat.Stat(day.convert("L")).mean[0] > ImageStat.Stat(night.convert("L")).mean[0] + 40
    )
    assert difference(day, sea) > 8


def test_style_section_of_the_prompt_is_not_drawn() -> None:
    prompt = words.read("STYLE: castle by night. STORY: a fox. SCENE: Close view by the sea.")
    assert prompt.first("places") == "sea"
    assert prompt.first("subjects") == "fox"
    assert prompt.first("times") is None
    assert prompt.first("framings") == "close"


def test_color_word_before_the_subject_is_its_color() -> None:
    assert words.read("a small red fox in a green forest").colour_of("fox") == "#c93a36"
    assert words.read("a fox in a green forest").colour_of("fox") is None


@pytest.mark.parametrize(
    "prompt", ["", " ", "🚀", "一只红色的狐狸在雪地里", "الثعلب", "x" * 4000, "SCENE:", "\x00\x07"]
)
def test_any_prompt_yields_an_image(prompt: str) -> None:
    assert opened(paint(image_request(prompt, size=(320, 180))).picture).size == (320, 180)


def test_words_are_found_in_other_scripts() -> None:
    names = {hit.name for hit in words.find("一只猫在月光下的城市里散步")}
    assert {"cat", "city", "night"} <= names


# -- the client's reference image ------------------------------------------------------------------
@pytest.mark.parametrize("shape", [(300, 400), (800, 120), (200, 800)])
@pytest.mark.parametrize("scene", [1, 2])
def test_reference_image_is_shown_whole(shape: tuple[int, int], scene: int) -> None:
    pink, green = (255, 0, 255), (0, 255, 40)  # colours of no other large area
    reference = Image.new("RGB", shape, pink)
    reference.paste(green, (shape[0] // 2, shape[1] // 2, *shape))  # the lower right quarter
    request = image_request(
        "a castle in a forest", scene=scene, reference=providers.as_picture(reference)
    )
    image = opened(paint(request).picture)
    left, top, right, bottom = _bounds(image, (pink, green))
    aspect_ratio = (right - left) / (bottom - top)
    assert aspect_ratio == pytest.approx(shape[0] / shape[1], rel=0.25)
    assert (right - left) * (bottom - top) > 0.01 * image.width * image.height
    step_x, step_y = (right - left) // 8, (bottom - top) // 8
    assert _is_near(image.getpixel((right - step_x, bottom - step_y)), green)
    assert _is_near(image.getpixel((left + step_x, (top + bottom) // 2)), pink)


def _bounds(
    image: Image.Image, colours: tuple[tuple[int, int, int], ...]
) -> tuple[int, int, int, int]:
    """Return the largest block of the colours: left, top, right, bottom."""
    hits = [
        [
            any(_is_near(image.getpixel((x, y)), colour) for colour in colours)
            for x in range(image.width)
        ]
        for y in range(image.height)
    ]
    left, right = _longest_run([sum(column) for column in zip(*hits, strict=True)])
    top, bottom = _longest_run([sum(row[left:right]) for row in hits])
    return left, top, right, bottom


def _longest_run(counts: list[int]) -> tuple[int, int]:
    best, start = (0, 0), 0
    for index, count in enumerate([*counts, 0]):
        if count <= 0.4 * max(counts):
            best = max(best, (start, index), key=lambda run: run[1] - run[0])
            start = index + 1
    return best


def _is_near(pixel: object, colour: tuple[int, int, int]) -> bool:
    assert isinstance(pixel, tuple)
    return all(abs(int(a) - b) < 70 for a, b in zip(pixel, colour, strict=True))


def test_sketch_keeps_the_colors_of_the_reference_image() -> None:
    reference = providers.as_picture(Image.new("RGB", (400, 300), (230, 30, 30)))
    image = opened(paint(image_request(style=style("Sketch"), reference=reference)).picture)
    reds = [
        pixel
        for pixel in image.resize((160, 90)).get_flattened_data()
        if isinstance(pixel, tuple) and pixel[0] > 1.6 * max(pixel[1], pixel[2])
    ]
    assert len(reds) > 160 * 90 * 0.03


@pytest.mark.parametrize("data", [b"", b"no picture", b"\x89PNG\r\n\x1a\n" + b"\0" * 40])
def test_broken_reference_or_first_image_is_rejected(data: bytes) -> None:
    with pytest.raises(MediaError):
        paint(image_request(reference=EncodedImage(data)))
    with pytest.raises(MediaError):
        paint(image_request(scene=2, anchor=EncodedImage(data)))


# -- metadata in the PNG ---------------------------------------------------------------------------
def test_png_contains_software_and_depth_map() -> None:
    data = paint(image_request()).picture.data
    png_chunks = providers.chunks(data)
    assert SOFTWARE.encode() in png_chunks[b"tEXt"]
    assert depth_map.CHUNK in png_chunks
    depth = depth_map.read(data)
    assert depth is not None
    assert depth.labels.size == (480, 270)
    bands = {band for band, count in enumerate(depth.labels.histogram()) if count}
    assert len(bands) >= 4
    assert bands <= set(range(len(PARALLAX)))
    assert depth.facts["parallax"] == list(PARALLAX)


def test_depth_map_puts_the_sky_far() -> None:
    depth = depth_map.read(paint(image_request("a castle under a clear sky")).picture.data)
    assert depth is not None
    assert depth.labels.getpixel((240, 2)) in (0, 1)
    focus = depth.facts["focus"]
    assert 0 <= focus[0] <= 1


@pytest.mark.parametrize("damage", ["bit", "cut", "length"])
def test_damaged_depth_map_is_ignored(damage: str) -> None:
    data = bytearray(paint(image_request(size=(320, 180))).picture.data)
    offset = data.index(depth_map.CHUNK)
    if damage == "bit":
        data[offset + 200] ^= 4
    elif damage == "cut":
        del data[offset + 60 :]
    else:
        data[offset - 4 : offset] = b"\xff\xff\xff\xff"
    assert depth_map.read(bytes(data)) is None
    assert depth_map.read(b"") is None


def test_weather_of_every_mood_is_painted() -> None:
    weathers = {
        w for known_mood in moods().values() for w in known_mood.drawing.get("weathers", ())
    }
    for weather in sorted(weathers):
        request_mood = replace(mood("Calm"), drawing={"weathers": (weather,), "times": ("dawn",)})
        request = replace(image_request("a child in a village", size=(320, 180)), mood=request_mood)
        depth = depth_map.read(paint(request).picture.data)
        assert depth is not None
        assert depth.facts["weather"] == weather
