"""Captions: timing, line breaks, fonts and escaping in SRT, WebVTT and ASS."""

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


def merged_scene(
    scene: int, start: float, seconds: float, treatment: SceneTreatment = SceneTreatment.COPIED
) -> MergedScene:
    return MergedScene(scene, treatment, "", start, seconds, round(seconds * 24))


CONCATENATED = (merged_scene(1, 0, 5), merged_scene(2, 5, 5))
CROSSFADED = (merged_scene(1, 0, 5), merged_scene(2, 4, 5), merged_scene(3, 8, 5))
LONG = "The boat leaves the quay and crosses the whole city in the rain, past the market. " * 3


def test_cues_show_each_narration_during_its_scene() -> None:
    assert captions.cues({1: "One.", 2: "Two."}, CONCATENATED) == [
        Cue(0, 5, ("One.",), 1),
        Cue(5, 10, ("Two.",), 2),
    ]


def test_cues_change_in_the_middle_of_a_transition() -> None:
    """A caption changes in the middle of an overlap."""
    cues = captions.cues({1: "One.", 2: "Two.", 3: "Three."}, CROSSFADED)
    assert [(cue.start, cue.end) for cue in cues] == [(0, 4.5), (4.5, 8.5), (8.5, 13)]


def test_cues_omit_a_skipped_scene() -> None:
    parts = (
        merged_scene(1, 0, 5),
        merged_scene(2, 5, 0, SceneTreatment.SKIPPED),
        merged_scene(3, 5, 5),
    )
    cues = captions.cues({1: "One.", 2: "Two.", 3: "Three."}, parts)
    assert [cue.lines for cue in cues] == [("One.",), ("Three.",)]
    assert window(parts[0], parts) == (0, 5)


def test_long_text_is_split_into_cues_of_two_lines() -> None:
    cues = captions.cues({1: LONG}, (merged_scene(1, 0, 12),))
    assert len(cues) > 1
    assert all(len(cue.lines) <= 2 for cue in cues)
    assert all(len(line) <= 42 for cue in cues for line in cue.lines)
    assert " ".join(" ".join(cue.lines) for cue in cues) == LONG.strip()
    assert [cue.end for cue in cues[:-1]] == [cue.start for cue in cues[1:]]
    assert (cues[0].start, cues[-1].end) == (0, 12)


def test_cues_are_balanced_to_avoid_a_short_last_one() -> None:
    """Two full lines and one word would leave a caption that only flashes."""
    text = "The boat leaves the quay and crosses the old city " * 2
    (first, second) = captions.cues({1: text}, CONCATENATED)
    assert min(first.end - first.start, second.end - second.start) > 5 / 4
    assert [len(cue.lines) for cue in (first, second)] == [2, 1]


def test_every_sentence_begins_a_new_cue() -> None:
    cues = captions.cues(
        {1: 'He said "Go." Mr. Bo left at 3.5 km! 船开了。夜深了。'}, (merged_scene(1, 0, 9),)
    )
    assert [" ".join(cue.lines) for cue in cues] == [
        'He said "Go."',
        "Mr. Bo left at 3.5 km!",
        "船开了。",
        "夜深了。",
    ]


def test_text_without_spaces_is_broken_into_lines() -> None:
    (cue, *_) = captions.cues({1: "纸船穿过雨中的城市" * 6}, (merged_scene(1, 0, 9),))
    assert all(len(line) <= 21 for line in cue.lines)


HOSTILE = "a --> b\n\n7\n00:00 --> 99:99\n<b>{\\an8\\fs200}</b> & \\N \\h <v Bob>"


def test_srt_escapes_hostile_text() -> None:
    text = captions.srt(captions.cues({1: HOSTILE, 2: "Two."}, CONCATENATED))
    blocks = text.strip().split("\n\n")
    assert [block.split("\n")[0] for block in blocks] == ["1", "2"]
    assert all("<" not in block and "{" not in block for block in blocks)
    assert re.fullmatch(r"00:00:00,000 --> 00:00:05,000", blocks[0].split("\n")[1])


