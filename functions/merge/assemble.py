"""Making a cut: look at the clips, plan, encode what must be, join, verify. Local files only."""

import hashlib
from collections.abc import Mapping
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path

from common.aws.log import logger
from common.domain.errors import MediaError
from common.domain.output import Format, OnBroken, Output
from common.media import ffmpeg
from common.media.ffmpeg_process import cores
from common.media.mp4 import concat, writer
from common.media.mp4.audio_track import AudioRow
from common.media.mp4.boxes import NotConcatenable
from common.media.mp4.movie import Movie
from merge import filters, probe, still_image, timeline, transcode, verify, warnings
from merge.audio import decode, track
from merge.audio.mixdown import Mixdown
from merge.models import (
    Clip,
    MergedScene,
    MergedVideo,
    Parts,
    Rendition,
    SceneTreatment,
    Soundtrack,
    Subtitles,
)
from merge.timeline import ClipProbe, MergePlan

_MUX_SECONDS = 300
_OPUS_BITS = 128_000
# What is said of clips that do not stand in one track after all.
_MISFIT = {"merge.encoding", "merge.index", "merge.incomplete", "merge.time_stamps"}


@dataclass(frozen=True, slots=True)
class _Broken:
    """What became of a clip that cannot be read."""

    scene: int
    how: SceneTreatment
    reason: str


def merge_clips(
    clips: Mapping[int, Clip],
    output: Output,
    scratch: Path,
    *,
    subtitles: Subtitles | None = None,
    fonts_dir: Path | None = None,
    soundtrack: Soundtrack | None = None,
) -> MergedVideo:
    """Make one video of the clips (by scene number), in order, in the folder `scratch`.

    Clips that match are copied; the others are made like them, or all are encoded where that does
    not come right. Captions are burned in if `output` asks for it and there are `subtitles`; a
    `soundtrack` takes the place of the clips' sound. Raises MediaError, which names the clip, when
    one is broken and `output` does not say to go on; nothing has been joined then.
    """
    output = replace(output, captions_burned=output.captions_burned and subtitles is not None)
    burned = subtitles if output.captions_burned else None
    with ThreadPoolExecutor(cores()) as pool:
        found, broken = _look(clips, output, scratch, pool)
        folder = scratch
        while True:
            try:
                return _join(
                    _Job(found, broken, output, burned, fonts_dir, soundtrack), folder, pool
                )
            except transcode.SceneFailed as failed:
                if failed.error_code != "merge.encoding" or output.on_broken is OnBroken.FAIL:
                    raise
                found, broken = _without(failed, clips, found, broken, output.on_broken)
                logger.warning("A scene cannot be encoded", extra={"detail": failed.detail})
                folder = scratch / f"without_{failed.scene:03d}"
            folder.mkdir()


@dataclass(frozen=True, slots=True)
class _Job:
    """What `merge_clips` was given, once every clip was looked at."""

    found: list[ClipProbe]
    broken: list[_Broken]
    output: Output
    subtitles: Subtitles | None
    fonts: Path | None
    soundtrack: Soundtrack | None


def _join(job: _Job, folder: Path, pool: Executor) -> MergedVideo:
    """Copy what matches; where clips do not go together after all, encode them all."""

    def make(plan: MergePlan, folder: Path) -> MergedVideo:
        parts = _parts(plan, job.broken)
        mixdown = Mixdown(job.output.loudness, parts, job.soundtrack, folder, pool)
        maker = _Renderer(job.output, parts, job.subtitles, job.fonts, folder, pool, mixdown)
        return _cut(maker, plan, job.found)

    plan = timeline.plan_merge(job.found, job.output)
    try:
        return make(plan, folder)
    except MediaError as error:
        is_scene = (
            isinstance(error, transcode.SceneFailed) and job.output.on_broken is not OnBroken.FAIL
        )
        fits = error.error_code not in _MISFIT or not any(one.copied for one in plan.shots)
        if is_scene or fits:
            raise
        logger.warning("Clips do not go together", extra={"detail": error.detail})
    whole = folder / "whole"
    whole.mkdir()
    return make(timeline.plan_merge(job.found, job.output, copies=False), whole)


def _cut(maker: "_Renderer", plan: MergePlan, found: list[ClipProbe]) -> MergedVideo:
    """Make the video and its renditions."""
    made, output = maker.make(plan, "final"), maker.output
    others = [
        maker.make(
            timeline.plan_merge(found, replace(output, shape=shape), rendition_of=plan),
            f"final_{number}",
        )
        for number, shape in enumerate(output.renditions, 1)
    ]
    return MergedVideo(
        path=made.path,
        frames=plan.frames,
        seconds=float(plan.seconds),
        size_bytes=made.size_bytes,
        sha256=made.sha256,
        size=plan.size,
        fps=plan.rate,
        has_sound=maker.mixdown.is_heard(plan),
        parts=maker.parts,
        renditions=tuple(others),
        warnings=(
            *warnings.of_cut(plan, maker.parts, output, maker.looks),
            *maker.mixdown.warnings,
        ),
    )


