"""Render all files of a merge: the video, its renditions, captions, posters and previews.

Works on local files only.
"""

import hashlib
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from common.domain.output import Output, Size
from merge import assemble, captions, font_coverage, previews
from merge.audio import mix
from merge.audio.mix import AddedAudio
from merge.models import Clip, MergedScenes, MergedVideo, Rendition, SceneTreatment

_MEDIA_TYPES = {
    ".jpg": "image/jpeg",
    ".webp": "image/webp",
    ".gif": "image/gif",
    ".srt": "application/x-subrip",
    ".vtt": "text/vtt",
    ".mp4": "video/mp4",
    ".webm": "video/webm",
}
_MAX_QUOTED = 8  # characters that a warning quotes


@dataclass(frozen=True, slots=True)
class DeliverablesRequest:
    """The input of a merge: clips and texts by scene, added audio, and the output options."""

    clips: Mapping[int, Clip]
    output: Output
    texts: Mapping[int, str]
    track: AddedAudio
    preview: str = "none"  # or "gif" or "webp"


@dataclass(frozen=True, slots=True)
class Deliverable:
    """A file on disk with its metadata; see `common.domain.video.File`."""

    kind: str
    path: Path
    size_bytes: int
    sha256: str
    scene: int | None = None
    size: Size | None = None
    seconds: float | None = None
    captioned: bool = False

    @property
    def media_type(self) -> str:
        """The IANA media type."""
        return _MEDIA_TYPES[self.path.suffix]


@dataclass(frozen=True, slots=True)
class Deliverables:
    """The merged video and all files: the video first, then its renditions in order.

    `warnings` are sentences for the owner about differences from the request.
    """

    merged: MergedVideo
    files: tuple[Deliverable, ...]
    warnings: tuple[str, ...] = ()


def render_deliverables(request: DeliverablesRequest, scratch: Path) -> Deliverables:
    """Render all files in the folder `scratch`; raises MediaError with the scene at fault.

    Captions are burned into the scenes for which the bundled fonts have every letter. The caption
    files have all captions.
    """
    captioned = {scene: text for scene, text in request.texts.items() if text.strip()}
    unsupported = {
        scene: text for scene, text in captioned.items() if font_coverage.missing_letters(text)
    }
    drawable = {scene: text for scene, text in captioned.items() if scene not in unsupported}
    is_burned = request.output.captions_burned and bool(drawable)

    def subtitles(scenes: MergedScenes, size: Size) -> Path:
        path = scratch / f"captions_{size[0]}x{size[1]}.ass"
        width = captions.line_width(size)
        cues = captions.cues(drawable, scenes, request.track.spoken(scenes), width=width)
        path.write_text(captions.ass(cues, size), encoding="utf-8")
        return path

    def soundtrack(scenes: MergedScenes, seconds: float, clips: Path | None) -> Path:
        return mix.mix(request.track, clips, scenes, seconds, scratch)

    merged = assemble.merge_clips(
        request.clips,
        request.output,
        scratch,
        subtitles=subtitles if is_burned else None,
        fonts_dir=font_coverage.FONTS if is_burned else None,
        soundtrack=None if request.track.is_silent else soundtrack,
    )
    warnings = [
        *merged.warnings,
        *_music_warnings(request, merged),
        *_narration_warnings(request, merged),
        *_incomplete_caption_warnings(request, merged),
    ]
    if request.output.captions_burned:
        visible = _visible_scenes(merged)
        warnings += _unsupported_caption_warnings(unsupported, visible)
        warnings += _missing_sign_warnings(drawable, visible)
    files = tuple(_files(request, merged, scratch, captioned=is_burned))
    return Deliverables(merged, files, tuple(warnings))


def _visible_scenes(merged: MergedVideo) -> set[int]:
    return {scene.scene for scene in merged.parts if scene.how is not SceneTreatment.SKIPPED}


def _unsupported_caption_warnings(
    texts: Mapping[int, str], visible: Collection[int]
) -> Iterator[str]:
    """Yield a warning for each scene whose captions cannot be burned in."""
    for scene in sorted(texts.keys() & visible):
        yield (
            f"Scene {scene}: the captions are not burned in, because no bundled font has "
            f"{_quote(font_coverage.missing_letters(texts[scene]))}. The caption files have them."
        )


