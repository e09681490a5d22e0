"""Media keys in the strings by which clients name an image."""

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
def test_media_key_is_found_in_keys_and_links(text: str) -> None:
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
def test_media_key_is_not_found_in_foreign_urls_and_keys(text: str) -> None:
    assert media_key_in(text, "media") is None
