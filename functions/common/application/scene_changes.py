"""Changes of prompts that a resume brings: checked against what is there, then stored.

A step that is not finished keeps its identity in the ledger, so a call of unknown outcome is never
made again under another name. A finished one is invalidated, and a new version is made.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from common.database import Cursor, attempts, budget, narrations, scenes, versions, videos
from common.database.attempts import Step
from common.database.budget import PaidStep
from common.database.scenes import Clip, Frame, StepKind
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
    """Store the changes; return what the run makes with them.

    `again`: calls of unknown outcome are made once more, by the video's policy. Raises
    InvalidInput for what cannot be changed in this video, and Conflict for what a provider may be
    working on.
    """
    if terms.prompt is not None:
        check_prompt(cursor, video, work, again=again)
    paid = budget.paid_steps(cursor, video.session_id)
    return _Changes(cursor, video, work, again, paid).apply(terms.scenes)


def check_prompt(cursor: Cursor, video: VideoRecord, work: RunTarget, *, again: bool) -> None:
    """Raise unless another prompt of the video still has an effect. Errors are those of `apply`."""
    if videos.has_story(cursor, video.session_id) or work.scope not in (
        RunScope.ALL,
        RunScope.STORY,
    ):
        raise InvalidInput(
            "The prompt is not used any more. Change the scenes instead (`scenes`).",
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

    def apply(self, wishes: dict[str, SceneChange]) -> RunTarget:
        """Change the scenes; return the run's work."""
        known = self._known()
        for name, change in wishes.items():
            scene = int(name)
            if scene not in known:
                raise InvalidInput(
                    f"This resume makes no scene {scene}.",
                    field=f"scenes.{name}",
                    allowed=[str(number) for number in known],
                )
            named = {key for key, value in change.model_dump().items() if value is not None}
            if surplus := sorted(named - _FIELDS[self.work.scope]):
                raise InvalidInput(
                    f"This resume does not make that of scene {scene}.",
                    field=f"scenes.{name}.{surplus[0]}",
                    allowed=sorted(_FIELDS[self.work.scope]),
                )
            self._change(scene, change)
        return replace(self.work, versions={**self.work.versions, **self.versions})

    def _known(self) -> list[int]:
        if self.work.scope is RunScope.ALL:
            frames = scenes.frames(self.cursor, self.video.session_id)
            return [frame.frame_number for frame in frames]
        return sorted(self.work.versions) if self.work.scope in _FIELDS else []

    def _change(self, scene: int, change: SceneChange) -> None:
        field_name = f"scenes.{scene}"
        if change.narration is not None:
            self._speak(scene, change.narration, f"{field_name}.narration")
        redraw = change.prompt is not None and self._redraw(scene, change.prompt, field_name)
        if self.work.scope is not RunScope.IMAGE and (redraw or change.motion_prompt is not None):
            self._animate(scene, change.motion_prompt, field_name, redraw=redraw)

    def _redraw(self, scene: int, text: str, field_name: str) -> bool:
        """Change the prompt of the scene's picture; False if it is the same."""
        frame = self._frame(scene)
        look = style(frame.style or self.video.style)
        feeling = mood(frame.mood or self.video.mood)
        prompt = prompts.frame(text, look, feeling)
        if frame.prompt in (text, prompt):
            return False
        if frame.status != "succeeded":
            self.require_settled("image", scene, frame.version, f"{field_name}.prompt")
            scenes.set_prompt(
                self.cursor, "image", self.video.session_id, scene, frame.version, prompt
            )
            return True
        scenes.invalidate(self.cursor, "image", self.video.session_id, scene)
        version = versions.add_frame(
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
        self._use("image", scene, version)
        return True

    def _animate(self, scene: int, text: str | None, field_name: str, *, redraw: bool) -> None:
        """Change what moves in the scene's clip, or make it anew of another picture."""
        clip = self._clip(scene)
        shown = clip.optimized_prompt or self._frame(scene).motion_prompt
        prompt = shown if text is None else text
        if prompt == shown and not redraw:
            return
        session_id = self.video.session_id
        if clip.status != "succeeded":
            named = "prompt" if text is None else "motion_prompt"
            self.require_settled("clip", scene, clip.version, f"{field_name}.{named}")
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
            self._use("clip", scene, version)
        scenes.set_motion(self.cursor, session_id, scene, prompt)

    def _speak(self, scene: int, text: str, field_name: str) -> None:
        narration = narrations.of_video(self.cursor, self.video.session_id).get(scene)
        if narration is None:
            raise InvalidInput(f"Nobody speaks in scene {scene}.", field=field_name)
        if narration.status == "succeeded":
            if narration.text != text:
                raise InvalidInput(
                    f"The narration of scene {scene} is spoken already.", field=field_name
                )
            return
        self.require_settled("speech", scene, 1, field_name)
        narrations.set_text(self.cursor, self.video.session_id, scene, text)

    def _frame(self, scene: int) -> Frame:
        version = self._version("image", scene)
        return scenes.frame(self.cursor, self.video.session_id, scene, version)

    def _clip(self, scene: int) -> Clip:
        version = self._version("clip", scene)
        return scenes.clip(self.cursor, self.video.session_id, scene, version)

    def _version(self, kind: StepKind, scene: int) -> int | None:
        if self.work.scope is not RunScope.ALL and kind == self._own_kind:
            return self.work.versions[scene]
        return scenes.current_version(self.cursor, kind, self.video.session_id, scene)

    def _use(self, kind: StepKind, scene: int, version: int) -> None:
        """Let a run of one part make that version; the whole makes what is not finished."""
        if self.work.scope is not RunScope.ALL and kind == self._own_kind:
            self.versions[scene] = version

    @property
    def _own_kind(self) -> StepKind:
        return "image" if self.work.scope is RunScope.IMAGE else "clip"

    def require_settled(self, kind: str, scene: int, version: int, field_name: str) -> None:
        """Raise Conflict while a call for the step may bring a result that is paid for."""
        state, _ = self.paid.get((kind, scene, version), (None, None))
        of_scene = f" of scene {scene}" if scene else ""
        if state in budget.BOUGHT:
            raise Conflict(
                f"The {kind}{of_scene} is being made by its provider, and is paid for. Resume "
                "without this change: it is collected. Nothing was stored.",
                code="scene.in_progress",
                field=field_name,
            )
        if state in budget.IN_DOUBT and not self.again:
            raise Conflict(
                f"The last call for the {kind}{of_scene} may have been charged. Resume without "
                "this change, or with on_unknown = resubmit_once, which may be charged twice. "
                "Nothing was stored.",
                code="scene.in_doubt",
                field=field_name,
            )
