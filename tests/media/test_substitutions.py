"""Warnings about deviations from the clips or the request, each reported once."""

import os
from pathlib import Path

import pytest

from common.domain.output import Format, Output, Shape, Transition
from merge import deliverables
from merge.audio.mix import AddedAudio, Music
from merge.deliverables import DeliverablesRequest
from merge.models import Clip
from tests.unit.clips import make


@pytest.fixture(autouse=True)
def _program(tools: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", f"{tools}{os.pathsep}{os.environ['PATH']}")


def clip(path: Path, seconds: float = 1, transfer: str = "bt709") -> Clip:
    """Make a clip tagged with this transfer function."""
    primaries = "bt709" if transfer == "bt709" else "bt2020"
    matrix = "bt709" if transfer == "bt709" else "bt2020nc"
    tags = f"setparams=color_primaries={primaries}:color_trc={transfer}:colorspace={matrix}"
    codec = ("-vf", tags, "-c:v", "libx264", "-preset", "ultrafast")
    return Clip(make(path, seconds=seconds, grey=150, codec=codec))


@pytest.mark.parametrize("transfer", ["smpte2084", "arib-std-b67"])
def test_hdr_conversion_adds_one_warning(transfer: str, tmp_path: Path) -> None:
    clips = {1: clip(tmp_path / "1.mp4"), 2: clip(tmp_path / "2.mp4", transfer=transfer)}
    output = Output(format=Format.WEBM, renditions=(Shape(ratio="1:1"),))
    (warning,) = deliverables.render_deliverables(
        DeliverablesRequest(clips, output, {}, AddedAudio({})), tmp_path
    ).warnings
    assert warning.startswith("Scene 2: the clip is HDR")


def test_shortened_transition_adds_warning(tmp_path: Path) -> None:
    clips = {n: clip(tmp_path / f"{n}.mp4", seconds) for n, seconds in ((1, 2), (2, 1), (3, 2))}
    output = Output(transition=Transition.CROSSFADE, transition_seconds=1)
    result = deliverables.render_deliverables(
        DeliverablesRequest(clips, output, {}, AddedAudio({})), tmp_path
    )
    assert [warning.partition(":")[0] for warning in result.warnings] == ["Scene 2", "Scene 3"]
    assert "0.50 s instead of 1 s" in result.warnings[0]
    folder = tmp_path / "second"
    folder.mkdir()
    output = Output(transition=Transition.CROSSFADE, transition_seconds=0.5)
    assert (
        deliverables.render_deliverables(
            DeliverablesRequest(clips, output, {}, AddedAudio({})), folder
        ).warnings
        == ()
    )


def test_shortened_music_fade_adds_warning(tmp_path: Path) -> None:
    tone = make(tmp_path / "tone.mp4", sound=True)
    for fade, count in ((3.0, 1), (1.0, 0)):
        folder = tmp_path / f"{fade}"
        folder.mkdir()
        music = Music(tone, volume=0.5, fade_in=0, fade_out=fade, loop=True, duck=True)
        request = DeliverablesRequest(
            {1: clip(folder / "1.mp4", 2)}, Output(), {}, AddedAudio({}, music)
        )
        warnings = deliverables.render_deliverables(request, folder).warnings
        assert len(warnings) == count
        assert all("1.0 s" in warning and "instead of 3 s" in warning for warning in warnings)
