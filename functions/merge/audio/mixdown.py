"""The sound of one run: mixed once for all its files, and brought to one loudness."""

from concurrent.futures import Executor
from dataclasses import dataclass, field
from pathlib import Path

from common.domain.output import Loudness
from merge.audio import decode, loudness
from merge.models import Parts, Soundtrack
from merge.timeline import MergePlan, SoundPlan


@dataclass(frozen=True, slots=True)
class Mixdown:
    """Mixes the clips' sound, or lets `soundtrack` do it. All shapes of a video have the same."""

    wanted: Loudness
    parts: Parts
    soundtrack: Soundtrack | None
    scratch: Path
    pool: Executor
    # Of the sound before and after it was brought to one loudness.
    levels: dict[str, loudness.Loudness] = field(default_factory=dict)

    def is_heard(self, plan: MergePlan) -> bool:
        """Say whether there is any sound."""
        return self.soundtrack is not None or plan.sound is not SoundPlan.NONE

    def can_be_copied(self, plan: MergePlan) -> bool:
        """Say whether the clips' own sound is copied, rather than brought to another loudness."""
        if plan.sound is not SoundPlan.KEPT or self.soundtrack is not None:
            return False
        return self.wanted is not Loudness.NORMALIZED or self._measured(plan).is_right

    def samples(self, plan: MergePlan) -> Path:
        """Return the sound of the video: 48 kHz, stereo, 16 bits, little-endian."""
        if self.wanted is Loudness.ORIGINAL:
            return self._mixed(plan)
        target = self.scratch / "normalized.pcm"
        if not target.exists():
            found = self._measured(plan)
            mixed = self._mixed(plan)
            self.levels["video"] = loudness.normalize(mixed, found, target)
            mixed.unlink()
        return target

    @property
    def warnings(self) -> tuple[str, ...]:
        """What the owner of the video is told."""
        found = self.levels.get("video", self.levels.get("mix"))
        return (found.warning,) if found and found.warning else ()

    def _measured(self, plan: MergePlan) -> loudness.Loudness:
        if "mix" not in self.levels:
            self.levels["mix"] = loudness.measure(loudness.opened(self._mixed(plan)))
        return self.levels["mix"]

    def _mixed(self, plan: MergePlan) -> Path:
        """Return the sound as it comes."""
        mixed = self.scratch / "sound.pcm"
        if mixed.exists():
            return mixed
        if self.soundtrack is None:
            return decode.lay_out(plan, mixed, self.pool)
        own = self.scratch / "clips.pcm"
        heard = plan.sound is not SoundPlan.NONE
        clips = decode.lay_out(plan, own, self.pool) if heard else None
        sound = self.soundtrack(self.parts, float(plan.seconds), clips).rename(mixed)
        own.unlink(missing_ok=True)
        return sound
