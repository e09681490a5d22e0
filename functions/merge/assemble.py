"""Merge clips into one video: probe, plan, encode, concatenate, verify. Local files only."""

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
from common.media.mp4.audio_track import AudioTrackPlan
from common.media.mp4.boxes import NotConcatenable
from common.media.mp4.movie import Movie
from merge import filters, probe, still_image, timeline, transcode, verify, warnings
from merge.audio import decode, track
from merge.audio.mixdown import Mixdown
from merge.models import (
    Clip,
    MergedScene,
    MergedScenes,
    MergedVideo,
    Rendition,
    SceneTreatment,
    Soundtrack,
    Subtitles,
)
from merge.timeline import ClipProbe, MergePlan

_MUX_SECONDS = 300
_OPUS_BITS_PER_SECOND = 128_000
# Error codes of clips that turn out not to fit into one track; the merge then encodes all.
_INCOMPATIBLE_CODES = {"merge.encoding", "merge.index", "merge.incomplete", "merge.time_stamps"}


@dataclass(frozen=True, slots=True)
class _BrokenClip:
    """A clip that cannot be read, and its treatment."""

    scene: int
    treatment: SceneTreatment
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
    """Merge the clips, by scene number, into one video in the folder `scratch`.

    Clips of the same format are stream-copied and the others encoded to match; if the result does
    not verify, all clips are encoded. Captions are burned in if `output` requests it and
    `subtitles` is given. A `soundtrack` replaces the clips' audio. Raises MediaError, with the
    number of the scene, if a clip is broken and `output.on_broken` is FAIL; nothing is merged then.
    """
    output = replace(output, captions_burned=output.captions_burned and subtitles is not None)
    burned_subtitles = subtitles if output.captions_burned else None
    with ThreadPoolExecutor(cores()) as pool:
        probes, broken = _probe_clips(clips, output, scratch, pool)
        folder = scratch
        while True:
            try:
                job = _MergeJob(probes, broken, output, burned_subtitles, fonts_dir, soundtrack)
                return _merge(job, folder, pool)
            except transcode.SceneFailed as error:
                if error.error_code != "merge.encoding" or output.on_broken is OnBroken.FAIL:
                    raise
                probes, broken = _replace_failed_scene(
                    error, clips, probes, broken, output.on_broken
                )
                logger.warning("A scene cannot be encoded", extra={"detail": error.detail})
                folder = scratch / f"without_{error.scene:03d}"
            folder.mkdir()


@dataclass(frozen=True, slots=True)
class _MergeJob:
    """The arguments of `merge_clips` after probing every clip."""

    probes: list[ClipProbe]
    broken: list[_BrokenClip]
    output: Output
    subtitles: Subtitles | None
    fonts: Path | None
    soundtrack: Soundtrack | None


def _merge(job: _MergeJob, folder: Path, pool: Executor) -> MergedVideo:
    """Stream-copy matching clips; if they turn out not to fit together, encode all of them."""

    def render(plan: MergePlan, folder: Path) -> MergedVideo:
        scenes = _merged_scenes(plan, job.broken)
        mixdown = Mixdown(job.output.loudness, scenes, job.soundtrack, folder, pool)
        renderer = _Renderer(job.output, scenes, job.subtitles, job.fonts, folder, pool, mixdown)
        return _render_all(renderer, plan, job.probes)

    plan = timeline.plan_merge(job.probes, job.output)
    try:
        return render(plan, folder)
    except MediaError as error:
        is_handled_by_caller = (
            isinstance(error, transcode.SceneFailed) and job.output.on_broken is not OnBroken.FAIL
        )
        has_copies = any(segment.copied for segment in plan.segments)
        can_retry = has_copies and error.error_code in _INCOMPATIBLE_CODES
        if is_handled_by_caller or not can_retry:
            raise
        logger.warning(
            "Clips do not fit together; encoding all of them", extra={"detail": error.detail}
        )
    retry_folder = folder / "whole"
    retry_folder.mkdir()
    return render(timeline.plan_merge(job.probes, job.output, copies=False), retry_folder)


def _render_all(renderer: "_Renderer", plan: MergePlan, probes: list[ClipProbe]) -> MergedVideo:
    """Render the video and its renditions."""
    main, output = renderer.render(plan, "final"), renderer.output
    renditions = [
        renderer.render(
            timeline.plan_merge(probes, replace(output, shape=shape), rendition_of=plan),
            f"final_{number}",
        )
        for number, shape in enumerate(output.renditions, 1)
    ]
    return MergedVideo(
        path=main.path,
        frames=plan.frames,
        seconds=float(plan.seconds),
        size_bytes=main.size_bytes,
        sha256=main.sha256,
        size=plan.size,
        fps=plan.rate,
        has_sound=renderer.mixdown.has_audio(plan),
        parts=renderer.scenes,
        renditions=tuple(renditions),
        warnings=(
            *warnings.of_merge(plan, renderer.scenes, output, renderer.frame_formats),
            *renderer.mixdown.warnings,
        ),
    )


