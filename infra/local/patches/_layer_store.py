"""A cache of unpacked layers on disk: one directory for each combination in use."""

import hashlib
import io
import os
import shutil
import tempfile
import threading
import time
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

KEEP_SECONDS = 7 * 24 * 3600.0


class LayerStore:
    """A thread-safe cache of unpacked layers that persists between runs."""

    def __init__(self, directory: Path, service: Any) -> None:
        """Create the cache; `service` is MiniStack's Lambda module."""
        self._directory = directory
        self._service = service
        self._lock = threading.Lock()
        self._unpacked: dict[str, Path] = {}
        directory.mkdir(parents=True, exist_ok=True)
        _drop_unused(directory)

    def merged(self, arns: Sequence[str]) -> Path | None:
        """Return the directory to mount at /opt, or None without layers; later layers override."""
        if not arns:
            return None
        with self._lock:
            parts = [self._layer(arn) for arn in arns]
            if len(parts) == 1:
                return parts[0]
            names = "|".join(part.name for part in parts)
            directory = self._directory / hashlib.sha256(names.encode()).hexdigest()[:32]
            if not directory.exists():
                self._merge(parts, directory)
            return _touch(directory)

    def _layer(self, arn: str) -> Path:
        if arn not in self._unpacked:
            archive = self._service._resolve_layer_zip(arn)
            if archive is None:
                raise RuntimeError(f"layer {arn} has no content")
            directory = self._directory / hashlib.sha256(archive).hexdigest()[:32]
            if not directory.exists():
                self._unpack(archive, directory)
            self._unpacked[arn] = directory
        return _touch(self._unpacked[arn])

    def _unpack(self, archive: bytes, directory: Path) -> None:
        with tempfile.TemporaryDirectory(dir=self._directory) as parent:
            fresh = Path(parent, "layer")
            fresh.mkdir(mode=0o755)
            with zipfile.ZipFile(io.BytesIO(archive)) as content:
                self._service._extract_zip_preserving_mode(content, str(fresh))
            fresh.rename(directory)

    def _merge(self, parts: Sequence[Path], directory: Path) -> None:
        with tempfile.TemporaryDirectory(dir=self._directory) as parent:
            fresh = Path(parent, "merged")
            for part in parts:
                shutil.copytree(part, fresh, copy_function=_link, symlinks=True, dirs_exist_ok=True)
            fresh.rename(directory)


def _link(source: str, target: str) -> None:
    """Hard-link instead of copying, replacing a file of an earlier layer."""
    Path(target).unlink(missing_ok=True)
    os.link(source, target)


def _touch(directory: Path) -> Path:
    os.utime(directory)
    return directory


def _drop_unused(directory: Path) -> None:
    """Delete directories unused for a week, and incomplete ones that a crash left."""
    for entry in directory.iterdir():
        old = entry.stat().st_mtime < time.time() - KEEP_SECONDS
        if old or entry.name.startswith("tmp"):
            shutil.rmtree(entry, ignore_errors=True)
