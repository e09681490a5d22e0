"""How large each function is with its layers, against what AWS Lambda allows."""

from infra.function_sources import files, function_names
from layers import build
from layers.platforms import PLATFORMS

# "250 MB unzipped, layers included", which Lambda counts in units of 2**20 bytes.
LIMIT = 250 * 2**20
# Only what starts ffmpeg carries it; the template test holds infra to this.
FFMPEG_USERS = frozenset({"clip", "merge", "register"})
SPEECH_USERS = frozenset({"speech"})  # only what speaks carries the offline voice


def own_size(function: str) -> int:
    """Return the bytes of a function's own asset."""
    return sum(path.stat().st_size for path in files(function))


def total(function: str, platform: str) -> int:
    """Return the unzipped bytes of a function with its layers on a platform."""
    layers = [
        "dependencies",
        *(["ffmpeg"] if function in FFMPEG_USERS else []),
        *(["speech"] if function in SPEECH_USERS else []),
    ]
    stamps = [build.read_stamp(platform, layer) for layer in layers]
    return own_size(function) + sum(stamp.size for stamp in stamps if stamp)


def table() -> str:
    """Return the table that `make sizes` prints."""
    lines = [f"{'layer':<28}{'MiB':>9}  digest"]
    for platform in PLATFORMS:
        for layer in build.LAYERS:
            stamp = build.read_stamp(platform, layer)
            size = f"{stamp.size / 2**20:9.1f}  {stamp.digest[:12]}" if stamp else "  not built"
            lines.append(f"{platform + '/' + layer:<28}{size}")
    lines += ["", f"{'function':<14}{'own KiB':>9}{'in the cloud MiB':>19}{'of 250':>9}"]
    for function in function_names():
        whole = total(function, "lambda-arm64")
        lines.append(
            f"{function:<14}{own_size(function) / 2**10:9.1f}{whole / 2**20:19.1f}"
            f"{whole / LIMIT:9.0%}"
        )
    return "\n".join(lines)