def _missing_sign_warnings(texts: Mapping[int, str], visible: Collection[int]) -> Iterator[str]:
    """Yield a warning for each scene with characters left out of its burned-in captions."""
    for scene in sorted(texts.keys() & visible):
        if signs := font_coverage.missing_signs(texts[scene]):
            yield (
                f"Scene {scene}: the captions are burned in without {_quote(signs)}, because no "
                "bundled font has that. The caption files are complete."
            )


def _narration_warnings(request: DeliverablesRequest, merged: MergedVideo) -> Iterator[str]:
    """Yield a warning for each narration that was sped up or cut off to fit into its scene."""
    for scene, narration in sorted(request.track.spoken(merged.parts).items()):
        if narration.is_cut_off:
            yield (
                f"Scene {scene}: the end of the narration is cut off, although it is "
                f"{narration.pace:.1f} times as fast as recorded. It takes "
                f"{narration.sound.seconds:.1f} s, but only {narration.seconds:.1f} s are free."
            )
        elif narration.is_hurried:
            yield (
                f"Scene {scene}: the narration is {narration.pace:.1f} times as fast as recorded, "
                "to fit into the scene."
            )


def _music_warnings(request: DeliverablesRequest, merged: MergedVideo) -> Iterator[str]:
    """Yield a warning if the fades of the music were shortened."""
    music, limit = request.track.music, merged.seconds / 2
    if music and max(music.fade_in, music.fade_out) > limit:
        yield (
            f"The music is faded within {limit:.1f} s, which is half of the video, instead of "
            f"{max(music.fade_in, music.fade_out):g} s."
        )


def _incomplete_caption_warnings(
    request: DeliverablesRequest, merged: MergedVideo
) -> Iterator[str]:
    """Yield a warning for each scene whose captions end early or are left out."""
    shown_text: dict[int, str] = {}
    for cue in captions.cues(request.texts, merged.parts, request.track.spoken(merged.parts)):
        shown_text[cue.scene] = shown_text.get(cue.scene, "") + "".join(cue.lines)
    visible = _visible_scenes(merged)
    for scene, text in sorted(request.texts.items()):
        if scene in visible and _without_spaces(shown_text.get(scene, "")) != _without_spaces(text):
            yield f"Scene {scene}: the captions are incomplete, because the scene is too short."


def _without_spaces(text: str) -> str:
    return "".join(text.split())


def _quote(characters: str) -> str:
    quoted = " ".join(characters[:_MAX_QUOTED])
    return f"{quoted} and others" if len(characters) > _MAX_QUOTED else quoted


def _files(
    request: DeliverablesRequest, merged: MergedVideo, scratch: Path, *, captioned: bool
) -> Iterator[Deliverable]:
    main = Rendition(merged.path, merged.size, merged.size_bytes, merged.sha256)
    for number, rendition in enumerate((main, *merged.renditions)):
        kind = "rendition" if number else "video"
        yield Deliverable(
            *(kind, rendition.path, rendition.size_bytes, rendition.sha256),
            size=rendition.size,
            seconds=merged.seconds,
            captioned=captioned,
        )
    for path in previews.posters(merged.path, merged.parts, scratch).values():
        yield _deliverable("poster", path, size=merged.size)
    thumbnail_size = (
        previews.THUMBNAIL_WIDTH,
        2 * round(merged.size[1] * previews.THUMBNAIL_WIDTH / merged.size[0] / 2),
    )
    for scene, path in previews.thumbnails(merged.path, merged.parts, scratch).items():
        yield _deliverable("thumbnail", path, scene=scene, size=thumbnail_size)
    if request.preview != "none":
        preview_path = previews.preview(merged.path, merged.parts, request.preview, scratch)
        yield _deliverable("preview", preview_path, size=thumbnail_size)
    cues = captions.cues(request.texts, merged.parts, request.track.spoken(merged.parts))
    for suffix, text in (("srt", captions.srt(cues)), ("vtt", captions.vtt(cues))):
        path = scratch / f"captions.{suffix}"
        path.write_text(text, encoding="utf-8")
        yield _deliverable("captions", path)


def _deliverable(
    kind: str, path: Path, *, scene: int | None = None, size: Size | None = None
) -> Deliverable:
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return Deliverable(kind, path, path.stat().st_size, digest, scene, size)
