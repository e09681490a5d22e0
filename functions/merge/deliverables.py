"""Everything that is made of the clips in one run: the cut, its shapes, captions, stills.

Works on local files only.
"""

import hashlib
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from common.domain.output import Output, Size
from merge import assemble, captions, font_coverage, previews
from merge.audio import mix
from merge.audio.mix import Track
from merge.models import Clip, MergedVideo, Parts, Rendition, SceneTreatment

_MEDIA_TYPES = {
    ".jpg": "image/jpeg",
    ".webp": "image/webp",
    ".gif": "image/gif",
    ".srt": "application/x-subrip",
    ".vtt": "text/vtt",
    ".mp4": "video/mp4",
    ".webm": "video/webm",
}


_QUOTED = 8  # characters of a text that a warning names


@dataclass(frozen=True, slots=True)
class DeliverablesRequest:
    """What is to be made, of what: clips and texts by scene, sound, and the kind of preview."""

    clips: Mapping[int, Clip]
    output: Output
    texts: Mapping[int, str]
    track: Track
    preview: str = "none"  # or gif, or webp


@dataclass(frozen=True, slots=True)
class Deliverable:
    """A file on disk, with what is known of it; see `common.domain.video.File`."""

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
        """The IANA type."""
        return _MEDIA_TYPES[self.path.suffix]


@dataclass(frozen=True, slots=True)
class Deliverables:
    """The cut, and every file that was made: the video first, then its shapes in their order.

    `warnings` tell the owner what differs from the request, those of the cut included.
    """

    cut: MergedVideo
    files: tuple[Deliverable, ...]
    warnings: tuple[str, ...] = ()


def render_deliverables(order: DeliverablesRequest, scratch: Path) -> Deliverables:
    """Make it all in the folder `scratch`; raises MediaError, which names the clip at fault.

    Captions are drawn in the scenes of which the fonts have every letter; all of them lie beside
    the video.
    """
    captioned = {scene: text for scene, text in order.texts.items() if text.strip()}
    unread = {
        scene: text for scene, text in captioned.items() if font_coverage.missing_letters(text)
    }
    drawn = {scene: text for scene, text in captioned.items() if scene not in unread}
    burned = order.output.captions_burned and bool(drawn)

    def subtitles(parts: Parts, size: Size) -> Path:
        path = scratch / f"captions_{size[0]}x{size[1]}.ass"
        width = captions.line_width(size)
        cues = captions.cues(drawn, parts, order.track.spoken(parts), width=width)
        path.write_text(captions.ass(cues, size), encoding="utf-8")
        return path

    def sound(parts: Parts, seconds: float, clips: Path | None) -> Path:
        return mix.mix(order.track, clips, parts, seconds, scratch)

    cut = assemble.merge_clips(
        order.clips,
        order.output,
        scratch,
        subtitles=subtitles if burned else None,
        fonts_dir=font_coverage.FONTS if burned else None,
        soundtrack=None if order.track.is_silent else sound,
    )
    warnings = [
        *cut.warnings,
        *_of_music(order, cut),
        *_of_narrations(order, cut),
        *_of_short_scenes(order, cut),
    ]
    if order.output.captions_burned:
        in_cut = {part.scene for part in cut.parts if part.how is not SceneTreatment.SKIPPED}
        warnings += [*_of_unread(unread, in_cut), *_of_signs(drawn, in_cut)]
    return Deliverables(cut, tuple(_files(order, cut, scratch, captioned=burned)), tuple(warnings))


def _of_unread(texts: Mapping[int, str], in_cut: Collection[int]) -> Iterator[str]:
    """Say which captions are not drawn into the picture."""
    for scene in sorted(texts.keys() & in_cut):
        yield (
            f"Scene {scene}: the captions are not burned in, because no bundled font has "
            f"{_quoted(font_coverage.missing_letters(texts[scene]))}. The caption files have them."
        )


