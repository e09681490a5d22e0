"""The user account that PostgreSQL runs as.

PostgreSQL refuses to run as root or as a user id without a name, which a container may have. If
root starts it, the server runs as `nobody` with the capability CAP_DAC_OVERRIDE, so that it can
reach a clone in a directory that only root may enter, such as a home directory with mode 0700.
"""

import os
import pwd
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from infra.local.errors import LocalCloudError

NOBODY = "nobody"
# PostgreSQL finds its programs with access(2), which ignores the capability without the securebit
# (capabilities(7), SECBIT_NO_SETUID_FIXUP).
_DAC_OVERRIDE = (
    "--inh-caps=+dac_override",
    "--ambient-caps=+dac_override",
    "--securebits=+no_setuid_fixup",
)


@dataclass(frozen=True)
class Account:
    """A user account: how to start programs as it, and the owner of its files.

    `owner` is None for the current user.
    """

    prefix: tuple[str, ...] = ()
    options: Mapping[str, Any] = field(default_factory=dict)  # for subprocess.run
    owner: pwd.struct_passwd | None = None

    def can_use(self, directory: Path, initdb: str | None) -> bool:
        """Return True if it can enter the directory and run `initdb` with the data there."""
        check = ["sh", "-c", 'cd "$1" && shift && "$@"', "sh", str(directory)]
        # `--show` locates PostgreSQL's other programs and changes nothing.
        probe = [initdb, "--show", "-D", str(directory)] if initdb else ["true"]
        try:
            process = subprocess.run(
                [*self.prefix, *check, *probe],
                check=False,
                capture_output=True,
                cwd="/",
                **self.options,
            )
        except (OSError, subprocess.SubprocessError):
            return False
        return process.returncode == 0


def choose(directory: Path, initdb: str | None = None) -> Account:
    """Return an account that can use `directory`, or its nearest existing parent.

    Without `initdb` (before the packages are installed) only access to the directory is checked.
    Raises LocalCloudError if there is no such account.
    """
    while not directory.exists():
        directory = directory.parent
    for account in _candidates():
        if account.can_use(directory, initdb):
            return account
    raise LocalCloudError(_explain(directory))


def _candidates() -> Iterator[Account]:
    if os.geteuid() != 0 and _name(os.geteuid()):
        yield Account()
        return
    try:
        nobody = pwd.getpwnam(NOBODY)
    except KeyError:
        return
    if os.geteuid() == 0:
        if setpriv := shutil.which("setpriv"):
            user = (f"--reuid={nobody.pw_uid}", f"--regid={nobody.pw_gid}", "--clear-groups")
            # With the capability first: an accessible directory may become inaccessible later.
            yield Account((setpriv, *user, *_DAC_OVERRIDE), owner=nobody)
            yield Account((setpriv, *user), owner=nobody)
        else:
            options = {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}
            yield Account(options=options, owner=nobody)
    if sys.platform == "linux" and (unshare := shutil.which("unshare")):
        # In a user namespace without mappings the current user appears as nobody and keeps access
        # to its files. Mapping root would need a capability (user_namespaces(7), since Linux 5.12).
        yield Account((unshare, "--user"))


def _explain(directory: Path) -> str:
    if os.geteuid() == 0:
        if not any(account.can_use(Path("/"), None) for account in _candidates()):
            return (
                f"PostgreSQL does not run as root, and root cannot switch to the user {NOBODY}. "
                "Run this as a regular user, or give the container the capabilities SETUID and "
                "SETGID."
            )
        closed = [path for path in (directory, *directory.parents) if not path.stat().st_mode & 1]
        where = closed[-1] if closed else directory
        return (
            f"PostgreSQL does not run as root, and the user {NOBODY} has no access to {where}. "
            "Run this as a regular user, or in a clone that all users can access."
        )
    if not _name(os.geteuid()):
        return (
            f"PostgreSQL does not run as user id {os.geteuid()}, which has no name on this system. "
            "Add the user to /etc/passwd, or run this as another user."
        )
    return (
        f"Programs cannot be executed in {directory}. Use a clone that you own, on a file system "
        "that is not mounted noexec."
    )


def _name(uid: int) -> str | None:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return None
