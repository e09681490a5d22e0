"""Writing a splice: the index first, then the samples' bytes, copied by the kernel."""

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
class _Run:
    """Bytes of one file that are copied in one go."""

    path: Path
    start: int
    end: int


def write(splice: Concatenation, target: Path, verify: Callable[[], None] = lambda: None) -> str:
    """Write the file; return its SHA-256 in hexadecimal digits.

    Taking that takes longer than copying. So `verify` is called when all bytes are there, and the
    last of them are still being hashed; what it raises is raised.
    """
    front = moov.file_header(splice)
    with ExitStack() as opened, target.open("wb") as out, ThreadPoolExecutor(1) as pool:
        digest = opened.enter_context(closing(_Digest(target)))
        out.write(front)
        out.flush()
        hashing = [pool.submit(digest.update, len(front))]
        files: dict[Path, BinaryIO] = {}
        for run in _runs(splice.samples):
            if run.path not in files:
                files[run.path] = opened.enter_context(run.path.open("rb"))
            _copy(files[run.path], out, run)
            # Nobody waits for it here: between clips there are short runs, and they would hold up.
            hashing.append(pool.submit(digest.update, out.tell()))
        verify()
        for done in hashing:
            done.result()
        return digest.hexdigest()


class _Digest:
    """The SHA-256 of what has been written, taken while more is being written."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("rb", buffering=0)
        self._hash = hashlib.sha256()
        self._buffer = memoryview(bytearray(_HASH_BYTES))

    def update(self, end: int) -> None:
        while (place := self._file.tell()) < end:
            read = self._file.readinto(self._buffer[: min(_HASH_BYTES, end - place)])
            if not read:
                raise OSError("The file became shorter while it was written.")
            self._hash.update(self._buffer[:read])

    def hexdigest(self) -> str:
        return self._hash.hexdigest()

    def close(self) -> None:
        self._file.close()


def _runs(samples: Iterable[Sample]) -> Iterator[_Run]:
    """Join neighbouring samples, so that a clip is copied in few calls."""
    path, start, end = Path(), 0, 0
    for sample in samples:
        # Neighbours carry the very same path; comparing names would take longer than all the rest.
        if sample.path is path and sample.offset == end:
            end += sample.size
            continue
        if end > start:
            yield _Run(path, start, end)
        path, start, end = sample.path, sample.offset, sample.offset + sample.size
    if end > start:
        yield _Run(path, start, end)


def _copy(source: BinaryIO, out: BinaryIO, run: _Run) -> None:
    place = run.start
    while place < run.end:
        done = os.sendfile(out.fileno(), source.fileno(), place, run.end - place)
        if not done:
            raise OSError(f"{run.path.name} became shorter while it was read.")
        place += done
