"""Why ffmpeg failed, in words for users. Touches nothing.

ffmpeg has no error codes of its own: its exit code is that of the C library, the same for a damaged
file and an unknown codec. Its log has the reason. The log may quote the file, so users get the
sentences below and the log stays with the operator.
"""

import re
from signal import Signals

_INVALID, _TOO_LARGE, _MEMORY, _TIMEOUT = (
    "media.invalid",
    "media.too_large",
    "media.memory",
    "media.timeout",
)
_REASONS: tuple[tuple[str, str, str], ...] = (
    (
        r"Picture size \d+x\d+ is invalid|max_pixels|exceeds the limit",
        _TOO_LARGE,
        "its frames have more pixels than are allowed",
    ),
    (
        r"[Mm]ax streams|max_streams|[Tt]oo many streams",
        _TOO_LARGE,
        "it has more tracks than are allowed",
    ),
    (
        r"malloc|Cannot allocate memory|alloc\w* failed|bad_alloc|pthread_create\(\) failed",
        _MEMORY,
        "it needs more memory than there is. A smaller size needs less",
    ),
    (r"No space left on device", _TOO_LARGE, "there is not enough disk space for it"),
    (r"File too large", _TOO_LARGE, "what comes out is larger than is allowed"),
    (
        r"matches no streams|does not contain any stream",
        _INVALID,
        "it has no stream that is needed for this",
    ),
    (
        r"not on whitelist|[Dd]ecoder .*not found|[Uu]nknown decoder|[Uu]nknown codec|no decoder",
        _INVALID,
        "it holds a codec that is not taken here",
    ),
    (r"moov atom not found", _INVALID, "it is cut short: its index is missing"),
    (
        r"no path between colorspaces|Impossible to convert|rror (?:re)?initializing filter",
        _INVALID,
        "its colours or pixel format cannot be converted",
    ),
    (
        r"Invalid (?:data found|NAL)|rror (?:while decoding|reading)|End of file|corrupt|truncat",
        _INVALID,
        "it is damaged: parts of it cannot be read",
    ),
    (r"Invalid argument", _INVALID, "it is in a form that ffmpeg cannot work with"),
)
_SIGNALS = {
    Signals.SIGKILL: (_MEMORY, "the system stopped it, most likely for want of memory"),
    Signals.SIGXCPU: (_TIMEOUT, "it takes more processor time than is allowed"),
    Signals.SIGXFSZ: (_TOO_LARGE, "what comes out is larger than is allowed"),
}
_UNKNOWN = "ffmpeg gave no reason that is known here; the log of the function has its words"
_CRASHED = "ffmpeg crashed on it, so it is most likely damaged"
# References to frames before the cut are missing where a clip was trimmed without re-encoding.
_MISSING_REFERENCE = re.compile(
    r"mmco: unref short failure|reference picture missing|Missing reference picture|"
    r"co located POCs unavailable|Could not find ref with POC|Frame num change|"
    r"number of reference frames"
)
_UNUSED_STREAM = re.compile(r"Codec \(\w+\) not on whitelist|Error parsing .*subtitle")
_ERROR_LEVELS = ("error", "fatal", "panic")
_LEVEL = re.compile(r"^(?:\[[^\]]* @ 0x[0-9a-f]+\] )?\[(?P<level>\w+)\] ")


def reason(stderr: str, exit_code: int) -> tuple[str, str]:
    """Return the error code and the reason (after "because") of a failed run.

    `exit_code` is negative for a signal, as in `subprocess`.
    """
    for pattern, code, text in _REASONS:
        if re.search(pattern, stderr):
            return code, text
    if exit_code < 0:
        return _SIGNALS.get(Signals(-exit_code), (_INVALID, _CRASHED))
    return _INVALID, _UNKNOWN


def complaints(stderr: str, *, trimmed: bool = False) -> list[str]:
    """Return the errors that ffmpeg logged although it went on. Each line has its level.

    Errors about streams that are not used are left out. So are those about missing references where
    the clip was `trimmed` without re-encoding: the frames concerned are not shown.
    """
    lines = []
    for line in stderr.splitlines():
        level = _LEVEL.match(line)
        if level is None or level["level"] not in _ERROR_LEVELS or _UNUSED_STREAM.search(line):
            continue
        if trimmed and _MISSING_REFERENCE.search(line):
            continue
        lines.append(line)
    return lines
