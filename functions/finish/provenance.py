"""The provenance manifest of a video: models, prompts, keys, costs and digest. Pure functions."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from common.database.attempts import Charges
from common.database.narrations import Narration
from common.database.scenes import Clip, SceneImage
from common.database.videos import FinalVideo, Video
from common.domain import models
from common.domain.models import Model


def manifest(
    video: Video,
    final: FinalVideo,
    frames: Mapping[int, SceneImage],
    clips: Mapping[int, Clip],
    narrations: Mapping[int, Narration],
    cost: Charges,
) -> dict[str, Any]:
    """Return the manifest as a JSON object.

    `frames`, `clips` and `narrations` are by scene; every scene of the merged video has a frame and
    a clip.
    """
    return {
        "video_id": video.session_id,
        "title": video.story_title,
        "prompt": video.original_prompt,
        "style": video.style,
        "mood": video.mood,
        "ratio": video.ratio,
        "seed": video.seed,
        "models": {
            kind: {"provider": model.provider, "model": model.model, "label": model.label}
            for kind, model in (
                ("text", models.find("text", video.text_provider, video.text_model)),
                ("image", models.find("image", video.image_provider, video.image_model)),
                ("video", models.find("video", video.video_provider, video.video_model)),
                *_voice(video),
            )
        },
        "scenes": [
            {
                "scene": scene,
                "timestamp": frame.timestamp,
                "description": frame.description,
                "image_prompt": frame.prompt,
                "motion_prompt": clip.optimized_prompt or frame.motion_prompt,
                "image_key": frame.image_key,
                "clip_key": clip.video_key,
                "narration": narrations[scene].text if scene in narrations else None,
                "narration_key": narrations[scene].audio_key if scene in narrations else None,
                "cost_usd": str(
                    frame.cost_usd
                    + clip.cost_usd
                    + (narrations[scene].cost_usd if scene in narrations else Decimal(0))
                ),
            }
            for scene, frame, clip in (
                (scene, frames[scene], clips[scene]) for scene in range(1, final.total_clips + 1)
            )
        ],
        "output": {
            "key": final.video_key,
            "frames": final.frames,
            "seconds": final.duration,
            "size_bytes": final.size_bytes,
            "sha256": final.sha256,
            "wished": video.output,
            "files": final.files,
            "scenes": final.parts,
            "warnings": final.warnings,
        },
        "cost_usd": str(cost.charged_usd),
        "cost_at_most_usd": str(cost.at_most_usd),
    }


def _voice(video: Video) -> tuple[tuple[str, Model], ...]:
    if video.speech_provider is None:
        return ()
    return (("speech", models.find("speech", video.speech_provider, video.speech_model)),)
