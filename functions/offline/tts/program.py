"""Starting eSpeak NG, and what it spoke."""

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
_REASONS = {2: "the program has no voice for its language"}  # by exit code, see `child`
_CRASHED = "the program crashed on it. Another wording most likely works"
_REFUSED = "the program did not take it. Another wording most likely works"


def speak(text: str, voice: str, words_a_minute: int) -> PcmAudio:
    """Return the text as spoken; raises MediaError when the program fails or says nothing."""
    library, data = _installed()
    try:
        done = subprocess.run(  # noqa: S603 - this interpreter, our own program, no shell
            [
                sys.executable,
                "-I",
                "-S",
                str(CHILD),
                str(library),
                str(data),
                voice,
                str(words_a_minute),
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
    if done.returncode != 0:
        # For the operator; the text itself is not logged.
        logger.info("The offline voice failed", extra={"exit_code": done.returncode})
        reason = _REASONS.get(done.returncode, _CRASHED if done.returncode < 0 else _REFUSED)
        raise MediaError(
            f"The offline voice cannot speak the text: {reason}.", code="speech.failed"
        )
    rate, samples = int.from_bytes(done.stdout[:4], "little"), done.stdout[4:]
    if not samples:
        raise MediaError(
            "There is nothing in the text that the offline voice can say.", code="speech.failed"
        )
    return PcmAudio(rate, samples)


def _installed() -> tuple[Path, Path]:
    """Return the library and its data."""
    if find_spec("espeakng_loader") is None:
        raise PermanentError(
            "The offline voice is not there; the function needs the speech layer.",
            code="speech.missing",
        )
    package = Path(str(resources.files("espeakng_loader")))
    (library,) = [*package.glob("libespeak-ng.so"), *package.glob("libespeak-ng.dylib")][:1]
    return library, package / "espeak-ng-data"
