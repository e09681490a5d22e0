"""The sound track of a cut: the clips' own packets as they came, or samples that are encoded."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor
from contextlib import closing, contextmanager
from fractions import Fraction
from pathlib import Path

from common.media.mp4 import aac, audio_track, sample_entry
from common.media.mp4.audio_track import AudioRow
from merge.audio import joins
from merge.audio.aac_codec import Coder
from merge.audio.decode import CHANNELS, RATE
from merge.timeline import MergePlan

_BITS = 192_000
_SETUP = aac.Setup(rate=3, channels=CHANNELS)
_CONFIG = b"\x11\x90"  # AAC-LC, 48 kHz, stereo


def encode(mixed: Path, scratch: Path, times: Sequence[Fraction]) -> AudioRow:
    """Encode samples (48 kHz, stereo, 16 bits, little-endian) as AAC."""
    packets = Coder(_SETUP, scratch).encode_file(mixed, _BITS, scratch / "sound.aac")
    return audio_track.whole(packets, sample_entry.sound_of(_CONFIG, RATE, CHANNELS), times)


@contextmanager
def kept(
    plan: MergePlan, scratch: Path, times: Sequence[Fraction], pool: Executor
) -> Iterator[tuple[AudioRow, Callable[[], None]]]:
    """Lay the clips' own packets, and mend the joints; yield that, and how to check the joints.

    Both raise Unreadable where it cannot be done.
    """
    movies = [shot.facts.movie for shot in plan.shots]
    model = next(movie.sound for movie in movies if movie is not None and movie.sound is not None)
    with closing(Coder(aac.Setup.of(model.entry.config), scratch)) as coder:
        row, mends = joins.repair_joins(
            audio_track.interleave(movies, times, coder.silence), coder, pool
        )
        yield row, lambda: joins.check(row, mends, coder)
