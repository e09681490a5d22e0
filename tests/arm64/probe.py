"""Runs in the emulated Python: one probe by name, its arguments after it; prints what it found.

It sees the layers and the functions' code, and none of this environment's packages.
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
    """Read a picture of each kind that users send, as `api` does, and write it in that kind."""
    from PIL import Image

    from common.media import images as product

    orange = (230, 120, 20)
    for kind in ("PNG", "JPEG", "WEBP", "AVIF"):
        file = io.BytesIO()
        Image.new("RGB", (96, 54), orange).save(file, kind)
        found = product.decode(product.clean(file.getvalue()).data)
        assert found.size == (96, 54), (kind, found.size)
        middle = found.getpixel((48, 27))
        assert isinstance(middle, tuple), (kind, middle)
        assert all(abs(a - b) < 8 for a, b in zip(middle, orange, strict=True)), (kind, middle)
    return "PNG, JPEG, WebP, AVIF"


def merge(folder: str) -> str:
    """Make a video of the clips in a folder, as `merge` does, one of them encoded anew."""
    from common.domain.output import Output
    from merge.audio.mix import Track
    from merge.deliverables import DeliverablesRequest, render_deliverables
    from merge.models import Clip

    paths = sorted(Path(folder).glob("clip_*"))
    clips = {scene: Clip(path) for scene, path in enumerate(paths, 1)}
    scratch = Path(folder, "scratch")
    scratch.mkdir()
    product = render_deliverables(DeliverablesRequest(clips, Output(), {}, Track({})), scratch)
    Path(folder, "made.json").write_text(json.dumps(str(product.files[0].path)))
    return ", ".join(f"scene {part.scene} {part.how.value}" for part in product.cut.parts)


def database(host: str, port: str, name: str, user: str) -> str:
    """Connect to PostgreSQL with a password, as the functions' driver does, and query."""
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
    """Speak a sentence with the offline voice, as `speech` does."""
    from offline.tts import program

    sys.executable = os.environ["EMULATED_PYTHON"]  # what the product starts as a child
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
