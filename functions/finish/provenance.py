"""The record of how a video was made, stored beside it. Touches nothing."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from common.database.scenes import Clip, Frame
from common.database.videos import Final, Video
from common.providers import models


def manifest(
    video: Video,
    final: Final,
    frames: Mapping[int, Frame],
    clips: Mapping[int, Clip],
    spent: Decimal,
) -> dict[str, Any]:
    """Return plain JSON values: models with their labels, texts, costs, and the file's digest.

    Pictures and clips come by scene; there is one of each for every scene of the cut.
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
                "cost_usd": str(frame.cost_usd + clip.cost_usd),
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
        },
        "cost_usd": str(spent),
    }
