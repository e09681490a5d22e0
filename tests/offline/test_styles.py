"""Styles and moods as data files, each of which changes the drawing without code."""

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


def test_standard_styles_and_moods_exist() -> None:
    assert {style.name for style in styles.styles().values()} >= STYLES
    assert {mood.name for mood in styles.moods().values()} >= MOODS


def test_each_file_defines_one_style_or_mood() -> None:
    assert len(styles.styles()) == len(list((_FOLDER / "styles").glob("*.toml")))
    assert len(styles.moods()) == len(list((_FOLDER / "moods").glob("*.toml")))


@pytest.mark.parametrize("name", ["anime", "ANIME", "  Anime "])
def test_style_lookup_ignores_case_and_whitespace(name: str) -> None:
    assert styles.style(name).name == "Anime"


def test_unknown_style_or_mood_is_rejected_with_alternatives() -> None:
    with pytest.raises(InvalidInput) as style:
        styles.style("Cubist")
    assert style.value.field == "style"
    assert style.value.allowed == sorted(s.name for s in styles.styles().values())
    with pytest.raises(InvalidInput) as mood:
        styles.mood("Hungry")
    assert mood.value.field == "mood"
    assert "Calm" in mood.value.detail


@pytest.mark.parametrize("style", styles.styles().values(), ids=lambda s: s.name)
def test_style_definition_is_complete(style: styles.Style) -> None:
    for text in (style.prompt, style.technical, style.lighting):
        assert 40 <= len(text) <= 400
        assert not text.endswith(".")
    parsed = drawing.drawing(style.drawing)
    for colour in (parsed.line_colour, parsed.darks, parsed.lights, parsed.paper):
        parse(colour)
    assert parsed.clouds in ("soft", "bold")


@pytest.mark.parametrize("mood", styles.moods().values(), ids=lambda m: m.name)
def test_mood_definition_is_complete(mood: styles.Mood) -> None:
    assert 20 <= len(mood.prompt) <= 300
    assert 20 <= len(mood.motion) <= 300
    parsed = drawing.feeling(mood.drawing)
    assert set(parsed.times) <= set(hours())
    assert set(parsed.moves) <= {*MOVES, "truck"}
    assert 0.4 <= parsed.speed <= 2.0


def test_styles_are_distinct() -> None:
    all_styles = styles.styles().values()
    assert len({s.prompt for s in all_styles}) == len(all_styles)
    assert len({tuple(sorted(s.drawing.items())) for s in all_styles}) == len(all_styles)


def test_unknown_drawing_entry_is_named() -> None:
    with pytest.raises(InvalidInput, match="glitter"):
        drawing.drawing({"glitter": 1.0})
    with pytest.raises(InvalidInput, match="glitter"):
        drawing.feeling({"glitter": 1.0})


def test_style_file_changes_the_drawing() -> None:
    original = styles.style("Cartoon")
    saturated = replace(
        original,
        name="Saturated",
        drawing=MappingProxyType({**original.drawing, "saturation": 2.4}),
    )
    images = [providers.painted(style=style, size=(320, 180)) for style in (original, saturated)]
    assert providers.mean_colourfulness(images[1]) > 1.2 * providers.mean_colourfulness(images[0])
