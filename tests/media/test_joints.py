"""The joints of sound that is kept: made of its own packets, held against what was meant."""

from contextlib import closing
from pathlib import Path

import pytest

from common.domain.output import PLAIN
from common.media.mp4 import aac
from merge import assemble
from merge.audio import joins
from merge.audio.aac_codec import Coder
from merge.models import Clip
from tests.media import judge

_RATE = 3  # 48 kHz


@pytest.mark.parametrize("channels", range(1, 8))
def test_a_packet_of_silence_is_silent(channels: int, tmp_path: Path) -> None:
    with closing(Coder(aac.Setup(_RATE, channels), tmp_path)) as coder:
        packet = coder.silence()
        assert not any(coder.decode([packet] * 4, "heard"))
    assert aac.window(packet.path.read_bytes()) == aac.Window(starts_short=False, ends_short=False)


@pytest.mark.parametrize(
    ("name", "value", "is_kept"),
    [
        ("_NEAR", joins._NEAR, True),
        ("_NEAR", 3, True),  # too few to exchange any: it is done with more
        ("_FAINT", -100_000, False),  # every change is too sharp
    ],
)
def test_sound_is_kept_or_else_encoded_as_a_whole(
    name: str,
    value: int,
    is_kept: bool,
    plain: dict[int, Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(joins, name, value)
    cut = assemble.merge_clips({n: Clip(path) for n, path in plain.items()}, PLAIN, tmp_path)
    assert (tmp_path / "sound.aac").exists() != is_kept
    sound = judge.samples(cut.path)
    assert abs(len(sound) - cut.frames * 2000) <= judge.SYNC_SECONDS * judge.HERTZ
    for part in cut.parts[1:]:
        assert judge.sharpest(sound, part.start) < max(map(abs, sound)) / 40
