"""Errors of the local cloud that the command line prints without a traceback."""

import errno
from pathlib import Path


class LocalCloudError(Exception):
    """An error for the user; the message says what failed, what was kept and what to do."""


def explain_os_error(error: OSError, directory: Path) -> str:
    """Return the error message for an operating system error below `directory`."""
    path = error.filename or directory
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return (
            f"The disk is full: could not write {path}. Nothing was deleted. "
            "Free 2 GB and start again, or run `make clean` to delete the local cloud's data."
        )
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return (
            f"No permission for {path}. If another user, such as root, started the local cloud "
            f"before, delete {directory} as that user, or use a clone that you own."
        )
    return f"{error.strerror or error}: {path}"