def _look(
    clips: Mapping[int, Clip], output: Output, scratch: Path, pool: Executor
) -> tuple[list[ClipProbe], list[_Broken]]:
    """Look at every clip; what becomes of a broken one is decided here, before anything is made."""

    def look(scene: int) -> ClipProbe | MediaError:
        try:
            return probe.probe_clip(scene, clips[scene], scratch)
        except MediaError as error:
            return error

    found, broken = [], []
    order = sorted(clips)
    for scene, facts in zip(order, pool.map(look, order), strict=True):
        if isinstance(facts, ClipProbe):
            found.append(facts)
            continue
        if output.on_broken is OnBroken.FAIL:
            raise _refusal(scene, facts)
        how = SceneTreatment.SKIPPED
        if output.on_broken is OnBroken.STILL:
            found.append(_still(scene, clips[scene], facts))
            how = SceneTreatment.STILL
        broken.append(_Broken(scene, how, facts.detail))
    if not found:
        raise MediaError("No clip can be read, so there is nothing to join.", code="merge.nothing")
    return found, broken


def _without(
    failed: transcode.SceneFailed,
    clips: Mapping[int, Clip],
    found: list[ClipProbe],
    broken: list[_Broken],
    on_broken: OnBroken,
) -> tuple[list[ClipProbe], list[_Broken]]:
    """Return the clips, and the broken ones, without a scene that could not be encoded.

    It is left out, or its picture held; raises `failed` where neither can be.
    """
    scene = failed.scene
    own = next(facts for facts in found if facts.scene == scene)
    if own.is_still or (on_broken is OnBroken.SKIP and len(found) == 1):
        raise failed
    held = [_still(scene, clips[scene], failed)] if on_broken is OnBroken.STILL else []
    how = SceneTreatment.STILL if held else SceneTreatment.SKIPPED
    place = found.index(own)
    return (
        [*found[:place], *held, *found[place + 1 :]],
        [*broken, _Broken(scene, how, failed.reason)],
    )


def _still(scene: int, clip: Clip, error: MediaError) -> ClipProbe:
    if clip.still is None or clip.seconds is None:
        raise _refusal(scene, error, " There is no picture to hold in its place.")
    try:
        return probe.probe_still(scene, clip.still, clip.seconds)
    except MediaError as other:
        raise _refusal(scene, error, f" Nor can its picture be held: {other.detail}") from other


def _refusal(scene: int, error: MediaError, more: str = "") -> MediaError:
    code = "merge.broken_clip" if error.error_code == MediaError.code else error.error_code
    refused = MediaError(
        f"The clip of scene {scene} is broken: {error.detail}{more} Nothing was joined; "
        "the other clips are kept.",
        code=code,
    )
    refused.scene = scene
    return refused


def _parts(plan: MergePlan, broken: list[_Broken]) -> tuple[MergedScene, ...]:
    """Return what became of every scene, in order."""
    reasons = {clip.scene: clip.reason for clip in broken}
    parts = [
        MergedScene(
            scene=shot.facts.scene,
            how=SceneTreatment.STILL
            if shot.facts.is_still
            else SceneTreatment.COPIED
            if shot.copied
            else SceneTreatment.ENCODED,
            reason=reasons.get(shot.facts.scene, "" if shot.copied else shot.reason),
            start=float(shot.start / plan.rate),
            seconds=float(shot.frames / plan.rate),
            frames=shot.frames,
        )
        for shot in plan.shots
    ]
    starts = {part.scene: part.start for part in parts}
    for clip in broken:
        if clip.how is SceneTreatment.SKIPPED:
            after = [starts[scene] for scene in starts if scene > clip.scene]
            start = min(after, default=float(plan.seconds))
            parts.append(MergedScene(clip.scene, clip.how, clip.reason, start, 0.0, 0))
    return tuple(sorted(parts, key=lambda part: part.scene))


