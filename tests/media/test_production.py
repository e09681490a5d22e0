"""A whole run over the clips: sound, captions, stills, checked by decoding what came out."""

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
from merge.audio.mix import RATE, Music, Track
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
    """What is made once for the module needs ffmpeg before any test does."""
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
def said(folder: Path) -> dict[int, Path]:
    """Narrations: the second is longer than its scene, and has to be quickened."""
    paths = {}
    for scene, text in {
        1: "The boat leaves.",
        2: "It goes down the long river to the sea.",
    }.items():
        path = folder / f"said_{scene}.wav"
        path.write_bytes(program.speak(text, "en-us+f2", 160).as_wav())
        paths[scene] = path
    return paths


@pytest.fixture(scope="module")
def music(folder: Path) -> Path:
    """A tone of 440 Hz for one second, so that it has to be looped, as MP3."""
    path = folder / "music.mp3"
    source = ("-f", "lavfi", "-i", "sine=440:duration=1:sample_rate=44100")
    ffmpeg.run([*source, "-af", "volume=4", "-y", str(path)], timeout=30)
    return path


def under(path: Path, **changes: object) -> Music:
    wish = {"volume": 0.5, "fade_in": 0.2, "fade_out": 0.2, "loop": True, "duck": True} | changes
    return Music(path, **wish)  # type: ignore[arg-type]  # the fields of Music


@pytest.fixture(scope="module")
def product(
    clips: dict[int, Clip], said: dict[int, Path], music: Path, folder: Path
) -> Deliverables:
    """Everything at once: narrated, with music, captions, a crossfade, in two shapes, as WebM."""
    output = Output(
        format=Format.WEBM,
        transition=Transition.CROSSFADE,
        renditions=(Shape("1:1"),),
        captions_burned=True,
    )
    order = DeliverablesRequest(clips, output, TEXTS, Track(said, under(music)), preview="gif")
    scratch = folder / "scratch"
    scratch.mkdir()
    return deliverables.render_deliverables(order, scratch)


def heard(path: Path) -> "array.array[int]":
    """Decode the sound to one channel of 48 kHz."""
    out = path.with_suffix(".heard")
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
    """Return how strong a tone is in the sound (Goertzel)."""
    part = samples[int(start * RATE) : int(end * RATE)]
    turn = 2 * math.cos(2 * math.pi * hertz / RATE)
    one = two = 0.0
    for value in part:
        one, two = value + turn * one - two, one
    return math.sqrt(max(0.0, one * one + two * two - turn * one * two)) / len(part)


def of_kind(product: Deliverables, kind: str) -> list[deliverables.Deliverable]:
    return [made for made in product.files if made.kind == kind]


def test_every_file_is_what_is_said_of_it(product: Deliverables) -> None:
    kinds = [made.kind for made in product.files]
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
    for made in product.files:
        data = made.path.read_bytes()
        assert (made.size_bytes, made.sha256) == (len(data), hashlib.sha256(data).hexdigest())
        if made.media_type.startswith("image/"):
            with Image.open(io.BytesIO(data)) as image:
                assert image.size == made.size
                assert image.get_format_mimetype() == made.media_type
        if made.kind in ("video", "rendition"):
            facts = ffmpeg.decode(made.path)
            assert (facts.width, facts.height) == made.size
            assert facts.frames == round((2 * SECONDS - 0.5) * 24)
            assert made.captioned


def test_both_shapes_are_as_long_as_their_sound(product: Deliverables) -> None:
    for made in (*of_kind(product, "video"), *of_kind(product, "rendition")):
        samples = heard(made.path)
        assert len(samples) / RATE == pytest.approx(made.seconds or 0, abs=0.025)


def test_in_every_scene_somebody_speaks_and_the_music_plays(product: Deliverables) -> None:
    samples = heard(of_kind(product, "video")[0].path)
    for start, end in ((0.3, 1.2), (2.1, 3.0)):
        assert rms(samples, start, end) > 1000
        assert tone(samples, start, end) > 20


