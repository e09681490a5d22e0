"""Sizes of functions with their layers, compared with Lambda's limit."""

from infra.function_sources import files, function_names
from layers import build
from layers.platforms import PLATFORMS

# Lambda's quota of "250 MB (unzipped, including layers)" is in units of 2**20 bytes.
LIMIT = 250 * 2**20
# The functions that run ffmpeg; a test compares the template with this.
FFMPEG_USERS = frozenset({"clip", "merge", "register"})
SPEECH_USERS = frozenset({"speech"})  # the function that runs the offline voice


def own_size(function: str) -> int:
    """Return the size of a function's asset in bytes."""
    return sum(path.stat().st_size for path in files(function))


def total(function: str, platform: str) -> int:
    """Return the unzipped size in bytes of a function with its layers on a platform."""
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
            columns = f"{stamp.size / 2**20:9.1f}  {stamp.digest[:12]}" if stamp else "  not built"
            lines.append(f"{platform + '/' + layer:<28}{columns}")
    lines += ["", f"{'function':<14}{'code KiB':>9}{'with layers MiB':>19}{'of limit':>9}"]
    for function in function_names():
        size = total(function, "lambda-arm64")
        lines.append(
            f"{function:<14}{own_size(function) / 2**10:9.1f}{size / 2**20:19.1f}"
            f"{size / LIMIT:9.0%}"
        )
    return "\n".join(lines)
