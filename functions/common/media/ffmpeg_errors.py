"""Translate ffmpeg's log into an error code and a sentence for the user. Performs no I/O.

The exit code of ffmpeg is an errno, the same for a damaged file and an unknown codec; only the log
has the reason. The log may quote the file, so users get the sentences below and only the operator
sees the log.
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
        "its frames have more pixels than the limit",
    ),
    (
        r"[Mm]ax streams|max_streams|[Tt]oo many streams",
        _TOO_LARGE,
        "it has more tracks than the limit",
    ),
    (
        r"malloc|Cannot allocate memory|alloc\w* failed|bad_alloc|pthread_create\(\) failed",
        _MEMORY,
        "it needs more memory than is available. A smaller size needs less",
    ),
    (r"No space left on device", _TOO_LARGE, "there is not enough disk space"),
    (r"File too large", _TOO_LARGE, "its output is larger than the limit"),
    (
        r"matches no streams|does not contain any stream",
        _INVALID,
        "it has no stream of the required kind",
    ),
    (
        r"not on whitelist|[Dd]ecoder .*not found|[Uu]nknown decoder|[Uu]nknown codec|no decoder",
        _INVALID,
        "it uses a codec that is not supported",
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
    (r"Invalid argument", _INVALID, "its form is not supported by ffmpeg"),
)
_SIGNALS = {
    Signals.SIGKILL: (_MEMORY, "the system stopped it, most likely because it ran out of memory"),
    Signals.SIGXCPU: (_TIMEOUT, "it exceeded the limit of processor time"),
    Signals.SIGXFSZ: (_TOO_LARGE, "its output is larger than the limit"),
}
_UNKNOWN = "ffmpeg gave no known reason; its output is in the log of the function"
_CRASHED = "ffmpeg crashed, so it is most likely damaged"
# A clip that was trimmed without re-encoding lacks reference frames before its start.
_MISSING_REFERENCE = re.compile(
    r"mmco: unref short failure|reference picture missing|Missing reference picture|"
    r"co located POCs unavailable|Could not find ref with POC|Frame num change|"
    r"number of reference frames"
)
_UNUSED_STREAM = re.compile(r"Codec \(\w+\) not on whitelist|Error parsing .*subtitle")
_ERROR_LEVELS = ("error", "fatal", "panic")
_LEVEL = re.compile(r"^(?:\[[^\]]* @ 0x[0-9a-f]+\] )?\[(?P<level>\w+)\] ")


def reason(stderr: str, exit_code: int) -> tuple[str, str]:
    """Return the error code and the reason of a failed run; the reason follows "because".

    `exit_code` is negative for a signal, as in `subprocess`.
    """
    for pattern, code, text in _REASONS:
        if re.search(pattern, stderr):
            return code, text
    if exit_code < 0:
        return _SIGNALS.get(Signals(-exit_code), (_INVALID, _CRASHED))
    return _INVALID, _UNKNOWN


def complaints(stderr: str, *, trimmed: bool = False) -> list[str]:
    """Return the lines of errors that ffmpeg logged although it continued.

    Every line of `stderr` starts with its log level. Errors about unused streams are left out. For
    a clip that was `trimmed` without re-encoding, so are errors about missing reference frames: the
    frames concerned are not presented.
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
