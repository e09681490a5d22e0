"""Styles and moods as data: what is in the files, and that a file alone changes the drawing."""

from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

import pytest

from common.domain import styles
from common.domain.errors import InvalidInput
from offline.animator.moves import MOVES
from offline.painter import drawing
from offline.painter.colour import parse
from offline.painter.light import hours
from tests.offline import providers

STYLES = {
    "Realistic",
    "Cartoon",
    "Anime",
    "Watercolor",
    "Cinematic",
    "3D",
    "Sketch",
    "Pixel art",
}
MOODS = {
    "Vibrant",
    "Calm",
    "Energetic",
    "Dramatic",
    "Mysterious",
    "Playful",
    "Melancholic",
}
_FOLDER = Path(styles.__file__).parent


def test_the_styles_and_moods_of_the_house_are_there() -> None:
    assert {style.name for style in styles.styles().values()} >= STYLES
    assert {mood.name for mood in styles.moods().values()} >= MOODS


def test_every_file_is_a_style_or_a_mood_of_its_own() -> None:
    assert len(styles.styles()) == len(list((_FOLDER / "styles").glob("*.toml")))
    assert len(styles.moods()) == len(list((_FOLDER / "moods").glob("*.toml")))


@pytest.mark.parametrize("name", ["anime", "ANIME", "  Anime "])
def test_a_style_is_found_however_it_is_written(name: str) -> None:
    assert styles.style(name).name == "Anime"


def test_an_unknown_style_or_mood_names_those_there_are() -> None:
    with pytest.raises(InvalidInput) as style:
        styles.style("Cubist")
    assert style.value.field == "style"
    assert style.value.allowed == sorted(s.name for s in styles.styles().values())
    with pytest.raises(InvalidInput) as mood:
        styles.mood("Hungry")
    assert mood.value.field == "mood"
    assert "Calm" in mood.value.detail


@pytest.mark.parametrize("style", styles.styles().values(), ids=lambda s: s.name)
def test_a_style_says_enough_to_paint_by(style: styles.Style) -> None:
    for text in (style.prompt, style.technical, style.lighting):
        assert 40 <= len(text) <= 400
        assert not text.endswith(".")
    parsed = drawing.drawing(style.drawing)
    for colour in (parsed.line_colour, parsed.darks, parsed.lights, parsed.paper):
        parse(colour)
    assert parsed.clouds in ("soft", "bold")


@pytest.mark.parametrize("mood", styles.moods().values(), ids=lambda m: m.name)
def test_a_mood_says_enough_to_paint_and_film_by(mood: styles.Mood) -> None:
    assert 20 <= len(mood.prompt) <= 300
    assert 20 <= len(mood.motion) <= 300
    feeling = drawing.feeling(mood.drawing)
    assert set(feeling.times) <= set(hours())
    assert set(feeling.moves) <= {*MOVES, "truck"}
    assert 0.4 <= feeling.speed <= 2.0


def test_no_two_styles_say_the_same() -> None:
    known = styles.styles().values()
    assert len({s.prompt for s in known}) == len(known)
    assert len({tuple(sorted(s.drawing.items())) for s in known}) == len(known)


def test_an_entry_that_the_painter_does_not_know_is_named() -> None:
    with pytest.raises(InvalidInput, match="glitter"):
        drawing.drawing({"glitter": 1.0})
    with pytest.raises(InvalidInput, match="glitter"):
        drawing.feeling({"glitter": 1.0})


def test_a_style_file_alone_changes_the_drawing() -> None:
    sober = styles.style("Cartoon")
    shrill = replace(
        sober, name="Shrill", drawing=MappingProxyType({**sober.drawing, "saturation": 2.4})
    )
    pictures = [providers.painted(style=style, size=(320, 180)) for style in (sober, shrill)]
    assert providers.mean_colourfulness(pictures[1]) > 1.2 * providers.mean_colourfulness(
        pictures[0]
    )