def test_webvtt_escapes_hostile_text() -> None:
    text = captions.vtt(captions.cues({1: HOSTILE, 2: "Two."}, CONCATENATED))
    timings = [line for line in text.split("\n") if "-->" in line]
    assert timings == ["00:00:00.000 --> 00:00:05.000", "00:00:05.000 --> 00:00:10.000"]
    assert "&lt;b&gt;" in text
    assert "&amp;" in text


def test_srt_keeps_brackets_that_are_not_tags() -> None:
    text = "3 < 5 {see below} <i>x</i> {\\an8} a > b"
    assert "3 < 5 {see below} ‹i›x‹/i› (\\an8) a > b" in captions.srt(
        captions.cues({1: text}, CONCATENATED)
    )


def test_ass_escapes_override_tags() -> None:
    """`tests.media.test_production` checks the drawn captions."""
    text = captions.ass(captions.cues({1: HOSTILE}, CONCATENATED), (1280, 720))
    events = text.split("[Events]\n")[1]
    assert not re.search(r"(?<!\\)[{}]|\\(?![{}\u2060])", events)
    assert events.count("Dialogue:") == 1


@given(st.text(max_size=200), st.text(max_size=60))
def test_subtitle_files_have_one_block_per_cue(first_text: str, second_text: str) -> None:
    cues = captions.cues({1: first_text, 2: second_text}, CONCATENATED)
    assert captions.srt(cues).count(" --> 00:") >= len(cues)
    assert len([block for block in captions.srt(cues).split("\n\n") if block.strip()]) == len(cues)
    assert sum("-->" in line for line in captions.vtt(cues).split("\n")) == len(cues)
    events = captions.ass(cues, (1280, 720)).split("[Events]\n")[1]
    assert events.count("\n") == len(cues) + 1
    for before, after in itertools.pairwise(cues):
        assert before.end <= after.start + 1e-9


@pytest.mark.parametrize(
    ("text", "missing_letters", "missing_signs", "drawable"),
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
def test_font_coverage_lists_missing_characters(
    text: str, missing_letters: str, missing_signs: str, drawable: str
) -> None:
    assert font_coverage.missing_letters(text) == missing_letters
    assert font_coverage.missing_signs(text) == missing_signs
    assert font_coverage.drawable(text) == drawable


def test_portrait_captions_are_larger_and_higher() -> None:
    def style(size: tuple[int, int]) -> list[str]:
        text = captions.ass([], size)
        return next(line for line in text.split("\n") if line.startswith("Style:")).split(",")

    assert (style((720, 1280))[2], style((720, 1280))[-2]) == ("50", "282")
    assert (style((1280, 720))[2], style((1280, 720))[-2]) == ("40", "36")
    width = captions.line_width((720, 1280))
    assert 20 < width < captions.line_width((1280, 720))
    lines = [
        line for cue in captions.cues({1: LONG}, CONCATENATED, width=width) for line in cue.lines
    ]
    assert max(map(len, lines)) <= width


def test_srt_and_webvtt_are_parsed_by_ffmpeg(tmp_path: Path) -> None:
    """ffmpeg is an independent parser; it reads the same times and texts."""
    cues = captions.cues({1: "It's <me> & you.", 2: LONG}, CROSSFADED)
    for subtitle_format, text in (("srt", captions.srt(cues)), ("webvtt", captions.vtt(cues))):
        source, target = tmp_path / f"in.{subtitle_format}", tmp_path / f"out.{subtitle_format}.srt"
        source.write_text(text, encoding="utf-8")
        ffmpeg.run(
            ["-f", subtitle_format, "-i", str(source), "-f", "srt", "-y", str(target)], timeout=30
        )
        converted = target.read_text(encoding="utf-8")
        times = re.findall(r"(\S+) --> (\S+)", converted)
        assert times == re.findall(r"(\S+) --> (\S+)", captions.srt(cues))
        assert "& you." in converted
