"""The account that PostgreSQL runs as.

PostgreSQL refuses root, and a user id without a name (as a container may have one). As root the
server runs as `nobody`, with the one capability that lets it reach a clone below a directory that
only root may enter, such as a home directory with mode 0700.
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
# Without the securebit, access(2), by which PostgreSQL looks for its programs, ignores the
# capability (capabilities(7), SECBIT_NO_SETUID_FIXUP).
_REACH = (
    "--inh-caps=+dac_override",
    "--ambient-caps=+dac_override",
    "--securebits=+no_setuid_fixup",
)


@dataclass(frozen=True)
class Account:
    """How to start a program as the account, and who owns its files (None: the current user)."""

    prefix: tuple[str, ...] = ()
    options: Mapping[str, Any] = field(default_factory=dict)  # of subprocess
    owner: pwd.struct_passwd | None = None

    def can_use(self, directory: Path, initdb: str | None) -> bool:
        """Whether it can enter the directory, and run `initdb` with the data there."""
        check = ["sh", "-c", 'cd "$1" && shift && "$@"', "sh", str(directory)]
        # `--show` looks for the other programs of PostgreSQL, and changes nothing.
        probe = [initdb, "--show", "-D", str(directory)] if initdb else ["true"]
        try:
            done = subprocess.run(
                [*self.prefix, *check, *probe],
                check=False,
                capture_output=True,
                cwd="/",
                **self.options,
            )
        except (OSError, subprocess.SubprocessError):
            return False
        return done.returncode == 0


def choose(directory: Path, initdb: str | None = None) -> Account:
    """Return the account that can work in `directory`, or in its first parent that exists.

    Raises LocalCloudError when there is none. Without `initdb` (before the packages are
    installed) the directory alone counts.
    """
    while not directory.exists():
        directory = directory.parent
    for account in _candidates():
        if account.can_use(directory, initdb):
            return account
    raise LocalCloudError(_refusal(directory))


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
            # First with the capability: a directory that is open now may be closed later.
            yield Account((setpriv, *user, *_REACH), owner=nobody)
            yield Account((setpriv, *user), owner=nobody)
        else:
            options = {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}
            yield Account(options=options, owner=nobody)
    if sys.platform == "linux" and (unshare := shutil.which("unshare")):
        # The current user, whom a namespace without names shows as nobody; its files stay its own.
        # Mapping root there would need a capability (user_namespaces(7), since Linux 5.12).
        yield Account((unshare, "--user"))


def _refusal(directory: Path) -> str:
    if os.geteuid() == 0:
        if not any(account.can_use(Path("/"), None) for account in _candidates()):
            return (
                f"PostgreSQL does not run as root, and root may not become the user {NOBODY} here. "
                "Run this as an ordinary user, or give the container the capabilities SETUID and "
                "SETGID."
            )
        closed = [path for path in (directory, *directory.parents) if not path.stat().st_mode & 1]
        where = closed[-1] if closed else directory
        return (
            f"PostgreSQL does not run as root, and the user {NOBODY} cannot work in {where}. "
            "Run this as an ordinary user, or in a clone that every user may enter."
        )
    if not _name(os.geteuid()):
        return (
            f"PostgreSQL does not run as user id {os.geteuid()}, which has no name on this system. "
            "Add it to /etc/passwd, or run this as a user who is there."
        )
    return (
        f"Programs cannot be run in {directory}. Use a clone on a file system that is not mounted "
        "noexec, and whose files belong to you."
    )


def _name(uid: int) -> str | None:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return None
