"""Captions: in time, in lines that can be read, and never anything but text."""

import itertools
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.media import ffmpeg
from merge import captions, font_coverage
from merge.captions import Cue
from merge.models import MergedScene, SceneTreatment
from merge.scene_windows import window


def part(
    scene: int, start: float, seconds: float, how: SceneTreatment = SceneTreatment.COPIED
) -> MergedScene:
    return MergedScene(scene, how, "", start, seconds, round(seconds * 24))


CUT = (part(1, 0, 5), part(2, 5, 5))
FADED = (part(1, 0, 5), part(2, 4, 5), part(3, 8, 5))
LONG = "The boat leaves the quay and crosses the whole city in the rain, past the market. " * 3


def test_each_scene_has_its_text_for_its_time() -> None:
    assert captions.cues({1: "One.", 2: "Two."}, CUT) == [
        Cue(0, 5, ("One.",), 1),
        Cue(5, 10, ("Two.",), 2),
    ]


def test_transitions_shift_the_times() -> None:
    """Where scenes overlap, one gives way to the next in the middle."""
    made = captions.cues({1: "One.", 2: "Two.", 3: "Three."}, FADED)
    assert [(cue.start, cue.end) for cue in made] == [(0, 4.5), (4.5, 8.5), (8.5, 13)]


def test_a_scene_that_was_left_out_has_no_caption_and_no_time() -> None:
    parts = (part(1, 0, 5), part(2, 5, 0, SceneTreatment.SKIPPED), part(3, 5, 5))
    made = captions.cues({1: "One.", 2: "Two.", 3: "Three."}, parts)
    assert [cue.lines for cue in made] == [("One.",), ("Three.",)]
    assert window(parts[0], parts) == (0, 5)


def test_a_long_text_is_shown_in_pieces_of_two_lines() -> None:
    made = captions.cues({1: LONG}, (part(1, 0, 12),))
    assert len(made) > 1
    assert all(len(cue.lines) <= 2 for cue in made)
    assert all(len(line) <= 42 for cue in made for line in cue.lines)
    assert " ".join(" ".join(cue.lines) for cue in made) == LONG.strip()
    assert [cue.end for cue in made[:-1]] == [cue.start for cue in made[1:]]
    assert (made[0].start, made[-1].end) == (0, 12)


def test_no_word_is_left_over_for_a_moment() -> None:
    """Two full lines and a word would be two lines for nearly all of the time, and a flash."""
    text = "The boat leaves the quay and crosses the old city " * 2
    (one, two) = captions.cues({1: text}, CUT)
    assert min(one.end - one.start, two.end - two.start) > 5 / 4
    assert [len(cue.lines) for cue in (one, two)] == [2, 1]


def test_every_sentence_begins_a_caption() -> None:
    made = captions.cues(
        {1: 'He said "Go." Mr. Bo left at 3.5 km! 船开了。夜深了。'}, (part(1, 0, 9),)
    )
    assert [" ".join(cue.lines) for cue in made] == [
        'He said "Go."',
        "Mr. Bo left at 3.5 km!",
        "船开了。",
        "夜深了。",
    ]


def test_scripts_without_spaces_are_broken_too() -> None:
    (cue, *_) = captions.cues({1: "纸船穿过雨中的城市" * 6}, (part(1, 0, 9),))
    assert all(len(line) <= 21 for line in cue.lines)


EVIL = "a --> b\n\n7\n00:00 --> 99:99\n<b>{\\an8\\fs200}</b> & \\N \\h <v Bob>"


def test_srt_cannot_be_broken_by_its_text() -> None:
    text = captions.srt(captions.cues({1: EVIL, 2: "Two."}, CUT))
    blocks = text.strip().split("\n\n")
    assert [block.split("\n")[0] for block in blocks] == ["1", "2"]
    assert all("<" not in block and "{" not in block for block in blocks)
    assert re.fullmatch(r"00:00:00,000 --> 00:00:05,000", blocks[0].split("\n")[1])


def test_webvtt_cannot_be_broken_by_its_text() -> None:
    text = captions.vtt(captions.cues({1: EVIL, 2: "Two."}, CUT))
    timings = [line for line in text.split("\n") if "-->" in line]
    assert timings == ["00:00:00.000 --> 00:00:05.000", "00:00:05.000 --> 00:00:10.000"]
    assert "&lt;b&gt;" in text
    assert "&amp;" in text


