"""Upload of the files of a merged video."""

from concurrent.futures import ThreadPoolExecutor

from common.domain.video import File
from common.storage import CONCURRENT_TRANSFERS, MediaFolder, MediaStore
from merge.deliverables import Deliverable, Deliverables


def publish(
    result: Deliverables, store: MediaStore, folder: MediaFolder, version: int
) -> list[File]:
    """Upload every file, the video last, so that a visible video has all its other files."""
    files = [
        _file(deliverable, number, folder, version)
        for number, deliverable in enumerate(result.files)
    ]
    video, *others = zip(files, result.files, strict=True)
    with ThreadPoolExecutor(CONCURRENT_TRANSFERS) as pool:
        for future in [
            pool.submit(_store, store, file, deliverable) for file, deliverable in others
        ]:
            future.result()
    _store(store, *video)
    return files


def _store(store: MediaStore, file: File, deliverable: Deliverable) -> None:
    # Without a charset, browsers may decode the text as Latin-1.
    charset = "; charset=utf-8" if file.kind == "captions" else ""
    store.put_file(file.key, deliverable.path, f"{file.media_type}{charset}")


def _file(deliverable: Deliverable, number: int, folder: MediaFolder, version: int) -> File:
    suffix = deliverable.path.suffix.removeprefix(".")
    keys = {
        "video": lambda: folder.final(version, suffix),
        "rendition": lambda: folder.final(version, suffix, number),
        "poster": lambda: folder.poster(version, suffix),
        "thumbnail": lambda: folder.thumbnail(deliverable.scene or 0, version),
        "preview": lambda: folder.preview(version, suffix),
        "captions": lambda: folder.captions(version, suffix),
    }
    width, height = deliverable.size or (None, None)
    return File(
        kind=deliverable.kind,
        key=keys[deliverable.kind](),
        media_type=deliverable.media_type,
        size_bytes=deliverable.size_bytes,
        sha256=deliverable.sha256,
        scene=deliverable.scene,
        width=width,
        height=height,
        seconds=deliverable.seconds,
        captioned=deliverable.captioned,
    )
