"""Captions: in time, in lines that can be read, and never anything but text."""

import itertools
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common import ffmpeg
from merge import captions
from merge.captions import Cue
from merge.cut import How, Part
from merge.placing import window


def part(scene: int, start: float, seconds: float, how: How = How.COPIED) -> Part:
    return Part(scene, how, "", start, seconds, round(seconds * 24))


CUT = (part(1, 0, 5), part(2, 5, 5))
FADED = (part(1, 0, 5), part(2, 4, 5), part(3, 8, 5))
LONG = "The boat leaves the quay and crosses the whole city in the rain, past the market. " * 3


def test_each_scene_has_its_text_for_its_time() -> None:
    assert captions.cues({1: "One.", 2: "Two."}, CUT) == [
        Cue(0, 5, ("One.",)), Cue(5, 10, ("Two.",))
    ]  # fmt: skip


def test_transitions_shift_the_times() -> None:
    """Where scenes overlap, one gives way to the next in the middle."""
    made = captions.cues({1: "One.", 2: "Two.", 3: "Three."}, FADED)
    assert [(cue.start, cue.end) for cue in made] == [(0, 4.5), (4.5, 8.5), (8.5, 13)]


def test_a_scene_that_was_left_out_has_no_caption_and_no_time() -> None:
    parts = (part(1, 0, 5), part(2, 5, 0, How.SKIPPED), part(3, 5, 5))
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
    (one, two) = captions.cues({1: "The boat leaves the quay and crosses the old city. " * 2}, CUT)
    assert min(one.end - one.start, two.end - two.start) > 5 / 4
    assert [len(cue.lines) for cue in (one, two)] == [2, 1]


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


def test_no_override_reaches_the_renderer() -> None:
    text = captions.ass(captions.cues({1: EVIL}, CUT), (1280, 720))
    events = text.split("[Events]\n")[1]
    assert not set("{}\\") & set(events)
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
    ("text", "drawn"),
    [
        ("Καλημέρα, κόσμε", True),
        ("Доброе утро", True),
        ("Ünïcödé straße ¡niño! Łódź", True),
        ("Xin chào, tiếng Việt", True),
        ("🚀 7 €", True),
        ("おはよう", False),
        ("صباح", False),
    ],
)
def test_what_the_font_lacks_is_known(text: str, drawn: bool) -> None:
    assert captions.can_be_drawn(text) is drawn


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
