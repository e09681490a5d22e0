"""Rendering all deliverables of a video: audio, captions, images, checked by decoding them."""

import array
import hashlib
import io
import math
import os
import re
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import pytest
from PIL import Image

from common.domain.errors import MediaError
from common.domain.output import Format, OnBroken, Output, Shape, Transition
from common.domain.video import MAX_SCENES
from common.media import ffmpeg
from common.media.wav import PcmAudio
from merge import assemble, captions, deliverables, filters, font_coverage, previews
from merge.audio import mix
from merge.audio.mix import RATE, AddedAudio, Music
from merge.captions import Cue
from merge.deliverables import Deliverables, DeliverablesRequest
from merge.models import Clip, MergedScene, SceneTreatment
from offline.tts import program
from tests.media import coded, judge
from tests.unit.clips import make

TEXTS = {1: "The boat leaves.", 2: "Ο ήλιος δύει, Доброе утро."}
SECONDS = 2


@pytest.fixture(scope="module", autouse=True)
def _program(tools: Path) -> Iterator[None]:
    """Put ffmpeg on PATH for the fixtures of this module."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", f"{tools}{os.pathsep}{os.environ['PATH']}")
        yield


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("production")


@pytest.fixture(scope="module")
def clips(folder: Path) -> dict[int, Clip]:
    return {
        scene: Clip(make(folder / f"clip_{scene}.mp4", seconds=SECONDS, grey=60 * scene))
        for scene in (1, 2)
    }


@pytest.fixture(scope="module")
def narrations(folder: Path) -> dict[int, Path]:
    """Narrations, of which the second is longer than its scene and has to be sped up."""
    paths = {}
    for scene, text in {
        1: "The boat leaves.",
        2: "It goes down the long river to the sea.",
    }.items():
        path = folder / f"narration_{scene}.wav"
        path.write_bytes(program.speak(text, "en-us+f2", 160).as_wav())
        paths[scene] = path
    return paths


@pytest.fixture(scope="module")
def music(folder: Path) -> Path:
    """An MP3 with a tone of 440 Hz for one second, which has to be looped."""
    path = folder / "music.mp3"
    source = ("-f", "lavfi", "-i", "sine=440:duration=1:sample_rate=44100")
    ffmpeg.run([*source, "-af", "volume=4", "-y", str(path)], timeout=30)
    return path


def music_track(path: Path, **changes: object) -> Music:
    fields = {"volume": 0.5, "fade_in": 0.2, "fade_out": 0.2, "loop": True, "duck": True} | changes
    return Music(path, **fields)  # type: ignore[arg-type]  # the fields of Music


@pytest.fixture(scope="module")
def product(
    clips: dict[int, Clip], narrations: dict[int, Path], music: Path, folder: Path
) -> Deliverables:
    """A WebM with narration, music, captions, a crossfade and a rendition."""
    output = Output(
        format=Format.WEBM,
        transition=Transition.CROSSFADE,
        renditions=(Shape("1:1"),),
        captions_burned=True,
    )
    request = DeliverablesRequest(
        clips, output, TEXTS, AddedAudio(narrations, music_track(music)), preview="gif"
    )
    scratch = folder / "scratch"
    scratch.mkdir()
    return deliverables.render_deliverables(request, scratch)


def decode_audio(path: Path) -> "array.array[int]":
    """Decode the audio as mono at 48 kHz."""
    out = path.with_suffix(".pcm")
    ffmpeg.run(
        [
            *ffmpeg.source(path),
            "-map",
            "0:a:0",
            "-ac",
            "1",
            "-ar",
            str(RATE),
            "-f",
            "s16le",
            "-y",
            str(out),
        ],
        timeout=60,
    )
    return array.array("h", out.read_bytes())


def rms(samples: "array.array[int]", start: float, end: float) -> float:
    part = samples[int(start * RATE) : int(end * RATE)]
    return math.sqrt(sum(value * value for value in part) / len(part))


def tone(samples: "array.array[int]", start: float, end: float, hertz: float = 440) -> float:
    """Return the strength of a tone in the audio (Goertzel algorithm)."""
    part = samples[int(start * RATE) : int(end * RATE)]
    turn = 2 * math.cos(2 * math.pi * hertz / RATE)
    current = previous = 0.0
    for value in part:
        current, previous = value + turn * current - previous, current
    return math.sqrt(
        max(0.0, current * current + previous * previous - turn * current * previous)
    ) / len(part)


def of_kind(product: Deliverables, kind: str) -> list[deliverables.Deliverable]:
    return [file for file in product.files if file.kind == kind]


def test_deliverables_match_their_metadata(product: Deliverables) -> None:
    kinds = [file.kind for file in product.files]
    assert kinds == [
        "video",
        "rendition",
        "poster",
        "poster",
        "thumbnail",
        "thumbnail",
        "preview",
        "captions",
        "captions",
    ]
    for file in product.files:
        data = file.path.read_bytes()
        assert (file.size_bytes, file.sha256) == (len(data), hashlib.sha256(data).hexdigest())
        if file.media_type.startswith("image/"):
            with Image.open(io.BytesIO(data)) as image:
                assert image.size == file.size
                assert image.get_format_mimetype() == file.media_type
        if file.kind in ("video", "rendition"):
            facts = ffmpeg.decode(file.path)
            assert (facts.width, facts.height) == file.size
            assert facts.frames == round((2 * SECONDS - 0.5) * 24)
            assert file.captioned


def test_video_and_rendition_are_as_long_as_their_audio(product: Deliverables) -> None:
    for file in (*of_kind(product, "video"), *of_kind(product, "rendition")):
        samples = decode_audio(file.path)
        assert len(samples) / RATE == pytest.approx(file.seconds or 0, abs=0.025)


def test_narration_and_music_are_audible_in_every_scene(product: Deliverables) -> None:
    samples = decode_audio(of_kind(product, "video")[0].path)
    for start, end in ((0.3, 1.2), (2.1, 3.0)):
        assert rms(samples, start, end) > 1000
        assert tone(samples, start, end) > 20


def test_narration_starts_and_ends_within_its_scene(
    narrations: dict[int, Path], tmp_path: Path
) -> None:
    """Without music there is a pause before and after the narration."""
    parts = (
        MergedScene(1, SceneTreatment.COPIED, "", 0, 2.0, 48),
        MergedScene(2, SceneTreatment.COPIED, "", 2.0, 2.0, 48),
    )
    path = mix.mix(AddedAudio({2: narrations[2]}), None, parts, 4.0, tmp_path)
    samples = array.array("h", path.read_bytes())[::2]
    assert len(samples) == 4 * RATE
    loud = [place / RATE for place, value in enumerate(samples) if abs(value) > 300]
    assert 2.2 < loud[0] < 2.5
    assert 3.4 < loud[-1] < 3.8, "sped up, since it is longer than its scene"


def test_mix_places_narrations_of_maximum_number_of_scenes(
    narrations: dict[int, Path], tmp_path: Path
) -> None:
    """ffmpeg needs threads and memory for every input, so 60 inputs at once are too many."""
    silent = {7, 8, 9, 31, 60}
    parts = tuple(
        MergedScene(scene, SceneTreatment.COPIED, "", 2.0 * (scene - 1), 2.0, 48)
        for scene in range(1, MAX_SCENES + 1)
    )
    track = AddedAudio({part.scene: narrations[1] for part in parts if part.scene not in silent})
    path = mix.mix(track, None, parts, 2.0 * MAX_SCENES, tmp_path)
    samples = array.array("h", path.read_bytes())[::2]
    assert len(samples) == 2 * MAX_SCENES * RATE
    for part in parts:
        level = rms(samples, part.start + 0.2, part.start + 1.2)
        assert (level > 500) == (part.scene not in silent), part.scene


def test_music_ducking_during_narration(
    clips: dict[int, Clip], narrations: dict[int, Path], music: Path, tmp_path: Path
) -> None:
    """The narration is quiet here, so that only the music is measured."""
    whisper = tmp_path / "noise.wav"
    burst = program.speak("The boat leaves.", "en-us+f2", 160)
    whisper.write_bytes(burst.as_wav())
    parts = (MergedScene(1, SceneTreatment.COPIED, "", 0, 4.0, 96),)
    levels = {}
    for duck in (True, False):
        path = mix.mix(
            AddedAudio(
                {1: whisper}, music_track(music, volume=1.0, duck=duck, fade_in=0, fade_out=0)
            ),
            None,
            parts,
            4.0,
            tmp_path,
        )
        stereo = array.array("h", path.read_bytes())
        assert len(stereo) == 2 * 4 * RATE
        samples = stereo[::2]
        levels[duck] = tone(samples, 0.5, 0.9), tone(samples, 3.0, 3.8)
    (ducked, after), (plain, same) = levels[True], levels[False]
    assert ducked < 0.5 * plain, "at least 6 dB below"
    assert after == pytest.approx(same, rel=0.1), "and back to the old level"


def test_music_loop_fade_and_volume(music: Path, tmp_path: Path) -> None:
    parts = (MergedScene(1, SceneTreatment.COPIED, "", 0, 3.0, 72),)

    def level(start: float, end: float, **fields: object) -> float:
        path = mix.mix(AddedAudio({}, music_track(music, **fields)), None, parts, 3.0, tmp_path)
        return rms(array.array("h", path.read_bytes())[::2], start, end)

    assert level(2.0, 2.5) > 1000
    assert level(2.0, 2.5, loop=False) == 0
    assert level(1.0, 2.0, volume=0.25) == pytest.approx(level(1.0, 2.0) / 2, rel=0.05)
    assert level(0, 0.05, fade_in=1.0) < 0.1 * level(1.0, 2.0)
    assert level(2.9, 3.0, fade_out=1.0) < 0.2 * level(1.0, 2.0)


def test_mix_does_not_clip(music: Path, tmp_path: Path) -> None:
    loud = tmp_path / "loud.wav"
    full = array.array("h", [32767 if n // 24 % 2 else -32768 for n in range(24_000)])
    loud.write_bytes(PcmAudio(24_000, full.tobytes()).as_wav())
    parts = (MergedScene(1, SceneTreatment.COPIED, "", 0, 2.0, 48),)
    mixed = mix.mix(
        AddedAudio({1: loud}, music_track(music, volume=1.0, duck=False)),
        None,
        parts,
        2.0,
        tmp_path,
    )
    samples = array.array("h", mixed.read_bytes())
    assert 5_000 < max(abs(value) for value in samples) < 0.93 * 32768


@pytest.mark.parametrize("content", [b"", b"#EXTM3U\nfile:///etc/passwd\n", b"RIFF0000WAVEjunk"])
def test_mix_rejects_invalid_music(content: bytes, tmp_path: Path) -> None:
    bad = tmp_path / "bad"
    bad.write_bytes(content)
    with pytest.raises(MediaError):
        mix.mix(
            AddedAudio({}, music_track(bad)),
            None,
            (MergedScene(1, SceneTreatment.COPIED, "", 0, 1.0, 24),),
            1.0,
            tmp_path,
        )


def brightest_pixels(file: deliverables.Deliverable, at: float, tmp_path: Path) -> tuple[int, int]:
    """Return the brightest pixels of the caption area and of the area above it."""
    out = tmp_path / "frame.png"
    ffmpeg.run(
        ["-ss", str(at), *ffmpeg.source(file.path), "-frames:v", "1", "-y", str(out)], timeout=30
    )
    with Image.open(out) as image:
        grey = image.convert("L")
        width, height = grey.size
        bottom = grey.crop((0, round(height * 0.75), width, height)).getextrema()
        top = grey.crop((0, 0, width, round(height * 0.6))).getextrema()
    return int(bottom[1]), int(top[1])  # type: ignore[arg-type]  # extrema of one band


def test_burned_captions_are_at_bottom_of_every_scene_and_rendition(
    product: Deliverables, tmp_path: Path
) -> None:
    for file in (*of_kind(product, "video"), *of_kind(product, "rendition")):
        for at in (0.7, 2.8):
            bottom, top = brightest_pixels(file, at, tmp_path)
            assert bottom > 220, "the caption"
            assert top < 180, "no caption above"


def test_captions_are_not_burned_by_default(clips: dict[int, Clip], tmp_path: Path) -> None:
    request = DeliverablesRequest(clips, Output(), {1: "Hello", 2: "Hello"}, AddedAudio({}))
    result = deliverables.render_deliverables(request, tmp_path)
    assert not result.files[0].captioned
    assert brightest_pixels(result.files[0], 0.7, tmp_path)[0] < 180
    assert "Hello" in of_kind(result, "captions")[0].path.read_text()
    assert not result.merged.has_sound
    assert not result.warnings


def test_captions_without_font_are_omitted_with_warning(
    clips: dict[int, Clip], tmp_path: Path
) -> None:
    texts = {1: "It is 25 °C 🚀.", 2: "She meets 李明 at the harbour."}
    result = deliverables.render_deliverables(
        DeliverablesRequest(clips, Output(captions_burned=True), texts, AddedAudio({})), tmp_path
    )
    assert result.files[0].captioned
    assert brightest_pixels(result.files[0], 0.7, tmp_path)[0] > 220
    assert brightest_pixels(result.files[0], 2.7, tmp_path)[0] < 180, "no boxes for missing glyphs"
    unsupported_script, unsupported_signs = result.warnings
    assert "Scene 2" in unsupported_script
    assert "李" in unsupported_script
    assert "Scene 1" in unsupported_signs
    assert "🚀" in unsupported_signs
    text = of_kind(result, "captions")[0].path.read_text()
    assert all(words in text for words in texts.values())


def test_captions_without_font_in_any_scene_keep_stream_copy(
    clips: dict[int, Clip], tmp_path: Path
) -> None:
    request = DeliverablesRequest(
        clips, Output(captions_burned=True), {1: "おはよう", 2: "صباح"}, AddedAudio({})
    )
    result = deliverables.render_deliverables(request, tmp_path)
    assert not result.files[0].captioned
    assert [part.how for part in result.merged.parts] == [SceneTreatment.COPIED] * 2
    assert len(result.warnings) == 2


def test_captions_too_long_for_scene_add_warning(clips: dict[int, Clip], tmp_path: Path) -> None:
    texts = {1: "One. " * 40, 2: "Two."}
    result = deliverables.render_deliverables(
        DeliverablesRequest(clips, Output(), texts, AddedAudio({})), tmp_path
    )
    assert of_kind(result, "captions")[0].path.read_text().count("One.") < 40
    (warning,) = result.warnings
    assert "Scene 1" in warning


@pytest.mark.parametrize("on_broken", [OnBroken.SKIP, OnBroken.STILL])
def test_broken_clip_adds_warning(
    on_broken: OnBroken, clips: dict[int, Clip], tmp_path: Path
) -> None:
    still = tmp_path / "still.png"
    Image.new("RGB", (320, 180), (90, 90, 90)).save(still)
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(clips[2].path.read_bytes()[:2000])
    request = DeliverablesRequest(
        clips | {2: Clip(broken, still=still, seconds=2)},
        Output(on_broken=on_broken, captions_burned=True),
        {1: "One.", 2: "船"},
        AddedAudio({}),
    )
    result = deliverables.render_deliverables(request, tmp_path)
    assert "Scene 2" in result.warnings[0]
    assert "broken" in result.warnings[0]
    assert len(result.warnings) == (1 if on_broken is OnBroken.SKIP else 2), (
        "a warning about its captions too"
    )


def test_sped_up_or_truncated_narration_adds_warning(
    clips: dict[int, Clip], tmp_path: Path
) -> None:
    narrations = {}
    for scene, text in {1: "The boat leaves the quay. " * 2, 2: "The boat leaves. " * 12}.items():
        narrations[scene] = tmp_path / f"narration_{scene}.wav"
        narrations[scene].write_bytes(program.speak(text, "en-us+f2", 160).as_wav())
    result = deliverables.render_deliverables(
        DeliverablesRequest(clips, Output(), {}, AddedAudio(narrations)), tmp_path
    )
    sped_up, cut_off = result.warnings
    assert "Scene 1" in sped_up
    assert "as fast" in sped_up
    assert "Scene 2" in cut_off
    assert "cut off" in cut_off
    assert "3.0 times as fast" in cut_off


def draw_caption(text: str, tmp_path: Path) -> bytes:
    """Draw a caption onto grey and return the frame."""
    subtitles = tmp_path / "drawn.ass"
    subtitles.write_text(captions.ass([Cue(0, 1, (text,))], (640, 360)), encoding="utf-8")
    burned_in = filters.burn_captions(subtitles, font_coverage.FONTS, Fraction(0))
    graph = f"[0:v]{burned_in},format=gray[out]"
    target = tmp_path / "drawn.raw"
    ffmpeg.run(
        [
            "-f",
            "lavfi",
            "-i",
            "color=c=gray:s=640x360:d=0.1",
            "-filter_complex",
            graph,
            "-map",
            "[out]",
            "-frames:v",
            "1",
            "-f",
            "rawvideo",
            "-y",
            str(target),
        ],
        timeout=30,
    )
    return target.read_bytes()


@pytest.mark.parametrize(
    ("text", "less"),
    [("25 °C", "25 C"), ("©2026", "2026"), ("q̃ua", "qua"), ("{a}", "a"), ("a\\Nb", "a Nb")],
)
def test_captions_draw_supported_signs(text: str, less: str, tmp_path: Path) -> None:
    assert draw_caption(text, tmp_path) != draw_caption(less, tmp_path)


@pytest.mark.parametrize("text", ["{\\an8}High", "one\\Ntwo", "{\\fs90}Big", "a\\hb", "\\{b}"])
def test_captions_escape_renderer_commands(text: str, tmp_path: Path) -> None:
    """The caption is one line at the bottom, with nothing above it."""
    frame = draw_caption(text, tmp_path)
    assert max(frame[640 * 320 :]) > 220
    assert max(frame[: 640 * 310]) < 180


def audible_intervals(path: Path) -> list[tuple[float, float]]:
    """Return the intervals of a finished video that are not silent, as ffmpeg detects them."""
    detect = "silencedetect=noise=-40dB:duration=0.15,ametadata=mode=print:file=-"
    log = ffmpeg.run(
        [*ffmpeg.source(path), "-map", "0:a:0", "-af", detect, "-f", "null", "-"], timeout=60
    )
    moments = [float(seconds) for seconds in re.findall(r"silence_(?:start|end)=([\d.]+)", log)]
    assert moments[0] < 0.1, "the video begins with silence"
    return list(zip(moments[1::2], [*moments[2::2], math.inf], strict=False))


def test_captions_are_in_sync_with_narration(tmp_path: Path) -> None:
    """Two scenes of two sentences, whose narration ends long before the scene."""
    texts = {
        1: "The lighthouse keeper writes letters. The sky takes up the frame.",
        2: "Nobody answers. A small boat comes over the sea in the evening.",
    }
    clips, narrations = {}, {}
    for scene, text in texts.items():
        clips[scene] = Clip(make(tmp_path / f"c{scene}.mp4", seconds=8, grey=60))
        narrations[scene] = tmp_path / f"narration_{scene}.wav"
        narrations[scene].write_bytes(program.speak(text, "en-us+f2", 160).as_wav())
    result = deliverables.render_deliverables(
        DeliverablesRequest(clips, Output(), texts, AddedAudio(narrations)), tmp_path
    )
    voice = audible_intervals(result.files[0].path)
    srt = of_kind(result, "captions")[0].path.read_text()
    cues = [
        tuple(
            sum(
                float(part) * unit
                for part, unit in zip(
                    moment.replace(",", ".").split(":"), (3600, 60, 1), strict=True
                )
            )
            for moment in line.split(" --> ")
        )
        for line in srt.splitlines()
        if "-->" in line
    ]
    assert len(cues) == 4
    assert len(voice) == 4
    for (start, end), (first, last) in zip(cues, voice, strict=True):
        assert start == pytest.approx(first, abs=0.1)
        assert -0.1 < end - last < 0.4
    assert not result.warnings


def test_caption_text_is_not_interpreted_as_filter(clips: dict[int, Clip], tmp_path: Path) -> None:
    text = "':fontsdir=/etc[x];movie=/etc/passwd,{\\p1}m 0 0 l 900 0 900 900{\\an8}\\N%{pts}"
    request = DeliverablesRequest(
        clips, Output(captions_burned=True), {1: text, 2: text}, AddedAudio({})
    )
    result = deliverables.render_deliverables(request, tmp_path)
    bottom, top = brightest_pixels(result.files[0], 0.7, tmp_path)
    assert bottom > 220
    assert top < 180


def test_preview_is_animated(product: Deliverables) -> None:
    (file,) = of_kind(product, "preview")
    with Image.open(file.path) as image:
        count = int(getattr(image, "n_frames", 1))
        assert count >= 15
        assert image.info["loop"] == 0
        first = image.convert("L").resize((1, 1)).getpixel((0, 0))
        image.seek(count - 1)
        last = image.convert("L").resize((1, 1)).getpixel((0, 0))
    assert abs(int(first) - int(last)) > 30  # type: ignore[arg-type]  # one band


def test_thumbnails_of_copied_and_transcoded_scenes_show_expected_frame(
    plain: dict[int, Path], tmp_path: Path
) -> None:
    """The first frame of a copied scene, the middle frame of a transcoded one."""
    clips = plain | {2: coded.clip(tmp_path, 2, coded.KINDS["hevc"])}
    merged = assemble.merge_clips({n: Clip(path) for n, path in clips.items()}, Output(), tmp_path)
    for scene, path in previews.thumbnails(merged.path, merged.parts, tmp_path).items():
        with Image.open(path) as image:
            code = judge.read_code(image.convert("L").tobytes(), merged.size, (320, 180))
        assert code is not None
        assert code[0] == scene
        middle = merged.parts[1].frames / 2
        assert abs(code[1] - middle) <= 1 if scene == 2 else code[1] == 0


def test_thumbnails_show_their_scene(product: Deliverables) -> None:
    greys = []
    for file in of_kind(product, "thumbnail"):
        with Image.open(file.path) as image:
            greys.append(int(image.convert("L").getpixel((160, 20)) or 0))  # type: ignore[arg-type]
    assert greys[0] == pytest.approx(60, abs=12)
    assert greys[1] == pytest.approx(120, abs=12)
