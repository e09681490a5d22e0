"""Estimates compared with the vendors' charge books: at least the charge, and at most 5 % above it.

Each video is generated with the stand-ins step by step, with the product's real prompts. Run with
-s for the table.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from decimal import Decimal

import pytest

from common.domain.models import ModelSelection, find
from common.domain.styles import mood, style
from common.domain.video import RATIOS
from common.providers import (
    ImageRequest,
    SpeechRequest,
    image_provider,
    speech_provider,
    text_provider,
    video_provider,
)
from tests.stand_ins import openai, runway
from tests.stand_ins.process import StandIn
from tests.support import vendors
from tests.support.vendors import VendorSession


@dataclass(frozen=True)
class Video:
    """The parameters of a video."""

    scenes: int
    seconds: int
    ratio: str = "1280:720"
    text: str = "gpt-6-luna"
    image: str = "gpt-image-2.5-sunburst"
    video: str = "gen4_turbo"
    speech: str | None = None
    reference: bool = False
    prompt: str = "A lighthouse keeper's cat learns to sail and comes home under the first stars"

    def __str__(self) -> str:
        """Name the video in the table and in the test's id."""
        models = [self.text, self.image, self.video, *([self.speech] if self.speech else [])]
        extra = ("+reference" if self.reference else "") + f" prompt:{len(self.prompt)}"
        return f"{self.scenes}x{self.seconds}s {self.ratio} {'+'.join(models)}{extra}"

    def selection(self) -> ModelSelection:
        """Return the selected models."""
        return ModelSelection(
            find("text", "openai", self.text),
            find("image", "openai", self.image),
            find("video", "runway", self.video),
            find("speech", "openai", self.speech) if self.speech else None,
        )

    def estimate(self) -> Decimal:
        """Return the product's estimate."""
        return self.selection().estimate_usd(
            scenes=self.scenes, seconds=self.seconds, ratio=self.ratio, reference=self.reference
        )


@pytest.fixture(scope="module")
def stand_ins(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[StandIn, StandIn]]:
    root = tmp_path_factory.mktemp("vendors")
    with (
        openai.serve(root / "openai") as text_vendor,
        runway.serve(root / "runway") as video_vendor,
    ):
        yield text_vendor, video_vendor


def charge(video: Video, stand_ins: tuple[StandIn, StandIn]) -> Decimal:
    """Make every paid call of the video; return what the vendors charged."""
    sessions = [VendorSession(stand_in) for stand_in in stand_ins]
    context = vendors.context(openai=stand_ins[0], runway=stand_ins[1])
    request = replace(
        vendors.story_request(video.scenes, model=video.text, prompt=video.prompt),
        seconds=video.seconds,
        style=style("Cinematic"),
        narrated=video.speech is not None,
    )
    story = text_provider("openai", context).write_story(request).story
    painter, animator = image_provider("openai", context), video_provider("runway", context)
    anchor = None
    for scene in story.scenes:
        image_request = ImageRequest(
            prompt=scene.image_prompt,
            size=RATIOS[video.ratio],
            scene=scene.number,
            scenes=video.scenes,
            style=request.style,
            mood=request.mood,
            model=video.image,
            seed=1,
            reference=vendors.sample_image("832:1104") if video.reference else None,
            anchor=anchor,
        )
        image = painter.generate_image(image_request).picture
        anchor = anchor or image
        clip_request = vendors.clip_request(
            ratio=video.ratio,
            seconds=video.seconds,
            model=video.video,
            image=image,
            prompt=scene.motion_prompt,
            token=vendors.fresh_token(),
        )
        animator.submit(clip_request)
        if video.speech:
            speech_request = SpeechRequest(
                scene.narration or "", video.seconds, mood("Calm"), video.speech
            )
            speech_provider("openai", context).synthesize(speech_request)
    return sessions[0].spent() + sessions[1].spent() / 100


LONG = "A long tale of the sea. " * 80
VIDEOS = [
    Video(1, 5),
    Video(3, 5),
    Video(6, 2),
    Video(12, 2),
    Video(6, 10),
    Video(6, 2, reference=True),
    Video(3, 5, reference=True),
    *(Video(6, 2, ratio) for ratio in ("720:1280", "960:960", "1584:672", "832:1104")),
    Video(6, 5, video="gen4.5"),
    Video(6, 4, video="veo3.1_fast"),
    Video(6, 5, text="gpt-6-astra", image="gpt-image-2"),
    Video(6, 5, text="gpt-6.1-sol", image="gpt-image-2.5-flare"),
    Video(3, 5, text="gpt-5.4-nano"),
    Video(3, 5, speech="gpt-audio-1.5"),
    Video(6, 2, speech="gpt-audio-1.5"),
    Video(3, 5, speech="gpt-4o-mini-tts"),
    Video(3, 5, prompt="x"),
    Video(3, 5, prompt=LONG),
]


# The model decides how many tokens it uses. With the most expensive text model the story is a tenth
# of such a video's cost, and its estimate has to cover the longest usual story.
EXPENSIVE_TEXT = "gpt-6-astra"


@pytest.mark.parametrize("video", VIDEOS, ids=str)
def test_estimate_covers_the_charge_and_is_close_to_it(
    video: Video, stand_ins: tuple[StandIn, StandIn]
) -> None:
    charged, expected = charge(video, stand_ins), video.estimate()
    surplus = expected / charged - 1
    print(f"{expected:8.4f} {charged:8.4f} {surplus * 100:+6.1f} %  {video}")
    assert 0 <= surplus <= (Decimal("0.10") if video.text == EXPENSIVE_TEXT else Decimal("0.05"))
