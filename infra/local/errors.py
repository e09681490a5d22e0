"""Failures that a person can act on; the command line prints them without a traceback."""

import errno
from pathlib import Path


class LocalCloudError(Exception):
    """Says what was wrong, what was kept and what to do, in words for the person in front of it."""


def explain_os_error(error: OSError, directory: Path) -> str:
    """Words for an operating-system error met while working below `directory`."""
    place = error.filename or directory
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return (
            f"The disk is full: could not write {place}. Nothing was removed. "
            "Make room (2 GB are enough) and start again, or run `make clean` to drop the local "
            "cloud's data."
        )
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return (
            f"No permission for {place}. If another user (for example root) started the local "
            f"cloud before, remove {directory} as that user, or use a clone of your own."
        )
    return f"{error.strerror or error}: {place}"
