"""Write a concatenation to a file: the index first, then the samples, copied by the kernel."""

import hashlib
import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from common.media.mp4 import moov
from common.media.mp4.concat import Concatenation, Sample

_HASH_BYTES = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class _ByteRange:
    """Consecutive bytes of one file, copied with one call."""

    path: Path
    start: int
    end: int


def write(
    concatenation: Concatenation, target: Path, verify: Callable[[], None] = lambda: None
) -> str:
    """Write the file and return its SHA-256 as hexadecimal digits.

    Hashing takes longer than copying. So `verify` is called once all bytes are written, while the
    last of them are still being hashed. Its exceptions propagate.
    """
    header = moov.file_header(concatenation)
    with ExitStack() as opened, target.open("wb") as out, ThreadPoolExecutor(1) as pool:
        digest = opened.enter_context(closing(_Digest(target)))
        out.write(header)
        out.flush()
        hashing = [pool.submit(digest.update, len(header))]
        files: dict[Path, BinaryIO] = {}
        for byte_range in _byte_ranges(concatenation.samples):
            if byte_range.path not in files:
                files[byte_range.path] = opened.enter_context(byte_range.path.open("rb"))
            _copy(files[byte_range.path], out, byte_range)
            # Waiting for the hash here would delay the short ranges between clips.
            hashing.append(pool.submit(digest.update, out.tell()))
        verify()
        for future in hashing:
            future.result()
        return digest.hexdigest()


class _Digest:
    """The SHA-256 of a file that is still being written."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("rb", buffering=0)
        self._hash = hashlib.sha256()
        self._buffer = memoryview(bytearray(_HASH_BYTES))

    def update(self, end: int) -> None:
        while (position := self._file.tell()) < end:
            read = self._file.readinto(self._buffer[: min(_HASH_BYTES, end - position)])
            if not read:
                raise OSError("The file became shorter while it was being written.")
            self._hash.update(self._buffer[:read])

    def hexdigest(self) -> str:
        return self._hash.hexdigest()

    def close(self) -> None:
        self._file.close()


def _byte_ranges(samples: Iterable[Sample]) -> Iterator[_ByteRange]:
    """Merge adjacent samples, so that a clip is copied with few calls."""
    path, start, end = Path(), 0, 0
    for sample in samples:
        # Samples of a clip share one Path object; comparing paths by value would dominate the time.
        if sample.path is path and sample.offset == end:
            end += sample.size
            continue
        if end > start:
            yield _ByteRange(path, start, end)
        path, start, end = sample.path, sample.offset, sample.offset + sample.size
    if end > start:
        yield _ByteRange(path, start, end)


def _copy(source: BinaryIO, out: BinaryIO, byte_range: _ByteRange) -> None:
    position = byte_range.start
    while position < byte_range.end:
        copied = os.sendfile(out.fileno(), source.fileno(), position, byte_range.end - position)
        if not copied:
            raise OSError(f"{byte_range.path.name} became shorter while it was being read.")
        position += copied
