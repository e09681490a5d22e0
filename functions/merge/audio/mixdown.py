"""The audio of a merge: mixed once for the video and its renditions, and loudness-normalized."""

from concurrent.futures import Executor
from dataclasses import dataclass, field
from pathlib import Path

from common.domain.output import Loudness
from merge.audio import decode, loudness
from merge.models import MergedScenes, Soundtrack
from merge.timeline import AudioTreatment, MergePlan


@dataclass(frozen=True, slots=True)
class Mixdown:
    """The mix of the clips' audio, or of `soundtrack` if given. Renditions share it."""

    target_loudness: Loudness
    scenes: MergedScenes
    soundtrack: Soundtrack | None
    scratch: Path
    pool: Executor
    # Before ("mix") and after ("video") normalization.
    levels: dict[str, loudness.Loudness] = field(default_factory=dict)

    def has_audio(self, plan: MergePlan) -> bool:
        """Return whether the video has audio."""
        return self.soundtrack is not None or plan.sound is not AudioTreatment.NONE

    def can_be_copied(self, plan: MergePlan) -> bool:
        """Return whether the audio can be stream-copied: one format, no change of loudness."""
        if plan.sound is not AudioTreatment.KEPT or self.soundtrack is not None:
            return False
        return (
            self.target_loudness is not Loudness.NORMALIZED
            or self._measure_mix(plan).is_within_target
        )

    def pcm_file(self, plan: MergePlan) -> Path:
        """Return the audio of the video as PCM: 48 kHz, stereo, 16 bits, little-endian."""
        if self.target_loudness is Loudness.ORIGINAL:
            return self._mix(plan)
        target = self.scratch / "normalized.pcm"
        if not target.exists():
            measured = self._measure_mix(plan)
            mix_path = self._mix(plan)
            self.levels["video"] = loudness.normalize(mix_path, measured, target)
            mix_path.unlink()
        return target

    @property
    def warnings(self) -> tuple[str, ...]:
        """Warnings for the owner of the video."""
        measured = self.levels.get("video", self.levels.get("mix"))
        return (measured.warning,) if measured and measured.warning else ()

    def _measure_mix(self, plan: MergePlan) -> loudness.Loudness:
        if "mix" not in self.levels:
            self.levels["mix"] = loudness.measure(loudness.pcm_input(self._mix(plan)))
        return self.levels["mix"]

    def _mix(self, plan: MergePlan) -> Path:
        """Return the mix before normalization."""
        mix_path = self.scratch / "sound.pcm"
        if mix_path.exists():
            return mix_path
        if self.soundtrack is None:
            return decode.lay_out(plan, mix_path, self.pool)
        clips_path = self.scratch / "clips.pcm"
        has_clip_audio = plan.sound is not AudioTreatment.NONE
        clips = decode.lay_out(plan, clips_path, self.pool) if has_clip_audio else None
        mix_file = self.soundtrack(self.scenes, float(plan.seconds), clips).rename(mix_path)
        clips_path.unlink(missing_ok=True)
        return mix_file
