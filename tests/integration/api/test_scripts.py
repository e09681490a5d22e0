"""Text search and file names in non-Latin scripts and both Unicode normal forms."""

import unicodedata
from urllib.parse import quote

import pytest

from api.services.videos import _plain
from common.storage.s3 import disposition
from tests.support.gateway import Gateway

PROMPTS = {
    "zh": "一只小狐狸在雪地里看星星",
    "ja": "小さなキツネが森で星を見る",
    "ko": "작은여우가 눈밭에서 별을 본다",
    "th": "จิ้งจอกน้อยดูดาวในหิมะ",
    "hi": "एक छोटी लोमड़ी तारे देखती है",
    "ta": "ஒரு சிறிய நரி நட்சத்திரங்களைப் பார்க்கிறது",
    "ar": "ثعلب صغير ينظر إلى النجوم",
    "fr": unicodedata.normalize("NFD", "Un café à Orléans"),
    "de": "Ein Füchslein sieht Sterne",
    "wide": "ＡＩの狐ﾃﾞｽ",
}


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("狐狸", "zh"),
        ("一只", "zh"),
        ("雪地", "zh"),
        ("狐狸 星星", "zh"),
        ("星星，狐狸", "zh"),
        ("キツネ", "ja"),
        ("星", "zh ja"),
        ("여우", "ko"),
        ("여우가", "ko"),
        ("หิมะ", "th"),
        ("लोमड़ी", "hi"),
        ("நரி", "ta"),
        ("صغير", "ar"),
        ("النجوم", "ar"),
        ("café", "fr"),
        ("Orlé", "fr"),
        (unicodedata.normalize("NFD", "café"), "fr"),
        ("füchs", "de"),
        (unicodedata.normalize("NFD", "füchs"), "de"),
        ("狐デス", "wide"),
        ("狐狸 sterne", ""),
        ("熊", ""),
    ],
)
@pytest.mark.parametrize("path", ["/v1/videos"])
def test_text_search_finds_words_in_every_script(
    path: str, query: str, expected: str, gateway: Gateway
) -> None:
    for name, prompt in PROMPTS.items():
        body = {"prompt": prompt, "scenes": 1, "seconds": 2, "requestId": name}
        assert gateway.call("POST", "/v1/videos", body).status == 202
    response = gateway.call("GET", f"{path}?q={quote(query)}&limit=50")
    assert sorted(video["request_id"] for video in response.json()["data"]) == sorted(
        expected.split()
    )


@pytest.mark.parametrize(
    ("title", "name"),
    [
        ("एक छोटी लोमड़ी", unicodedata.normalize("NFC", "एक-छोटी-लोमड़ी")),
        ("நட்சத்திரம் பார்", "நட்சத்திரம்-பார்"),
        ("จิ้งจอกน้อย", "จิ้งจอกน้อย"),
        (unicodedata.normalize("NFD", "Café Noël"), "Café-Noël"),
        ("一只小狐狸", "一只小狐狸"),
        ('The Fox: a/b\\c <d> "e" | f?*', "The-Fox-a-b-c-d-e-f"),
        ("../../etc/passwd", "etc-passwd"),
        ("نیم\u200cفاصله", "نیمفاصله"),
        ("\U0001f98a", "video"),
        ("", "video"),
        ("x" * 300, "x" * 80),
    ],
)
def test_download_name_keeps_letters_and_marks_of_the_title(title: str, name: str) -> None:
    assert _plain(title) == name


def test_download_name_fits_the_file_system_limit() -> None:
    for letter in ("é", "क्", "狐", "\U00020000", "ঠ\u09bc"):
        assert len(f"{_plain(letter * 200)}.mp4".encode()) <= 255


@pytest.mark.parametrize(
    ("name", "plain"), [("Café-Noël.mp4", "Cafe-Noel.mp4"), ("狐狸.webm", "video.webm")]
)
def test_content_disposition_has_an_ascii_fallback(name: str, plain: str) -> None:
    header = disposition(name)
    assert header.isascii()
    assert header == f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(name)}"
