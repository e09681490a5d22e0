"""State MergeClips: the clips of all scenes become one video with a poster."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

from common.database import Database, runs, scenes, videos
from common.database.videos import Final
from common.errors import MediaError
from common.output import PLAIN, Shape
from common.scratch import scratch
from common.settings import AssemblySettings, load
from common.step import RunEvent, step
from common.storage import MediaFolder
from common.storage.s3 import S3MediaStore
from common.video import RATIOS, Stage
from merge import assembly, poster
from merge.cut import Clip

_DOWNLOADS = 8


@cache
def settings() -> AssemblySettings:
    """The function's settings, checked once."""
    return load(AssemblySettings)


@cache
def database() -> Database:
    """The warm environment's connection."""
    return Database(settings())


@cache
def store() -> S3MediaStore:
    """The media store."""
    return S3MediaStore(settings().media_bucket)


@step(Stage.MERGE, RunEvent, database)
def handler(event: RunEvent) -> dict[str, Any]:
    """Join the newest clips; of the same clips, the video that is there is the answer."""
    with database().transaction() as cursor:
        video = videos.get(cursor, event.video_id)
        clips = scenes.finished_clips(cursor, event.video_id)
        final = videos.final(cursor, event.video_id)
    wanted = range(1, video.frame_count + 1)
    if missing := [scene for scene in wanted if scene not in clips]:
        raise MediaError(
            f"Scenes without a clip: {', '.join(map(str, missing))}.", code="merge.missing_clip"
        )
    keys = {scene: str(clips[scene].video_key) for scene in wanted}
    if final is None or final.clip_keys not in (None, list(keys.values())):
        version = final.version + 1 if final else 1
        folder = MediaFolder(video.user_id, video.session_id)
        with scratch("merge") as room:
            paths = _download(keys, room)
            inputs = {scene: Clip(path, clips[scene].frames) for scene, path in paths.items()}
            # Clips of another size, if a provider sent any, are fitted into what was ordered.
            ordered = replace(PLAIN, shape=Shape(size=RATIOS[video.ratio]))
            cut = assembly.join(inputs, ordered, room)
            still = room / "final.jpg"
            poster.make(cut.path, still)
            store().put_file(folder.final(version), cut.path, PLAIN.format.media_type)
            store().put_file(folder.poster(version), still, "image/jpeg")
        final = Final(
            version=version,
            video_key=folder.final(version),
            poster_key=folder.poster(version),
            total_clips=len(keys),
            duration=f"{cut.seconds:.3f}",
            frames=cut.frames,
            size_bytes=cut.size_bytes,
            sha256=cut.sha256,
            clip_keys=list(keys.values()),
        )
        with database().transaction() as cursor:
            videos.insert_final(cursor, event.video_id, final)
            runs.add_event(
                cursor, event.run_id, "merge.succeeded", facts={"clips": final.total_clips}
            )
    return {
        "clips": final.total_clips,
        "frames": final.frames,
        "seconds": final.duration,
        "bytes": final.size_bytes,
    }


def _download(keys: dict[int, str], room: Path) -> dict[int, Path]:
    paths = {scene: room / f"clip_{scene:03d}.mp4" for scene in keys}
    with ThreadPoolExecutor(_DOWNLOADS) as pool:
        for done in [pool.submit(store().get_file, keys[s], paths[s]) for s in keys]:
            done.result()
    return paths
