"""The probes, which run in the emulated Python: `probe.py NAME ARGUMENTS...` prints the result.

Only the layers and the functions' code are importable, not this environment's packages.
"""

import importlib
import io
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path


def handlers(*names: str) -> str:
    """Import the handler of each function."""
    for name in names:
        assert callable(importlib.import_module(f"{name}.handler").handler), name
    return f"{len(names)} handlers"


def pictures() -> str:
    """Write an image in each format that users send, and read it as `api` does."""
    from PIL import Image

    from common.media import images as product

    orange = (230, 120, 20)
    for kind in ("PNG", "JPEG", "WEBP", "AVIF"):
        file = io.BytesIO()
        Image.new("RGB", (96, 54), orange).save(file, kind)
        decoded = product.decode(product.clean(file.getvalue()).data)
        assert decoded.size == (96, 54), (kind, decoded.size)
        middle = decoded.getpixel((48, 27))
        assert isinstance(middle, tuple), (kind, middle)
        assert all(abs(a - b) < 8 for a, b in zip(middle, orange, strict=True)), (kind, middle)
    return "PNG, JPEG, WebP, AVIF"


def merge(folder: str) -> str:
    """Merge the clips of a folder as `merge` does, transcoding one of them."""
    from common.domain.output import Output
    from merge.audio.mix import AddedAudio
    from merge.deliverables import DeliverablesRequest, render_deliverables
    from merge.models import Clip

    paths = sorted(Path(folder).glob("clip_*"))
    clips = {scene: Clip(path) for scene, path in enumerate(paths, 1)}
    scratch = Path(folder, "scratch")
    scratch.mkdir()
    product = render_deliverables(DeliverablesRequest(clips, Output(), {}, AddedAudio({})), scratch)
    Path(folder, "made.json").write_text(json.dumps(str(product.files[0].path)))
    return ", ".join(f"scene {part.scene} {part.how.value}" for part in product.merged.parts)


def database(host: str, port: str, name: str, user: str) -> str:
    """Connect to PostgreSQL with a password and run a query."""
    import psycopg2

    connection = psycopg2.connect(
        host=host, port=port, dbname=name, user=user, password=os.environ["PASSWORD"]
    )
    with connection, connection.cursor() as cursor:
        cursor.execute("SELECT current_setting('server_version'), %s::int + 1", (41,))
        row = cursor.fetchone()
    connection.close()
    assert row is not None, "no row"
    assert row[1] == 42, row
    return f"PostgreSQL {row[0]}"


def speech() -> str:
    """Synthesize a sentence with the offline provider, as `speech` does."""
    from offline.tts import program

    sys.executable = os.environ["EMULATED_PYTHON"]  # used to start child processes
    sound = program.speak("A paper boat.", "en-us+f2", 160)
    seconds = len(sound.samples) / 2 / sound.rate
    assert 0.5 < seconds < 5, seconds
    return f"{seconds:.1f} s of sound"


PROBES: dict[str, Callable[..., str]] = {
    "handlers": handlers,
    "pictures": pictures,
    "merge": merge,
    "database": database,
    "speech": speech,
}

if __name__ == "__main__":
    print(PROBES[sys.argv[1]](*sys.argv[2:]))
