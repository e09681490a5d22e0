"""Speech synthesis with eSpeak NG in a child process."""

import subprocess
import sys
from importlib import resources
from importlib.util import find_spec
from pathlib import Path

from common.aws.log import logger
from common.domain.errors import MediaError, PermanentError
from common.media.wav import PcmAudio

CHILD = Path(__file__).with_name("child.py")
_SECONDS = 30
_REASONS = {2: "the synthesizer has no voice for its language"}  # by exit code of child.py
_CRASHED = "the synthesizer crashed. Try another wording"
_REJECTED = "the synthesizer rejected it. Try another wording"


def speak(text: str, voice: str, words_per_minute: int) -> PcmAudio:
    """Synthesize the text; raises MediaError if the synthesizer fails or produces no audio."""
    library, data = _installed()
    try:
        process = subprocess.run(  # noqa: S603 - this interpreter, our own program, no shell
            [
                sys.executable,
                "-I",
                "-S",
                str(CHILD),
                str(library),
                str(data),
                voice,
                str(words_per_minute),
            ],
            input=text.encode("utf-8", "ignore"),
            capture_output=True,
            timeout=_SECONDS,
            check=False,
            env={},
        )
    except subprocess.TimeoutExpired:
        raise MediaError(
            f"The offline voice took longer than {_SECONDS} s and was stopped.",
            code="media.timeout",
        ) from None
    if process.returncode != 0:
        # The text is not logged.
        logger.info("The offline voice failed", extra={"exit_code": process.returncode})
        reason = _REASONS.get(process.returncode, _CRASHED if process.returncode < 0 else _REJECTED)
        raise MediaError(
            f"The offline voice cannot speak the text: {reason}.", code="speech.failed"
        )
    rate, samples = int.from_bytes(process.stdout[:4], "little"), process.stdout[4:]
    if not samples:
        raise MediaError(
            "The text contains nothing that the offline voice can speak.", code="speech.failed"
        )
    return PcmAudio(rate, samples)


def _installed() -> tuple[Path, Path]:
    """Return the paths of the library and its data; raises PermanentError without the package."""
    if find_spec("espeakng_loader") is None:
        raise PermanentError(
            "The offline voice is not installed. The function needs the speech layer.",
            code="speech.missing",
        )
    package = Path(str(resources.files("espeakng_loader")))
    (library,) = [*package.glob("libespeak-ng.so"), *package.glob("libespeak-ng.dylib")][:1]
    return library, package / "espeak-ng-data"