def test_srt_keeps_brackets_that_are_no_tags() -> None:
    text = "3 < 5 {see below} <i>x</i> {\\an8} a > b"
    assert "3 < 5 {see below} ‹i›x‹/i› (\\an8) a > b" in captions.srt(captions.cues({1: text}, CUT))


def test_every_sign_that_the_renderer_obeys_is_escaped() -> None:
    """`tests.media.test_production` looks at what is drawn."""
    text = captions.ass(captions.cues({1: EVIL}, CUT), (1280, 720))
    events = text.split("[Events]\n")[1]
    assert not re.search(r"(?<!\\)[{}]|\\(?![{}\u2060])", events)
    assert events.count("Dialogue:") == 1


@given(st.text(max_size=200), st.text(max_size=60))
def test_whatever_is_said_there_are_as_many_blocks_as_cues(one: str, other: str) -> None:
    made = captions.cues({1: one, 2: other}, CUT)
    assert captions.srt(made).count(" --> 00:") >= len(made)
    assert len([b for b in captions.srt(made).split("\n\n") if b.strip()]) == len(made)
    assert sum("-->" in line for line in captions.vtt(made).split("\n")) == len(made)
    events = captions.ass(made, (1280, 720)).split("[Events]\n")[1]
    assert events.count("\n") == len(made) + 1
    for before, after in itertools.pairwise(made):
        assert before.end <= after.start + 1e-9


@pytest.mark.parametrize(
    ("text", "letters", "signs", "drawn"),
    [
        ("Καλημέρα, κόσμε", "", "", "Καλημέρα, κόσμε"),
        ("Доброе утро", "", "", "Доброе утро"),
        ("Ünïcödé straße ¡niño! Łódź", "", "", "Ünïcödé straße ¡niño! Łódź"),
        ("Xin chào, tiếng Việt", "", "", "Xin chào, tiếng Việt"),
        ("25 °C ©2026 ® ™ q̃ ½ №", "", "", "25 °C ©2026 ® ™ q̃ ½ №"),
        ("Go 🚀 7 € ❤️ now", "", "🚀❤", "Go 7 € now"),
        ("👩‍🚀 up", "", "👩🚀", "up"),
        ("She meets 李明", "李明", "", "She meets"),
        ("おはよう", "おはよう", "", ""),
        ("صباح", "صباح", "", ""),
    ],
)
def test_what_the_font_lacks_is_known(text: str, letters: str, signs: str, drawn: str) -> None:
    assert font_coverage.missing_letters(text) == letters
    assert font_coverage.missing_signs(text) == signs
    assert font_coverage.drawable(text) == drawn


def test_tall_pictures_have_larger_letters_above_the_controls_of_apps() -> None:
    def style(size: tuple[int, int]) -> list[str]:
        text = captions.ass([], size)
        return next(line for line in text.split("\n") if line.startswith("Style:")).split(",")

    assert (style((720, 1280))[2], style((720, 1280))[-2]) == ("50", "282")
    assert (style((1280, 720))[2], style((1280, 720))[-2]) == ("40", "36")
    width = captions.line_width((720, 1280))
    assert 20 < width < captions.line_width((1280, 720))
    lines = [line for cue in captions.cues({1: LONG}, CUT, width=width) for line in cue.lines]
    assert max(map(len, lines)) <= width


def test_ffmpeg_reads_both_files(tmp_path: Path) -> None:
    """A reader of somebody else's: its times and texts are ours."""
    made = captions.cues({1: "It's <me> & you.", 2: LONG}, FADED)
    for form, text in (("srt", captions.srt(made)), ("webvtt", captions.vtt(made))):
        source, target = tmp_path / f"in.{form}", tmp_path / f"out.{form}.srt"
        source.write_text(text, encoding="utf-8")
        ffmpeg.run(["-f", form, "-i", str(source), "-f", "srt", "-y", str(target)], timeout=30)
        read = target.read_text(encoding="utf-8")
        times = re.findall(r"(\S+) --> (\S+)", read)
        assert times == re.findall(r"(\S+) --> (\S+)", captions.srt(made))
        assert "& you." in read
