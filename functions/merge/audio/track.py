"""Build the audio track of a merge: stream-copied AAC packets, or newly encoded ones."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor
from contextlib import closing, contextmanager
from fractions import Fraction
from pathlib import Path

from common.media.mp4 import aac, audio_track, sample_entry
from common.media.mp4.audio_track import AudioTrackPlan
from merge.audio import joins
from merge.audio.aac_codec import AacCodec
from merge.audio.decode import CHANNELS, RATE
from merge.timeline import MergePlan

_BIT_RATE = 192_000
_CONFIG_FIELDS = aac.AdtsHeader(frequency_index=3, channels=CHANNELS)
_AUDIO_SPECIFIC_CONFIG = b"\x11\x90"  # AAC-LC, 48 kHz, stereo


def encode(pcm: Path, scratch: Path, times: Sequence[Fraction]) -> AudioTrackPlan:
    """Encode PCM (48 kHz, stereo, 16 bits, little-endian) as an AAC track."""
    packets = AacCodec(_CONFIG_FIELDS, scratch).encode_file(pcm, _BIT_RATE, scratch / "sound.aac")
    entry = sample_entry.make_audio_entry(_AUDIO_SPECIFIC_CONFIG, RATE, CHANNELS)
    return audio_track.from_encoded(packets, entry, times)


@contextmanager
def copied(
    plan: MergePlan, scratch: Path, times: Sequence[Fraction], pool: Executor
) -> Iterator[tuple[AudioTrackPlan, Callable[[], None]]]:
    """Stream-copy the clips' packets and repair the boundaries.

    Yield the track and a function that checks the repairs, which may run while the file is
    written. Both raise NotConcatenable if stream copy is not possible.
    """
    movies = [segment.probe.movie for segment in plan.segments]
    reference = next(movie.audio for movie in movies if movie and movie.audio)
    with closing(AacCodec(aac.AdtsHeader.of(reference.entry.config), scratch)) as coder:
        audio = audio_track.concatenate(movies, times, coder.silence)
        audio, repairs = joins.repair_joins(audio, coder, pool)
        yield audio, lambda: joins.check(audio, repairs, coder)
