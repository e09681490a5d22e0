"""The sound of the clips in a cut: kept as it came, or decoded, put in place and encoded.

Encoded, every scene's sound is as long as its pictures, to the sample. Where scenes overlap it goes
over from one to the other; at a cut it is faded within 5 ms, so that nothing clicks.
"""

import shutil
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor
from contextlib import closing, contextmanager
from fractions import Fraction
from pathlib import Path

from common import ffmpeg
from common.errors import MediaError
from common.mp4 import aac, entry, sound
from common.mp4.sound import Row
from merge import channels, joints
from merge.coder import Coder
from merge.timeline import Facts, Plan

RATE, CHANNELS = 48_000, 2
_BITS = 192_000
_SETUP = aac.Setup(rate=3, channels=CHANNELS)
_CONFIG = b"\x11\x90"  # AAC-LC, 48 kHz, stereo
_FADE_SECONDS = 0.005
_SECONDS = 300
_COPY_BYTES = 1024 * 1024


def mix(plan: Plan, target: Path, pool: Executor) -> Path:
    """Write the sound of all scenes into a file: 48 kHz, stereo, 16 bits, little-endian."""
    parts = list(pool.map(lambda place: _scene(plan, place, target), range(len(plan.shots))))
    with target.open("wb") as out:
        for part in parts:
            with part.open("rb") as file:
                shutil.copyfileobj(file, out, _COPY_BYTES)
            part.unlink()
    return target


def encode(mixed: Path, scratch: Path, times: Sequence[Fraction]) -> Row:
    """Encode what `mix` wrote as AAC."""
    packets = Coder(_SETUP, scratch).encode_file(mixed, _BITS, scratch / "sound.aac")
    return sound.whole(packets, entry.sound_of(_CONFIG, RATE, CHANNELS), times)


@contextmanager
def kept(
    plan: Plan, scratch: Path, times: Sequence[Fraction], pool: Executor
) -> Iterator[tuple[Row, Callable[[], None]]]:
    """Lay the clips' own packets, and mend the joints; yield that, and how to check the joints.

    Both raise Unreadable where it cannot be done.
    """
    movies = [shot.facts.movie for shot in plan.shots]
    model = next(movie.sound for movie in movies if movie is not None and movie.sound is not None)
    with closing(Coder(aac.Setup.of(model.entry.config), scratch)) as coder:
        row, mends = joints.mend(sound.lay(movies, times, coder.silence), coder, pool)
        yield row, lambda: joints.check(row, mends, coder)


def _scene(plan: Plan, place: int, beside: Path) -> Path:
    """Write the sound from the start of a shot to that of the next one."""
    shot = plan.shots[place]
    target = beside.with_name(f"{beside.stem}_{place:03d}.pcm")
    first, last = place == 0, place + 1 == len(plan.shots)
    length = _samples(plan, shot.start + plan.own_frames(place)) - _samples(plan, shot.start)
    inputs, number = _opened(shot.facts), 0
    graph = []
    if shot.shared:
        before = plan.shots[place - 1]
        shared = _samples(plan, shot.start + shot.shared) - _samples(plan, shot.start)
        begin = _samples(plan, shot.start) - _samples(plan, before.start)
        inputs, number = [*_opened(before.facts), *inputs], 1
        graph.append(f"{_stretch(before.facts, 0, begin, begin + shared)}[before]")
        graph.append(f"{_stretch(shot.facts, 1, 0, length)}[own]")
        graph.append(f"[before][own]acrossfade=ns={shared}:c1=tri:c2=tri[out]")
    else:
        own = _stretch(shot.facts, number, 0, length)
        seconds = length / RATE
        if not first:
            own += f",afade=t=in:d={_FADE_SECONDS}"
        if not last and not plan.shots[place + 1].shared:
            own += f",afade=t=out:d={_FADE_SECONDS}:st={max(0.0, seconds - _FADE_SECONDS):.6f}"
        graph.append(f"{own}[out]")
    ffmpeg.run(
        [
            *inputs,
            *("-filter_complex", ";".join(graph), "-map", "[out]"),
            *("-f", "s16le", "-c:a", "pcm_s16le", "-y", str(target)),
        ],
        timeout=_SECONDS,
    )
    if target.stat().st_size != length * 2 * CHANNELS:
        raise MediaError(
            f"The sound of scene {shot.facts.scene} came out with {target.stat().st_size} bytes "
            f"instead of {length * 2 * CHANNELS}.",
            code="merge.encoding",
        )
    return target


def _opened(facts: Facts) -> list[str]:
    if facts.has_sound:
        return ffmpeg.source(facts.path)
    return ["-f", "lavfi", "-i", f"anullsrc=r={RATE}:cl=stereo"]


def _stretch(facts: Facts, number: int, begin: int, end: int) -> str:
    """Return the filters for the samples from `begin` to `end`, from the first picture on."""
    start, stream, layout = 0.0, 0, "stereo"
    if facts.has_sound:
        known = facts.start
        start = float(ffmpeg.inspect(facts.path).start if known is None else known)
        used = ffmpeg.audio_stream(facts.path)
        stream, layout = used.index, used.layout
    return (
        f"[{number}:{stream}]asetpts=PTS-{start:.9f}/TB,"
        f"aresample={RATE}:async=1:first_pts=0,{channels.to_stereo(layout)},aformat=sample_fmts=s16,"
        f"apad,atrim=start_sample={begin}:end_sample={end},asetpts=N/SR/TB"
    )


def _samples(plan: Plan, frames: int) -> int:
    """Return the place on the sound's clock of a picture."""
    return round(frames / plan.rate * RATE)
