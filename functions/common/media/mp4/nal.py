"""Check the NAL units of H.264 in an MP4 file: every sample must be a complete sequence of units.

A decoder conceals much damage and reports success. Some of it is visible without decoding: unit
lengths that do not add up to the sample's size, and three zero bytes in a row, which the standard
excludes from every unit (ISO/IEC 14496-10, 7.4.1). The latter finds a hole in a file, or a part
that was never written.
"""

import mmap

from common.domain.errors import MediaError
from common.media.mp4.boxes import NotConcatenable
from common.media.mp4.movie import Movie

_IDR, _PARAMETER_SETS = 5, {7, 8}
_HOLE = b"\0\0\0"


def check(movie: Movie, *, holes: bool) -> None:
    """Walk the NAL units of all frames. With `holes`, also search every byte for zero runs.

    Raises MediaError for damage. Raises NotConcatenable for an undamaged clip that cannot follow
    another one: it does not begin with a keyframe, or changes its parameter sets midway.
    """
    avc = movie.video.entry.avc
    if avc is None:
        return
    samples = movie.video.samples
    begins_with_idr = False
    with (
        movie.path.open("rb") as file,
        mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data,
    ):
        for number, (offset, size) in enumerate(zip(samples.offsets, samples.sizes, strict=True)):
            position, end = offset, offset + size
            while position < end:
                start = position + avc.nal_length_size
                position = start + int.from_bytes(data[position:start], "big")
                if not start < position <= end or (
                    holes and data.find(_HOLE, start, position) >= 0
                ):
                    raise MediaError(f"Frame {number + 1} of {len(samples)} is damaged.")
                nal_type = data[start] & 31
                if nal_type == _IDR and number == 0:
                    begins_with_idr = True
                if nal_type in _PARAMETER_SETS and data[start:position] not in avc.parameter_sets:
                    raise NotConcatenable("changes its encoder settings midway")
    if not begins_with_idr:
        raise NotConcatenable("does not begin with a keyframe")
