"""H.264 inside an MP4: every sample must be a whole chain of NAL units.

A decoder hides much damage, and reports success. Some of it can be seen without decoding: a chain
whose lengths do not add up, and three zero bytes in a row, which the standard keeps out of every
unit (ISO/IEC 14496-10, 7.4.1). So a hole in a file, or a part that was never written, is found.
"""

import mmap

from common.domain.errors import MediaError
from common.media.mp4.boxes import NotConcatenable
from common.media.mp4.movie import Movie

_IDR, _PARAMETER_SETS = 5, {7, 8}
_HOLE = b"\0\0\0"


def check(movie: Movie, *, holes: bool) -> None:
    """Walk through all pictures; look for holes too if that is asked, which reads every byte.

    Raises MediaError for damage. Raises Unreadable for a clip that is right but cannot follow
    another one: that does not begin with a key picture, or changes its own parameter sets.
    """
    avc = movie.pictures.entry.avc
    if avc is None:
        return
    samples = movie.pictures.samples
    keys = 0
    with (
        movie.path.open("rb") as file,
        mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data,
    ):
        for number, (offset, size) in enumerate(zip(samples.offsets, samples.sizes, strict=True)):
            place, end = offset, offset + size
            while place < end:
                start = place + avc.length_bytes
                place = start + int.from_bytes(data[place:start], "big")
                if not start < place <= end or (holes and data.find(_HOLE, start, place) >= 0):
                    raise MediaError(f"Picture {number + 1} of {len(samples)} is damaged.")
                kind = data[start] & 31
                if kind == _IDR and number == 0:
                    keys += 1
                if kind in _PARAMETER_SETS and data[start:place] not in avc.sets:
                    raise NotConcatenable("changes its encoder set-up on its way")
    if not keys:
        raise NotConcatenable("does not begin with a key picture")