def _of_signs(texts: Mapping[int, str], in_cut: Collection[int]) -> Iterator[str]:
    """Say which signs are missing in the captions that are drawn."""
    for scene in sorted(texts.keys() & in_cut):
        if signs := font_coverage.missing_signs(texts[scene]):
            yield (
                f"Scene {scene}: captions are drawn without {_quoted(signs)}, because no bundled "
                "font has that. It is in the caption files."
            )


def _of_narrations(order: DeliverablesRequest, cut: MergedVideo) -> Iterator[str]:
    """Say which narrations had to be changed to fit into their scenes."""
    for scene, spoken in sorted(order.track.spoken(cut.parts).items()):
        if spoken.is_cut_off:
            yield (
                f"Scene {scene}: the end of the narration is cut off, although it is "
                f"{spoken.pace:.1f} times as fast as recorded. It takes {spoken.sound.seconds:.1f} "
                f"s, and the scene has {spoken.seconds:.1f} s for it."
            )
        elif spoken.is_hurried:
            yield (
                f"Scene {scene}: the narration is {spoken.pace:.1f} times as fast as recorded, "
                "to fit into the scene."
            )


def _of_music(order: DeliverablesRequest, cut: MergedVideo) -> Iterator[str]:
    """Say if the music comes and goes faster than requested."""
    music, most = order.track.music, cut.seconds / 2
    if music and max(music.fade_in, music.fade_out) > most:
        yield (
            f"The music is faded within {most:.1f} s, which is half of the video, instead of "
            f"{max(music.fade_in, music.fade_out):g} s."
        )


def _of_short_scenes(order: DeliverablesRequest, cut: MergedVideo) -> Iterator[str]:
    """Say of which scenes the captions end early, or are left out."""
    shown: dict[int, str] = {}
    for cue in captions.cues(order.texts, cut.parts, order.track.spoken(cut.parts)):
        shown[cue.scene] = shown.get(cue.scene, "") + "".join(cue.lines)
    in_cut = {part.scene for part in cut.parts if part.how is not SceneTreatment.SKIPPED}
    for scene, text in sorted(order.texts.items()):
        if scene in in_cut and _letters(shown.get(scene, "")) != _letters(text):
            yield f"Scene {scene}: the captions are not complete, because the scene is too short."


def _letters(text: str) -> str:
    return "".join(text.split())


def _quoted(characters: str) -> str:
    some = " ".join(characters[:_QUOTED])
    return f"{some} and others" if len(characters) > _QUOTED else some


def _files(
    order: DeliverablesRequest, cut: MergedVideo, scratch: Path, *, captioned: bool
) -> Iterator[Deliverable]:
    itself = Rendition(cut.path, cut.size, cut.size_bytes, cut.sha256)
    for kind, one in (("video", itself), *(("rendition", other) for other in cut.renditions)):
        yield Deliverable(
            *(kind, one.path, one.size_bytes, one.sha256),
            size=one.size,
            seconds=cut.seconds,
            captioned=captioned,
        )
    for path in previews.posters(cut.path, cut.parts, scratch).values():
        yield _made("poster", path, size=cut.size)
    small = (
        previews.THUMBNAIL_WIDTH,
        2 * round(cut.size[1] * previews.THUMBNAIL_WIDTH / cut.size[0] / 2),
    )
    for scene, path in previews.thumbnails(cut.path, cut.parts, scratch).items():
        yield _made("thumbnail", path, scene=scene, size=small)
    if order.preview != "none":
        moving = previews.preview(cut.path, cut.parts, order.preview, scratch)
        yield _made("preview", moving, size=small)
    cues = captions.cues(order.texts, cut.parts, order.track.spoken(cut.parts))
    for suffix, text in (("srt", captions.srt(cues)), ("vtt", captions.vtt(cues))):
        path = scratch / f"captions.{suffix}"
        path.write_text(text, encoding="utf-8")
        yield _made("captions", path)


def _made(
    kind: str, path: Path, *, scene: int | None = None, size: Size | None = None
) -> Deliverable:
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return Deliverable(kind, path, path.stat().st_size, digest, scene, size)
