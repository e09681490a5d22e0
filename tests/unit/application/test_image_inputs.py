"""Which of the many ways to name a picture lead to an object of one's own."""

import pytest

from common.application.image_inputs import media_key_in

KEY = "alice/vid_01/reference-frames/generated_frame_1_1.png"


@pytest.mark.parametrize(
    "text",
    [
        KEY,
        f"https://api.example.com/live/api/proxy_s3_image/{KEY}?t=abc",
        f"https://media.s3.eu-central-1.amazonaws.com/{KEY}?X-Amz-Signature=abc",
        f"http://127.0.0.1:4566/media/{KEY}?X-Amz-Signature=abc",
        f"https://media.s3.amazonaws.com/{KEY.replace('/', '%2F')}?X-Amz-Signature=abc",
    ],
)
def test_a_key_and_every_link_to_it_name_the_same(text: str) -> None:
    assert media_key_in(text, "media") == KEY


@pytest.mark.parametrize(
    "text",
    [
        "https://example.com/cat.png",
        "https://example.com/a/b/c/cat.png",
        "data:image/png;base64,iVBORw0KGgo=",
        "iVBORw0KGgoAAAANSUhEUgAA",
        f"https://elsewhere.example/{KEY}",
        f"https://media.example.com/{KEY}",
        "alice/vid_01/receipts/att_1.json",
        "alice/vid_01/reference-frames/../../bob/x.png",
        "alice/../reference-frames/x.png",
        "inbox/alice/cat.png",
    ],
)
def test_everything_else_names_none(text: str) -> None:
    assert media_key_in(text, "media") is None
