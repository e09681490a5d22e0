"""The merge function with the local S3: download, rendering, upload, and their shares.

Rendering makes the merged video with its images and captions. The merge alone is measured
separately on the same clips.
"""

import os
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path

from common.domain.output import PLAIN
from common.storage.s3 import S3MediaStore
from infra.local.connection import Connection
from infra.local.emulator import Emulator
from infra.local.state import State
from merge import assemble, deliverables
from merge.audio.mix import AddedAudio
from merge.deliverables import DeliverablesRequest
from tests.benchmarks.clips import SECONDS, collected, make
from tests.benchmarks.report import table

_BUCKET = "bench-media"
_TRANSFERS = 8  # as the function does
_COUNTS, _SMALLEST = (6, 60), (1,)


def main(*, smallest: bool = False) -> None:
    """Print the seconds of each phase."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        emulator = Emulator(State.open(folder / ".local"), patched=False)
        emulator.start("")
        try:
            link = Connection(emulator.url, emulator.access_key_id, emulator.secret_access_key)
            link.client("s3").create_bucket(Bucket=_BUCKET)
            os.environ |= {
                "AWS_ENDPOINT_URL": emulator.url,
                "AWS_ACCESS_KEY_ID": emulator.access_key_id,
                "AWS_SECRET_ACCESS_KEY": emulator.secret_access_key,
                "AWS_DEFAULT_REGION": "us-east-1",
            }
            clip = make(folder / "clip.mp4", sound=False)
            rows = [
                _measure(clip, count, folder / str(count))
                for count in (_SMALLEST if smallest else _COUNTS)
            ]
        finally:
            emulator.stop()
    table(
        f"The merge function against the local S3, clips of {SECONDS} s: seconds, and shares",
        [
            *("clips", "MB", "fetch", "make", "store", "whole"),
            *("fetch %", "make %", "store %", "join alone", "x time"),
        ],
        rows,
    )


def _measure(clip: Path, count: int, folder: Path) -> list[str]:
    store = S3MediaStore(_BUCKET)
    keys = {n: f"u/v/clip_{n}.mp4" for n in range(1, count + 1)}
    for key in keys.values():
        store.put_file(key, clip, "video/mp4")
    folder.mkdir()
    times = [time.perf_counter()]
    paths = {n: folder / f"clip_{n:03d}.mp4" for n in keys}
    with ThreadPoolExecutor(_TRANSFERS) as pool:
        for done in [pool.submit(store.get_file, keys[n], paths[n]) for n in keys]:
            done.result()
    times.append(time.perf_counter())
    texts = {n: f"The narration of scene {n}." for n in paths}
    order = DeliverablesRequest(collected(paths), PLAIN, texts, AddedAudio({}))
    product = deliverables.render_deliverables(order, folder)
    times.append(time.perf_counter())
    with ThreadPoolExecutor(_TRANSFERS) as pool:
        for sent in [
            pool.submit(store.put_file, f"u/v/{file.path.name}", file.path, file.media_type)
            for file in product.files
        ]:
            sent.result()
    times.append(time.perf_counter())
    alone = folder / "alone"
    alone.mkdir()
    cut = assemble.merge_clips(collected(paths), PLAIN, alone)
    joined = time.perf_counter() - times[-1]
    assert cut.seconds == count * SECONDS
    parts = [after - before for before, after in pairwise(times)]
    whole = sum(parts)
    shares = [f"{100 * part / whole:.0f}" for part in parts]
    seconds = [f"{part:.2f}" for part in [*parts, whole]]
    speed = count * SECONDS / whole
    size = f"{cut.size_bytes / 1e6:.0f}"
    return [str(count), size, *seconds, *shares, f"{joined:.2f}", f"{speed:.0f}"]