def test_a_narration_begins_in_its_own_scene_and_ends_in_it(
    said: dict[int, Path], tmp_path: Path
) -> None:
    """Without music there is silence around the words: a breath before, and one after."""
    parts = (
        MergedScene(1, SceneTreatment.COPIED, "", 0, 2.0, 48),
        MergedScene(2, SceneTreatment.COPIED, "", 2.0, 2.0, 48),
    )
    path = mix.mix(Track({2: said[2]}), None, parts, 4.0, tmp_path)
    samples = array.array("h", path.read_bytes())[::2]
    assert len(samples) == 4 * RATE
    loud = [place / RATE for place, value in enumerate(samples) if abs(value) > 300]
    assert 2.2 < loud[0] < 2.5
    assert 3.4 < loud[-1] < 3.8, "quickened, since it takes longer than its scene as spoken"


def test_as_many_narrations_as_a_video_has_scenes_are_mixed_each_in_its_place(
    said: dict[int, Path], tmp_path: Path
) -> None:
    """ffmpeg takes threads and memory for every input, so 60 at once are more than it gets."""
    silent = {7, 8, 9, 31, 60}
    parts = tuple(
        MergedScene(scene, SceneTreatment.COPIED, "", 2.0 * (scene - 1), 2.0, 48)
        for scene in range(1, MAX_SCENES + 1)
    )
    track = Track({part.scene: said[1] for part in parts if part.scene not in silent})
    path = mix.mix(track, None, parts, 2.0 * MAX_SCENES, tmp_path)
    samples = array.array("h", path.read_bytes())[::2]
    assert len(samples) == 2 * MAX_SCENES * RATE
    for part in parts:
        level = rms(samples, part.start + 0.2, part.start + 1.2)
        assert (level > 500) == (part.scene not in silent), part.scene


def test_the_music_goes_down_while_somebody_speaks(
    clips: dict[int, Clip], said: dict[int, Path], music: Path, tmp_path: Path
) -> None:
    """The speaker is quiet here, so that only the music is measured."""
    whisper = tmp_path / "noise.wav"
    burst = program.speak("The boat leaves.", "en-us+f2", 160)
    whisper.write_bytes(burst.as_wav())
    parts = (MergedScene(1, SceneTreatment.COPIED, "", 0, 4.0, 96),)
    levels = {}
    for ducks in (True, False):
        path = mix.mix(
            Track({1: whisper}, under(music, volume=1.0, duck=ducks, fade_in=0, fade_out=0)),
            None,
            parts,
            4.0,
            tmp_path,
        )
        stereo = array.array("h", path.read_bytes())
        assert len(stereo) == 2 * 4 * RATE
        samples = stereo[::2]
        levels[ducks] = tone(samples, 0.5, 0.9), tone(samples, 3.0, 3.8)
    (pressed, after), (plain, same) = levels[True], levels[False]
    assert pressed < 0.5 * plain, "at least 6 dB below"
    assert after == pytest.approx(same, rel=0.1), "and back again"


def test_music_is_looped_faded_and_as_loud_as_was_asked(music: Path, tmp_path: Path) -> None:
    parts = (MergedScene(1, SceneTreatment.COPIED, "", 0, 3.0, 72),)

    def level(start: float, end: float, **wish: object) -> float:
        path = mix.mix(Track({}, under(music, **wish)), None, parts, 3.0, tmp_path)
        return rms(array.array("h", path.read_bytes())[::2], start, end)

    assert level(2.0, 2.5) > 1000
    assert level(2.0, 2.5, loop=False) == 0
    assert level(1.0, 2.0, volume=0.25) == pytest.approx(level(1.0, 2.0) / 2, rel=0.05)
    assert level(0, 0.05, fade_in=1.0) < 0.1 * level(1.0, 2.0)
    assert level(2.9, 3.0, fade_out=1.0) < 0.2 * level(1.0, 2.0)