def _probe_clips(
    clips: Mapping[int, Clip], output: Output, scratch: Path, pool: Executor
) -> tuple[list[ClipProbe], list[_BrokenClip]]:
    """Probe every clip, and decide on the treatment of broken ones before anything is encoded."""

    def probe_or_error(scene: int) -> ClipProbe | MediaError:
        try:
            return probe.probe_clip(scene, clips[scene], scratch)
        except MediaError as error:
            return error

    probes, broken = [], []
    scenes = sorted(clips)
    for scene, probe_result in zip(scenes, pool.map(probe_or_error, scenes), strict=True):
        if isinstance(probe_result, ClipProbe):
            probes.append(probe_result)
            continue
        if output.on_broken is OnBroken.FAIL:
            raise _broken_clip_error(scene, probe_result)
        treatment = SceneTreatment.SKIPPED
        if output.on_broken is OnBroken.STILL:
            probes.append(_probe_still(scene, clips[scene], probe_result))
            treatment = SceneTreatment.STILL
        broken.append(_BrokenClip(scene, treatment, probe_result.detail))
    if not probes:
        raise MediaError("No clip can be read, so there is nothing to merge.", code="merge.nothing")
    return probes, broken


def _replace_failed_scene(
    error: transcode.SceneFailed,
    clips: Mapping[int, Clip],
    probes: list[ClipProbe],
    broken: list[_BrokenClip],
    on_broken: OnBroken,
) -> tuple[list[ClipProbe], list[_BrokenClip]]:
    """Return probes and broken clips after the encode of a scene failed.

    The scene is skipped or replaced by its image. Raises `error` if neither is possible.
    """
    scene = error.scene
    failed_probe = next(probe_result for probe_result in probes if probe_result.scene == scene)
    if failed_probe.is_still or (on_broken is OnBroken.SKIP and len(probes) == 1):
        raise error
    replacement = [_probe_still(scene, clips[scene], error)] if on_broken is OnBroken.STILL else []
    treatment = SceneTreatment.STILL if replacement else SceneTreatment.SKIPPED
    index = probes.index(failed_probe)
    return (
        [*probes[:index], *replacement, *probes[index + 1 :]],
        [*broken, _BrokenClip(scene, treatment, error.reason)],
    )


def _probe_still(scene: int, clip: Clip, error: MediaError) -> ClipProbe:
    if clip.still is None or clip.seconds is None:
        raise _broken_clip_error(scene, error, " It has no image that could replace it.")
    try:
        return probe.probe_still(scene, clip.still, clip.seconds)
    except MediaError as still_error:
        suffix = f" Its image cannot replace it: {still_error.detail}"
        raise _broken_clip_error(scene, error, suffix) from still_error


def _broken_clip_error(scene: int, error: MediaError, suffix: str = "") -> MediaError:
    code = "merge.broken_clip" if error.error_code == MediaError.code else error.error_code
    broken_clip = MediaError(
        f"The clip of scene {scene} is broken: {error.detail}{suffix} Nothing was merged. The "
        "other clips are kept.",
        code=code,
    )
    broken_clip.scene = scene
    return broken_clip


def _merged_scenes(plan: MergePlan, broken: list[_BrokenClip]) -> tuple[MergedScene, ...]:
    """Return every scene with its treatment, in order."""
    reasons = {clip.scene: clip.reason for clip in broken}
    scenes = [
        MergedScene(
            scene=segment.probe.scene,
            how=SceneTreatment.STILL
            if segment.probe.is_still
            else SceneTreatment.COPIED
            if segment.copied
            else SceneTreatment.ENCODED,
            reason=reasons.get(segment.probe.scene, "" if segment.copied else segment.reason),
            start=float(segment.start / plan.rate),
            seconds=float(segment.frames / plan.rate),
            frames=segment.frames,
        )
        for segment in plan.segments
    ]
    starts = {scene.scene: scene.start for scene in scenes}
    for clip in broken:
        if clip.treatment is SceneTreatment.SKIPPED:
            following = [starts[scene] for scene in starts if scene > clip.scene]
            start = min(following, default=float(plan.seconds))
            scenes.append(MergedScene(clip.scene, clip.treatment, clip.reason, start, 0.0, 0))
    return tuple(sorted(scenes, key=lambda scene: scene.scene))


