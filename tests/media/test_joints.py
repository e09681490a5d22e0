"""Clip boundaries of stream-copied audio: packets of silence and repaired joins."""

from contextlib import closing
from pathlib import Path

import pytest

from common.domain.output import PLAIN
from common.media.mp4 import aac
from merge import assemble
from merge.audio import joins
from merge.audio.aac_codec import AacCodec
from merge.models import Clip
from tests.media import judge

_RATE = 3  # 48 kHz


@pytest.mark.parametrize("channels", range(1, 8))
def test_silence_packet_decodes_to_silence(channels: int, tmp_path: Path) -> None:
    with closing(AacCodec(aac.AdtsHeader(_RATE, channels), tmp_path)) as coder:
        packet = coder.silence()
        assert not any(coder.decode([packet] * 4, "heard"))
    assert aac.window(packet.path.read_bytes()) == aac.Window(starts_short=False, ends_short=False)


@pytest.mark.parametrize(
    ("name", "value", "is_copied"),
    [
        ("_NEAR", joins._NEAR, True),
        ("_NEAR", 3, True),  # too few packets to replace any: retried with more
        ("_FAINT", -100_000, False),  # every discontinuity is too large
    ],
)
def test_audio_is_stream_copied_or_transcoded_as_whole(
    name: str,
    value: int,
    is_copied: bool,
    plain: dict[int, Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(joins, name, value)
    merged = assemble.merge_clips({n: Clip(path) for n, path in plain.items()}, PLAIN, tmp_path)
    assert (tmp_path / "sound.aac").exists() != is_copied
    sound = judge.samples(merged.path)
    assert abs(len(sound) - merged.frames * 2000) <= judge.SYNC_SECONDS * judge.HERTZ
    for part in merged.parts[1:]:
        assert judge.max_discontinuity(sound, part.start) < max(map(abs, sound)) / 40