@dataclass(frozen=True, slots=True)
class _Renderer:
    """Makes the files of one run."""

    output: Output
    parts: Parts
    subtitles: Subtitles | None
    fonts: Path | None
    scratch: Path
    pool: Executor
    mixdown: Mixdown
    # Of the clips that were encoded, by scene; a rendition needs no second look.
    looks: dict[int, ffmpeg.Look] = field(default_factory=dict)

    def make(self, plan: MergePlan, name: str) -> Rendition:
        """Make one file as planned, and verify it."""
        pieces = self._pieces(plan)
        if self.output.format is Format.WEBM:
            path, digest = self._webm(plan, pieces, name)
        else:
            path, digest = self._mp4(plan, pieces, name)
        for piece in pieces:
            if piece.path.name.startswith(transcode.PREFIX):
                piece.path.unlink(missing_ok=True)
        return Rendition(path, plan.size, path.stat().st_size, digest)

    def _pieces(self, plan: MergePlan) -> list[Movie]:
        """Return the pictures of every shot: the clip itself, or what was encoded of it."""
        encoded = [place for place, shot in enumerate(plan.shots) if not shot.copied]
        if not encoded:
            return [shot.facts.movie for shot in plan.shots if shot.facts.movie is not None]
        scenes = {plan.shots[place].facts.scene: plan.shots[place].facts for place in encoded}
        colour = self.pool.submit(_colour, plan)
        new = {scene: facts for scene, facts in scenes.items() if scene not in self.looks}
        self.looks.update(zip(new, self.pool.map(_appearance, new.values()), strict=True))
        bench = transcode.EncodeContext(
            plan=plan,
            output=self.output,
            frame=filters.Frame.of(plan.size, plan.rate, self.output, colour.result()),
            looks=self.looks,
            captions=self.subtitles(self.parts, plan.size) if self.subtitles else None,
            fonts=self.fonts,
            scratch=self.scratch,
            threads=cores(),  # for each, since the last ones have the machine to themselves
        )
        made = dict(
            zip(
                encoded,
                self.pool.map(lambda place: transcode.encode(bench, place), encoded),
                strict=True,
            )
        )
        return [
            made[place] if place in made else _movie(shot.facts)
            for place, shot in enumerate(plan.shots)
        ]

    def _mp4(self, plan: MergePlan, pieces: list[Movie], name: str) -> tuple[Path, str]:
        path, times = self.scratch / f"{name}.mp4", concat.starts(pieces)
        if self.mixdown.can_be_copied(plan):
            try:
                with track.kept(plan, self.scratch, times, self.pool) as (row, check):
                    checked = self.pool.submit(check)  # while the file is written
                    digest = self._written(plan, pieces, row, path)
                    checked.result()
                    return path, digest
            except NotConcatenable:
                pass  # Then it is encoded: the same sound, only slower.
        sound = None
        if self.mixdown.is_heard(plan):
            sound = track.encode(self.mixdown.samples(plan), self.scratch, times)
        return path, self._written(plan, pieces, sound, path)

    def _written(
        self, plan: MergePlan, pieces: list[Movie], row: AudioRow | None, path: Path
    ) -> str:
        """Write and verify the file; return its SHA-256."""
        made = _spliced(pieces, row)
        return writer.write(made, path, lambda: verify.mp4(path, plan, pieces, made))

    def _webm(self, plan: MergePlan, pieces: list[Movie], name: str) -> tuple[Path, str]:
        """Join the pictures, and put them into a WebM together with the sound."""
        pictures, path = self.scratch / f"{name}.pictures.mp4", self.scratch / f"{name}.webm"
        writer.write(_spliced(pieces, None), pictures)
        arguments, has_sound = ["-f", "mov", "-i", str(pictures)], self.mixdown.is_heard(plan)
        if has_sound:
            form = ("-f", "s16le", "-ar", str(decode.RATE), "-channel_layout", "stereo")
            arguments += [*form, "-i", str(self.mixdown.samples(plan))]
            arguments += ["-map", "0:v", "-map", "1:a", "-c:a", "libopus", "-b:a", str(_OPUS_BITS)]
        ffmpeg.run(
            [*arguments, "-c:v", "copy", "-cues_to_front", "1", "-f", "webm", "-y", str(path)],
            timeout=_MUX_SECONDS,
        )
        pictures.unlink()
        verify.webm(path, plan, has_sound=has_sound)
        with path.open("rb") as file:
            return path, hashlib.file_digest(file, "sha256").hexdigest()


def _spliced(pieces: list[Movie], row: AudioRow | None) -> concat.Concatenation:
    try:
        return concat.concatenate(pieces, row)
    except NotConcatenable as unreadable:
        raise MediaError(
            f"The scenes do not go together in one track: one of them {unreadable}.",
            code="merge.encoding",
        ) from unreadable


def _movie(facts: ClipProbe) -> Movie:
    assert facts.movie is not None, "only a clip with an index of its own is copied"
    return facts.movie


def _appearance(facts: ClipProbe) -> ffmpeg.Look:
    return (
        ffmpeg.look(still_image.source(facts.path))
        if facts.is_still
        else ffmpeg.look_at(facts.path)
    )


def _colour(plan: MergePlan) -> filters.Colour:
    """Return the colours to encode in: those of the clips that are copied, or the usual ones."""
    copied = next((shot.facts for shot in plan.shots if shot.copied), None)
    return filters.Colour.of(_appearance(copied)) if copied else filters.HIGH_DEFINITION
