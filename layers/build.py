"""Builds of layers: only if needed, in a temporary directory, and then swapped in."""

import fcntl
import hashlib
import json
import shutil
import tempfile
import tomllib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from layers import dependencies, ffmpeg, speech, tree
from layers.lock import LOCK, PROJECT, ROOT
from layers.platforms import PLATFORMS, Platform, interpreter

OUTPUT = ROOT / "build" / "layers"
LAYERS: dict[str, Callable[[Platform, Path], None]] = {
    "dependencies": dependencies.build,
    "ffmpeg": ffmpeg.build,
    "speech": speech.build,
}


@dataclass(frozen=True)
class Stamp:
    """Metadata of a built layer: digests of its inputs and its content, and its size."""

    inputs: str  # digest of everything that affects the content
    digest: str  # digest of the content
    size: int  # bytes, unpacked
    compiled: bool = False  # whether all Python sources, if any, have bytecode


def folder(platform: str, layer: str, output: Path = OUTPUT) -> Path:
    """Return the directory of a built layer."""
    return output / platform / layer


def read_stamp(platform: str, layer: str, output: Path = OUTPUT) -> Stamp | None:
    """Return the stamp of a built layer, or None if there is no complete build."""
    try:
        stored = json.loads(_stamp_file(platform, layer, output).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    return Stamp(**stored)


def inputs(target: Platform) -> str:
    """Return a digest of the lock, the runtime dependencies, the target and these sources."""
    project = tomllib.loads(PROJECT.read_text(encoding="utf-8"))["project"]
    digest = hashlib.sha256(json.dumps([target.identity, project["dependencies"]]).encode())
    sources = [path for path in tree.files(Path(__file__).parent) if path.suffix != ".pyc"]
    for path in [LOCK, *sources]:
        digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()


def is_current(platform: str, layer: str, output: Path = OUTPUT) -> bool:
    """Return True if the layer is built from the current sources and lock file."""
    stamp = read_stamp(platform, layer, output)
    current = stamp is not None and stamp.inputs == inputs(PLATFORMS[platform]())
    return current and folder(platform, layer, output).is_dir()


def build(target: Platform, layer: str, *, output: Path = OUTPUT, force: bool = False) -> Stamp:
    """Build the layer for the target unless it is up to date; return its stamp."""
    home = folder(target.name, layer, output)
    home.parent.mkdir(parents=True, exist_ok=True)
    with _exclusive(home.with_suffix(".lock")):
        stamp = read_stamp(target.name, layer, output)
        current = inputs(target)
        if (
            stamp
            and stamp.inputs == current
            and home.is_dir()
            and not force
            # Rebuild a layer without bytecode when a Python to compile it is available.
            and (stamp.compiled or interpreter(target) is None)
        ):
            return stamp
        with tempfile.TemporaryDirectory(dir=home.parent, prefix=f".{layer}-") as workspace:
            fresh = Path(workspace) / "new"
            fresh.mkdir()
            LAYERS[layer](target, fresh)
            tree.normalise(fresh)
            stamp = Stamp(current, tree.digest(fresh), tree.size(fresh), _compiled(fresh))
            _swap(home, fresh, Path(workspace) / "old", target, layer, output)
        _stamp_file(target.name, layer, output).write_text(
            json.dumps(asdict(stamp), indent=2) + "\n", encoding="utf-8"
        )
        return stamp


def _compiled(home: Path) -> bool:
    suffixes = {path.suffix for path in tree.files(home)}
    return ".pyc" in suffixes or ".py" not in suffixes


def _swap(home: Path, fresh: Path, old: Path, target: Platform, layer: str, output: Path) -> None:
    # Without a stamp the layer counts as missing, so the next build repairs an interrupted swap.
    _stamp_file(target.name, layer, output).unlink(missing_ok=True)
    if home.exists():
        home.rename(old)
    fresh.rename(home)
    if old.exists():
        shutil.rmtree(old)


def _stamp_file(platform: str, layer: str, output: Path) -> Path:
    return output / platform / f"{layer}.json"


@contextmanager
def _exclusive(lock: Path) -> Iterator[None]:
    with lock.open("w") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        yield