def test_nothing_clips(music: Path, tmp_path: Path) -> None:
    loud = tmp_path / "loud.wav"
    full = array.array("h", [32767 if n // 24 % 2 else -32768 for n in range(24_000)])
    loud.write_bytes(PcmAudio(24_000, full.tobytes()).as_wav())
    parts = (MergedScene(1, SceneTreatment.COPIED, "", 0, 2.0, 48),)
    mixed = mix.mix(
        Track({1: loud}, under(music, volume=1.0, duck=False)), None, parts, 2.0, tmp_path
    )
    samples = array.array("h", mixed.read_bytes())
    assert 5_000 < max(abs(value) for value in samples) < 0.93 * 32768


@pytest.mark.parametrize("content", [b"", b"#EXTM3U\nfile:///etc/passwd\n", b"RIFF0000WAVEjunk"])
def test_what_is_no_music_is_refused(content: bytes, tmp_path: Path) -> None:
    bad = tmp_path / "bad"
    bad.write_bytes(content)
    with pytest.raises(MediaError):
        mix.mix(
            Track({}, under(bad)),
            None,
            (MergedScene(1, SceneTreatment.COPIED, "", 0, 1.0, 24),),
            1.0,
            tmp_path,
        )


def area(made: deliverables.Deliverable, at: float, tmp_path: Path) -> tuple[int, int]:
    """Return the brightest pixels of the caption's area, and of the picture above it."""
    out = tmp_path / "frame.png"
    ffmpeg.run(
        ["-ss", str(at), *ffmpeg.source(made.path), "-frames:v", "1", "-y", str(out)], timeout=30
    )
    with Image.open(out) as image:
        grey = image.convert("L")
        width, height = grey.size
        foot = grey.crop((0, round(height * 0.75), width, height)).getextrema()
        head = grey.crop((0, 0, width, round(height * 0.6))).getextrema()
    return int(foot[1]), int(head[1])  # type: ignore[arg-type]  # extrema of one band


def test_captions_are_drawn_at_the_foot_in_every_scene_and_shape(
    product: Deliverables, tmp_path: Path
) -> None:
    for made in (*of_kind(product, "video"), *of_kind(product, "rendition")):
        for at in (0.7, 2.8):
            foot, head = area(made, at, tmp_path)
            assert foot > 220, "white letters"
            assert head < 180, "and none above"


def test_without_the_wish_nothing_is_drawn(clips: dict[int, Clip], tmp_path: Path) -> None:
    order = DeliverablesRequest(clips, Output(), {1: "Hello", 2: "Hello"}, Track({}))
    made = deliverables.render_deliverables(order, tmp_path)
    assert not made.files[0].captioned
    assert area(made.files[0], 0.7, tmp_path)[0] < 180
    assert "Hello" in of_kind(made, "captions")[0].path.read_text()
    assert not made.cut.has_sound
    assert not made.warnings


def test_captions_that_no_font_has_are_missing_in_their_scene_only_and_that_is_told(
    clips: dict[int, Clip], tmp_path: Path
) -> None:
    texts = {1: "It is 25 °C 🚀.", 2: "She meets 李明 at the harbour."}
    made = deliverables.render_deliverables(
        DeliverablesRequest(clips, Output(captions_burned=True), texts, Track({})), tmp_path
    )
    assert made.files[0].captioned
    assert area(made.files[0], 0.7, tmp_path)[0] > 220
    assert area(made.files[0], 2.7, tmp_path)[0] < 180, "no boxes for what the font lacks"
    unread, signs = made.warnings
    assert "Scene 2" in unread
    assert "李" in unread
    assert "Scene 1" in signs
    assert "🚀" in signs
    text = of_kind(made, "captions")[0].path.read_text()
    assert all(words in text for words in texts.values())


def test_captions_that_no_font_has_in_any_scene_leave_the_clips_as_they_came(
    clips: dict[int, Clip], tmp_path: Path
) -> None:
    order = DeliverablesRequest(
        clips, Output(captions_burned=True), {1: "おはよう", 2: "صباح"}, Track({})
    )
    made = deliverables.render_deliverables(order, tmp_path)
    assert not made.files[0].captioned
    assert [part.how for part in made.cut.parts] == [SceneTreatment.COPIED] * 2
    assert len(made.warnings) == 2


def test_captions_for_which_a_scene_is_too_short_are_told(
    clips: dict[int, Clip], tmp_path: Path
) -> None:
    texts = {1: "One. " * 40, 2: "Two."}
    made = deliverables.render_deliverables(
        DeliverablesRequest(clips, Output(), texts, Track({})), tmp_path
    )
    assert of_kind(made, "captions")[0].path.read_text().count("One.") < 40
    (warning,) = made.warnings
    assert "Scene 1" in warning


@pytest.mark.parametrize("on_broken", [OnBroken.SKIP, OnBroken.STILL])
def test_a_broken_clip_is_told(on_broken: OnBroken, clips: dict[int, Clip], tmp_path: Path) -> None:
    still = tmp_path / "still.png"
    Image.new("RGB", (320, 180), (90, 90, 90)).save(still)
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(clips[2].path.read_bytes()[:2000])
    order = DeliverablesRequest(
        clips | {2: Clip(broken, still=still, seconds=2)},
        Output(on_broken=on_broken, captions_burned=True),
        {1: "One.", 2: "船"},
        Track({}),
    )
    made = deliverables.render_deliverables(order, tmp_path)
    assert "Scene 2" in made.warnings[0]
    assert "broken" in made.warnings[0]
    assert len(made.warnings) == (1 if on_broken is OnBroken.SKIP else 2), "and its captions"


def test_a_narration_that_was_quickened_or_cut_off_is_told(
    clips: dict[int, Clip], tmp_path: Path
) -> None:
    said = {}
    for scene, text in {1: "The boat leaves the quay. " * 2, 2: "The boat leaves. " * 12}.items():
        said[scene] = tmp_path / f"said_{scene}.wav"
        said[scene].write_bytes(program.speak(text, "en-us+f2", 160).as_wav())
    made = deliverables.render_deliverables(
        DeliverablesRequest(clips, Output(), {}, Track(said)), tmp_path
    )
    hurried, cut_off = made.warnings
    assert "Scene 1" in hurried
    assert "as fast" in hurried
    assert "Scene 2" in cut_off
    assert "cut off" in cut_off
    assert "3.0 times as fast" in cut_off


def drawn(text: str, tmp_path: Path) -> bytes:
    """Draw a caption onto grey and return the picture."""
    subtitles = tmp_path / "drawn.ass"
    subtitles.write_text(captions.ass([Cue(0, 1, (text,))], (640, 360)), encoding="utf-8")
    graph = (
        f"[0:v]{filters.captioned(subtitles, font_coverage.FONTS, Fraction(0))},format=gray[out]"
    )
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
def test_signs_that_the_font_has_are_drawn(text: str, less: str, tmp_path: Path) -> None:
    assert drawn(text, tmp_path) != drawn(less, tmp_path)


@pytest.mark.parametrize("text", ["{\\an8}High", "one\\Ntwo", "{\\fs90}Big", "a\\hb", "\\{b}"])
def test_signs_that_the_renderer_obeys_are_drawn_as_text(text: str, tmp_path: Path) -> None:
    """All in one line at the foot: nothing above it."""
    picture = drawn(text, tmp_path)
    assert max(picture[640 * 320 :]) > 220
    assert max(picture[: 640 * 310]) < 180


def pauses(path: Path) -> list[tuple[float, float]]:
    """Return when something is heard in a finished video, as ffmpeg finds it."""
    detect = "silencedetect=noise=-40dB:duration=0.15,ametadata=mode=print:file=-"
    said = ffmpeg.run(
        [*ffmpeg.source(path), "-map", "0:a:0", "-af", detect, "-f", "null", "-"], timeout=60
    )
    moments = [float(at) for at in re.findall(r"silence_(?:start|end)=([\d.]+)", said)]
    assert moments[0] < 0.1, "the video begins with silence"
    return list(zip(moments[1::2], [*moments[2::2], math.inf], strict=False))


def test_captions_are_in_time_with_the_voice(tmp_path: Path) -> None:
    """Two scenes, of two sentences each, in which the voice is done long before the scene ends."""
    texts = {
        1: "The lighthouse keeper writes letters. The sky takes up the frame.",
        2: "Nobody answers. A small boat comes over the sea in the evening.",
    }
    clips, said = {}, {}
    for scene, text in texts.items():
        clips[scene] = Clip(make(tmp_path / f"c{scene}.mp4", seconds=8, grey=60))
        said[scene] = tmp_path / f"said_{scene}.wav"
        said[scene].write_bytes(program.speak(text, "en-us+f2", 160).as_wav())
    made = deliverables.render_deliverables(
        DeliverablesRequest(clips, Output(), texts, Track(said)), tmp_path
    )
    voice = pauses(made.files[0].path)
    srt = of_kind(made, "captions")[0].path.read_text()
    shown = [
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
    assert len(shown) == 4
    assert len(voice) == 4
    for (start, end), (first, last) in zip(shown, voice, strict=True):
        assert start == pytest.approx(first, abs=0.1)
        assert -0.1 < end - last < 0.4
    assert not made.warnings


def test_scene_text_is_never_a_filter(clips: dict[int, Clip], tmp_path: Path) -> None:
    text = "':fontsdir=/etc[x];movie=/etc/passwd,{\\p1}m 0 0 l 900 0 900 900{\\an8}\\N%{pts}"
    order = DeliverablesRequest(clips, Output(captions_burned=True), {1: text, 2: text}, Track({}))
    made = deliverables.render_deliverables(order, tmp_path)
    foot, head = area(made.files[0], 0.7, tmp_path)
    assert foot > 220
    assert head < 180


def test_the_preview_moves(product: Deliverables) -> None:
    (made,) = of_kind(product, "preview")
    with Image.open(made.path) as image:
        count = int(getattr(image, "n_frames", 1))
        assert count >= 15
        assert image.info["loop"] == 0
        first = image.convert("L").resize((1, 1)).getpixel((0, 0))
        image.seek(count - 1)
        last = image.convert("L").resize((1, 1)).getpixel((0, 0))
    assert abs(int(first) - int(last)) > 30  # type: ignore[arg-type]  # one band


def test_thumbnails_of_copied_and_encoded_scenes_show_them(
    plain: dict[int, Path], tmp_path: Path
) -> None:
    """The first picture of what was copied, the middle one of what was not."""
    clips = plain | {2: coded.clip(tmp_path, 2, coded.KINDS["hevc"])}
    cut = assemble.merge_clips({n: Clip(path) for n, path in clips.items()}, Output(), tmp_path)
    for scene, path in previews.thumbnails(cut.path, cut.parts, tmp_path).items():
        with Image.open(path) as image:
            found = judge.read(image.convert("L").tobytes(), cut.size, (320, 180))
        assert found is not None
        assert found[0] == scene
        middle = cut.parts[1].frames / 2
        assert abs(found[1] - middle) <= 1 if scene == 2 else found[1] == 0


def test_thumbnails_show_their_scene(product: Deliverables) -> None:
    greys = []
    for made in of_kind(product, "thumbnail"):
        with Image.open(made.path) as image:
            greys.append(int(image.convert("L").getpixel((160, 20)) or 0))  # type: ignore[arg-type]
    assert greys[0] == pytest.approx(60, abs=12)
    assert greys[1] == pytest.approx(120, abs=12)