@dataclass(frozen=True, slots=True)
class _Renderer:
    """A renderer of the video and its renditions."""

    output: Output
    scenes: MergedScenes
    subtitles: Subtitles | None
    fonts: Path | None
    scratch: Path
    pool: Executor
    mixdown: Mixdown
    # Of the encoded clips, by scene; cached for renditions.
    frame_formats: dict[int, ffmpeg.FrameFormat] = field(default_factory=dict)

    def render(self, plan: MergePlan, name: str) -> Rendition:
        """Render and verify one file."""
        segments = self._segments(plan)
        if self.output.format is Format.WEBM:
            path, digest = self._webm(plan, segments, name)
        else:
            path, digest = self._mp4(plan, segments, name)
        for segment in segments:
            if segment.path.name.startswith(transcode.PREFIX):
                segment.path.unlink(missing_ok=True)
        return Rendition(path, plan.size, path.stat().st_size, digest)

    def _segments(self, plan: MergePlan) -> list[Movie]:
        """Return the video of every segment: the clip itself, or its encoded version."""
        encoded = [index for index, segment in enumerate(plan.segments) if not segment.copied]
        if not encoded:
            return [_movie_of(segment.probe) for segment in plan.segments]
        scenes = {plan.segments[index].probe.scene: plan.segments[index].probe for index in encoded}
        colour = self.pool.submit(_reference_colour, plan)
        missing = {
            scene: facts for scene, facts in scenes.items() if scene not in self.frame_formats
        }
        formats = self.pool.map(_frame_format, missing.values())
        self.frame_formats.update(zip(missing, formats, strict=True))
        context = transcode.EncodeContext(
            plan=plan,
            output=self.output,
            target=filters.TargetFrame.of(plan.size, plan.rate, self.output, colour.result()),
            frame_formats=self.frame_formats,
            captions=self.subtitles(self.scenes, plan.size) if self.subtitles else None,
            fonts=self.fonts,
            scratch=self.scratch,
            threads=cores(),  # per encode; the last encodes have all cores to themselves
        )
        movies = self.pool.map(lambda index: transcode.encode(context, index), encoded)
        encoded_movies = dict(zip(encoded, movies, strict=True))
        return [
            encoded_movies[index] if index in encoded_movies else _movie_of(segment.probe)
            for index, segment in enumerate(plan.segments)
        ]

    def _mp4(self, plan: MergePlan, segments: list[Movie], name: str) -> tuple[Path, str]:
        path, times = self.scratch / f"{name}.mp4", concat.start_times(segments)
        if self.mixdown.can_be_copied(plan):
            try:
                with track.copied(plan, self.scratch, times, self.pool) as (
                    copied_audio,
                    check_joins,
                ):
                    check_future = self.pool.submit(check_joins)  # while the file is written
                    digest = self._write_mp4(plan, segments, copied_audio, path)
                    check_future.result()
                    return path, digest
            except NotConcatenable:
                pass  # Encode the audio instead: the same result, only slower.
        audio = None
        if self.mixdown.has_audio(plan):
            audio = track.encode(self.mixdown.pcm_file(plan), self.scratch, times)
        return path, self._write_mp4(plan, segments, audio, path)

    def _write_mp4(
        self, plan: MergePlan, segments: list[Movie], audio: AudioTrackPlan | None, path: Path
    ) -> str:
        """Write and verify the file; return its SHA-256."""
        concatenation = _concatenate(segments, audio)
        return writer.write(
            concatenation, path, lambda: verify.mp4(path, plan, segments, concatenation)
        )

    def _webm(self, plan: MergePlan, segments: list[Movie], name: str) -> tuple[Path, str]:
        """Concatenate the video and mux it with the audio into a WebM."""
        video_path, path = self.scratch / f"{name}.pictures.mp4", self.scratch / f"{name}.webm"
        writer.write(_concatenate(segments, None), video_path)
        arguments, has_sound = ["-f", "mov", "-i", str(video_path)], self.mixdown.has_audio(plan)
        if has_sound:
            pcm_format = ("-f", "s16le", "-ar", str(decode.RATE), "-channel_layout", "stereo")
            arguments += [*pcm_format, "-i", str(self.mixdown.pcm_file(plan))]
            arguments += ["-map", "0:v", "-map", "1:a", "-c:a", "libopus"]
            arguments += ["-b:a", str(_OPUS_BITS_PER_SECOND)]
        ffmpeg.run(
            [*arguments, "-c:v", "copy", "-cues_to_front", "1", "-f", "webm", "-y", str(path)],
            timeout=_MUX_SECONDS,
        )
        video_path.unlink()
        verify.webm(path, plan, has_sound=has_sound)
        with path.open("rb") as file:
            return path, hashlib.file_digest(file, "sha256").hexdigest()


def _concatenate(segments: list[Movie], audio: AudioTrackPlan | None) -> concat.Concatenation:
    try:
        return concat.concatenate(segments, audio)
    except NotConcatenable as error:
        raise MediaError(
            f"The scenes do not fit into one track: one of them {error}.",
            code="merge.encoding",
        ) from error


def _movie_of(probe_result: ClipProbe) -> Movie:
    assert probe_result.movie is not None, "only clips with a parsed index are stream-copied"
    return probe_result.movie


def _frame_format(probe_result: ClipProbe) -> ffmpeg.FrameFormat:
    return (
        ffmpeg.read_frame_format(still_image.source(probe_result.path))
        if probe_result.is_still
        else ffmpeg.probe_frame_format(probe_result.path)
    )


def _reference_colour(plan: MergePlan) -> filters.Colour:
    """Return the colour to encode in: that of the stream-copied clips, or else BT.709."""
    copied = next((segment.probe for segment in plan.segments if segment.copied), None)
    return filters.Colour.of(_frame_format(copied)) if copied else filters.BT709
