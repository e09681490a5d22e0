"""Changes of prompts in a resume: checked against finished and paid steps, then stored.

An unfinished step keeps its key in the ledger, so a call of unknown outcome is never repeated under
another key. A finished one is invalidated, and a new version is made.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from common.database import Cursor, attempts, budget, narrations, scenes, versions, videos
from common.database.attempts import Step
from common.database.budget import PaidStep
from common.database.scenes import Clip, SceneImage, StepKind
from common.database.videos import VideoRecord
from common.domain.errors import Conflict, InvalidInput
from common.domain.styles import mood, style
from common.domain.video import RunScope, RunTarget
from common.providers import prompts
from common.schemas.requests import ResumeVideoRequest, SceneChange

_FIELDS = {
    RunScope.ALL: {"prompt", "motion_prompt", "narration"},
    RunScope.IMAGE: {"prompt"},
    RunScope.CLIP: {"motion_prompt"},
    RunScope.VIDEO: {"motion_prompt"},
}


def apply(
    cursor: Cursor, video: VideoRecord, terms: ResumeVideoRequest, work: RunTarget, *, again: bool
) -> RunTarget:
    """Store the changes and return the run's target with the new versions.

    `again` is true if the video's policy allows to repeat calls of unknown outcome. Raises
    InvalidInput for what cannot be changed in this video, and Conflict (`scene.in_progress`,
    `scene.in_doubt`) for steps that a provider may be working on.
    """
    if terms.prompt is not None:
        check_prompt(cursor, video, work, again=again)
    paid = budget.paid_steps(cursor, video.session_id)
    return _Changes(cursor, video, work, again, paid).apply(terms.scenes)


def check_prompt(cursor: Cursor, video: VideoRecord, work: RunTarget, *, again: bool) -> None:
    """Raise if a new prompt of the video would have no effect; errors are those of `apply`."""
    if videos.has_story(cursor, video.session_id) or work.scope not in (
        RunScope.ALL,
        RunScope.STORY,
    ):
        raise InvalidInput(
            "The story is written, so the prompt has no effect. Change the scenes instead "
            "(`scenes`).",
            field="prompt",
        )
    paid = budget.paid_steps(cursor, video.session_id)
    _Changes(cursor, video, work, again, paid).require_settled("story", 0, 1, "prompt")


@dataclass(frozen=True, slots=True)
class _Changes:
    """The changes of one resume."""

    cursor: Cursor
    video: VideoRecord
    work: RunTarget
    again: bool
    paid: Mapping[PaidStep, tuple[str, object]]
    versions: dict[int, int] = field(default_factory=dict)

    def apply(self, changes: dict[str, SceneChange]) -> RunTarget:
        """Change the scenes and return the run's target."""
        scene_numbers = self._scenes()
        for name, change in changes.items():
            scene = int(name)
            if scene not in scene_numbers:
                raise InvalidInput(
                    f"This resume does not include scene {scene}.",
                    field=f"scenes.{name}",
                    allowed=[str(number) for number in scene_numbers],
                )
            fields = {key for key, value in change.model_dump().items() if value is not None}
            if unsupported := sorted(fields - _FIELDS[self.work.scope]):
                raise InvalidInput(
                    f"This resume cannot change {unsupported[0]} of scene {scene}.",
                    field=f"scenes.{name}.{unsupported[0]}",
                    allowed=sorted(_FIELDS[self.work.scope]),
                )
            self._change(scene, change)
        return replace(self.work, versions={**self.work.versions, **self.versions})

    def _scenes(self) -> list[int]:
        if self.work.scope is RunScope.ALL:
            frames = scenes.images(self.cursor, self.video.session_id)
            return [frame.frame_number for frame in frames]
        return sorted(self.work.versions) if self.work.scope in _FIELDS else []

    def _change(self, scene: int, change: SceneChange) -> None:
        field_name = f"scenes.{scene}"
        if change.narration is not None:
            self._change_narration(scene, change.narration, f"{field_name}.narration")
        new_image = change.prompt is not None and self._change_image(
            scene, change.prompt, field_name
        )
        if self.work.scope is not RunScope.IMAGE and (
            new_image or change.motion_prompt is not None
        ):
            self._change_clip(scene, change.motion_prompt, field_name, new_image=new_image)

    def _change_image(self, scene: int, text: str, field_name: str) -> bool:
        """Change the prompt of the scene's image; return False if the prompt is the same."""
        frame = self._frame(scene)
        look = style(frame.style or self.video.style)
        feeling = mood(frame.mood or self.video.mood)
        prompt = prompts.single_image(text, look, feeling)
        if frame.prompt in (text, prompt):
            return False
        if frame.status != "succeeded":
            self.require_settled("image", scene, frame.version, f"{field_name}.prompt")
            scenes.set_prompt(
                self.cursor, "image", self.video.session_id, scene, frame.version, prompt
            )
            return True
        scenes.invalidate(self.cursor, "image", self.video.session_id, scene)
        version = versions.add_image(
            self.cursor,
            self.video.session_id,
            scene,
            prompt=prompt,
            timestamp=frame.timestamp,
            style=look.name,
            mood=feeling.name,
        )
        if frame.reference_key:
            versions.add_reference(
                self.cursor, self.video.session_id, scene, version, frame.reference_key
            )
        self._target_version("image", scene, version)
        return True

    def _change_clip(
        self, scene: int, text: str | None, field_name: str, *, new_image: bool
    ) -> None:
        """Change the motion prompt of the scene's clip, or make the clip again from a new image."""
        clip = self._clip(scene)
        current = clip.optimized_prompt or self._frame(scene).motion_prompt
        prompt = current if text is None else text
        if prompt == current and not new_image:
            return
        session_id = self.video.session_id
        if clip.status != "succeeded":
            changed = "prompt" if text is None else "motion_prompt"
            self.require_settled("clip", scene, clip.version, f"{field_name}.{changed}")
            scenes.set_prompt(self.cursor, "clip", session_id, scene, clip.version, prompt)
            attempts.mark_replaced(self.cursor, Step(session_id, "clip", scene, clip.version))
        else:
            scenes.invalidate(self.cursor, "clip", session_id, scene)
            version = versions.add_clip(
                self.cursor,
                session_id,
                scene,
                prompt=prompt,
                ratio=clip.ratio,
                clip_seconds=clip.clip_seconds,
            )
            self._target_version("clip", scene, version)
        scenes.set_motion(self.cursor, session_id, scene, prompt)

    def _change_narration(self, scene: int, text: str, field_name: str) -> None:
        narration = narrations.of_video(self.cursor, self.video.session_id).get(scene)
        if narration is None:
            raise InvalidInput(f"Scene {scene} has no narration.", field=field_name)
        if narration.status == "succeeded":
            if narration.text != text:
                raise InvalidInput(
                    f"The narration of scene {scene} is finished and cannot be changed.",
                    field=field_name,
                )
            return
        self.require_settled("speech", scene, 1, field_name)
        narrations.set_text(self.cursor, self.video.session_id, scene, text)

    def _frame(self, scene: int) -> SceneImage:
        version = self._version("image", scene)
        return scenes.image(self.cursor, self.video.session_id, scene, version)

    def _clip(self, scene: int) -> Clip:
        version = self._version("clip", scene)
        return scenes.clip(self.cursor, self.video.session_id, scene, version)

    def _version(self, kind: StepKind, scene: int) -> int | None:
        if self.work.scope is not RunScope.ALL and kind == self._target_kind:
            return self.work.versions[scene]
        return scenes.current_version(self.cursor, kind, self.video.session_id, scene)

    def _target_version(self, kind: StepKind, scene: int, version: int) -> None:
        """Add the version to the target of a run of one stage.

        A run of the whole video needs no versions: it makes whatever is unfinished.
        """
        if self.work.scope is not RunScope.ALL and kind == self._target_kind:
            self.versions[scene] = version

    @property
    def _target_kind(self) -> StepKind:
        return "image" if self.work.scope is RunScope.IMAGE else "clip"

    def require_settled(self, kind: str, scene: int, version: int, field_name: str) -> None:
        """Raise Conflict while a paid call for the step may still return a result."""
        state, _ = self.paid.get((kind, scene, version), (None, None))
        of_scene = f" of scene {scene}" if scene else ""
        if state in budget.ACCEPTED_STATES:
            raise Conflict(
                f"The provider is making the {kind}{of_scene}, which is paid for. Resume without "
                "this change to use its result. Nothing was stored.",
                code="scene.in_progress",
                field=field_name,
            )
        if state in budget.UNKNOWN_STATES and not self.again:
            raise Conflict(
                f"The last call for the {kind}{of_scene} may have been charged. Resume without "
                "this change, or with on_unknown = resubmit_once, which may be charged twice. "
                "Nothing was stored.",
                code="scene.in_doubt",
                field=field_name,
            )
