"""State MergeClips: the clips of all scenes become one video, with what goes with it."""

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

from common.application import music
from common.application.pipeline_step import RunEvent, step
from common.database import Database, narrations, runs, scenes, videos
from common.database.narrations import Narration
from common.database.scenes import Frame
from common.database.videos import FinalVideo, Video
from common.domain.errors import MediaError, NotFound
from common.domain.output import Output, Shape
from common.domain.video import RATIOS, File, Stage
from common.media.scratch import scratch
from common.schemas.output import MusicSpec as MusicWish
from common.schemas.output import OutputSpec
from common.settings import AssemblySettings, load
from common.storage import MediaFolder
from common.storage.s3 import S3MediaStore
from merge import deliverables
from merge.audio.mix import Music, Track
from merge.deliverables import Deliverable, Deliverables, DeliverablesRequest
from merge.models import Clip

_TRANSFERS = 8


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
    """Join the newest clips; the same clips with the same wish are the video that is there."""
    with database().transaction() as cursor:
        video = videos.get(cursor, event.video_id)
        clips = scenes.finished_clips(cursor, event.video_id)
        frames = scenes.frames(cursor, event.video_id)
        said = narrations.of_video(cursor, event.video_id)
        wished = OutputSpec.model_validate(video.output).music
        tune = music.find(cursor, wished, video.user_id).key if wished else None
        final = videos.final(cursor, event.video_id)
    wanted = range(1, video.frame_count + 1)
    if missing := [scene for scene in wanted if scene not in clips]:
        raise MediaError(
            f"Scenes without a clip: {', '.join(map(str, missing))}.", code="merge.missing_clip"
        )
    clips = {scene: clips[scene] for scene in wanted}
    keys = {scene: str(clip.video_key) for scene, clip in clips.items()}
    if final is None or not _is_of(final, list(keys.values()), video.output):
        version = final.version + 1 if final else 1
        with scratch("merge") as room:
            order = _request(Rows(video, frames, clips, said, tune), room)
            product = deliverables.render_deliverables(order, room)
            files = _publish(product, MediaFolder(video.user_id, video.session_id), version)
        final = _final(product, files, version, list(keys.values()), video.output, said)
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


def _is_of(final: FinalVideo, clip_keys: Sequence[str], output: Mapping[str, Any]) -> bool:
    """Say whether it is the cut of these clips that is wished for."""
    return final.clip_keys in (None, clip_keys) and final.output == output


@dataclass(frozen=True, slots=True)
class Rows:
    """What the video is made of."""

    video: Video
    frames: Sequence[Frame]
    clips: Mapping[int, scenes.Clip]
    said: Mapping[int, Narration]
    music_key: str | None


def _request(rows: Rows, room: Path) -> DeliverablesRequest:
    """Fetch everything that goes into the video, and say what is to be made of it."""
    wish = OutputSpec.model_validate(rows.video.output)
    stills = {frame.frame_number: frame.image_key for frame in rows.frames}
    shown = {room / f"clip_{n:03d}.mp4": clip.video_key for n, clip in rows.clips.items()}
    if wish.on_broken == "still":
        shown |= {room / f"still_{n:03d}.png": key for n, key in stills.items()}
    spoken = {n: one.audio_key for n, one in rows.said.items() if one.audio_key}
    heard = {room / f"narration_{n:03d}.wav": key for n, key in spoken.items()}
    tune = room / "music"
    heard |= {tune: rows.music_key} if rows.music_key else {}
    _fetch({path: key for path, key in shown.items() if key}, heard)
    clips = {
        scene: Clip(
            path=room / f"clip_{scene:03d}.mp4",
            frames=clip.frames,
            still=still if (still := room / f"still_{scene:03d}.png").exists() else None,
            seconds=float(clip.clip_seconds or rows.video.clip_seconds),
        )
        for scene, clip in rows.clips.items()
    }
    texts = {frame.frame_number: frame.description for frame in rows.frames}
    texts |= {scene: one.text for scene, one in rows.said.items()}
    return DeliverablesRequest(
        clips=clips,
        output=_shaped(wish.to_output(), rows.video),
        texts=texts,
        track=Track(
            {scene: room / f"narration_{scene:03d}.wav" for scene in spoken},
            _music(wish.music, tune) if wish.music else None,
        ),
        preview=wish.preview,
    )


def _music(wish: MusicWish, path: Path) -> Music:
    return Music(
        path=path,
        volume=wish.volume,
        fade_in=wish.fade_in,
        fade_out=wish.fade_out,
        loop=wish.loop,
        duck=wish.duck,
    )


def _shaped(output: Output, video: Video) -> Output:
    """Say the frame's size: clips of another one, if a provider sent any, are fitted into it."""
    return replace(output, shape=Shape(size=output.shape.of(RATIOS[video.ratio])))


def _fetch(shown: Mapping[Path, str], heard: Mapping[Path, str]) -> None:
    """Fetch the objects; a clip or picture that is not there any more is a broken one."""
    with ThreadPoolExecutor(_TRANSFERS) as pool:
        told = [pool.submit(store().get_file, key, path) for path, key in heard.items()]
        seen = [pool.submit(store().get_file, key, path) for path, key in shown.items()]
        for done in told:
            done.result()
        for done in seen:
            with suppress(NotFound):
                done.result()


def _publish(product: Deliverables, folder: MediaFolder, version: int) -> list[File]:
    """Store every file, the video last: whoever sees it finds all that goes with it."""
    files = [_file(made, number, folder, version) for number, made in enumerate(product.files)]
    video, *others = zip(files, product.files, strict=True)
    with ThreadPoolExecutor(_TRANSFERS) as pool:
        for done in [pool.submit(_store, file, made) for file, made in others]:
            done.result()
    _store(*video)
    return files


def _store(file: File, made: Deliverable) -> None:
    # Without it, browsers may read the text as Latin-1.
    charset = "; charset=utf-8" if file.kind == "captions" else ""
    store().put_file(file.key, made.path, f"{file.media_type}{charset}")


def _file(made: Deliverable, number: int, folder: MediaFolder, version: int) -> File:
    suffix = made.path.suffix.removeprefix(".")
    keys = {
        "video": lambda: folder.final(version, suffix),
        "rendition": lambda: folder.final(version, suffix, number),
        "poster": lambda: folder.poster(version, suffix),
        "thumbnail": lambda: folder.thumbnail(made.scene or 0, version),
        "preview": lambda: folder.preview(version, suffix),
        "captions": lambda: folder.captions(version, suffix),
    }
    width, height = made.size or (None, None)
    return File(
        kind=made.kind,
        key=keys[made.kind](),
        media_type=made.media_type,
        size_bytes=made.size_bytes,
        sha256=made.sha256,
        scene=made.scene,
        width=width,
        height=height,
        seconds=made.seconds,
        captioned=made.captioned,
    )


def _final(
    product: Deliverables,
    files: list[File],
    version: int,
    clip_keys: list[str],
    output: dict[str, Any],
    said: Mapping[int, Narration],
) -> FinalVideo:
    cut = product.cut
    poster = next(file for file in files if file.kind == "poster")
    return FinalVideo(
        version=version,
        video_key=files[0].key,
        poster_key=poster.key,
        total_clips=len(clip_keys),
        duration=f"{cut.seconds:.3f}",
        frames=cut.frames,
        size_bytes=cut.size_bytes,
        sha256=cut.sha256,
        clip_keys=clip_keys,
        files=[asdict(file) for file in files],
        parts=[asdict(part) for part in cut.parts],
        output=output,
        has_sound=cut.has_sound,
        warnings=[*narrations.warnings(said), *product.warnings],
    )
