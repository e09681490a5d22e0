"""`make first-use`: clone the last commit into many environments and make a video in each.

Needs Linux, root and permission to create namespaces. All files are below one temporary folder, and
the user account of some trials is removed at the end.
"""

import argparse
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from infra.local.state import PROJECT

USER = f"first-use-{os.getpid()}"
DEMO = "make demo SCENES=1 SECONDS=2 RATIO=960:960 PROMPT='A boat at dawn'"
TIMEOUT_SECONDS = 1800
TEMP_FOLDER = "/var/tmp"  # not /tmp, which some of the environments replace
# Settings of a package index, certificate authority or proxy that are passed to the trials.
PASSED_VARIABLES = ("PIP_", "UV_", "SSL_", "HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy")


@dataclass(frozen=True)
class Environment:
    """An environment in which the project is used for the first time."""

    name: str
    clone: str = "clone"  # path of the clone, below the trial's folder
    user: bool = False  # an unprivileged user with a private home; otherwise root
    run: str = '"$@"'  # shell script around the command, in its own namespaces
    umask: str = "022"
    variables: dict[str, str | None] = field(default_factory=dict)
    python: str | None = None
    namespaces: str = "--mount"
    refused: str | None = None  # text of the expected error; None if it must work


LONG = "/".join(["long" * 25] * 9)
UNUSUAL_CHARACTERS = "Ünï çlone it's 100% #1 [x] (y) & z;"
WITHOUT_CAPABILITIES = 'exec setpriv --bounding-set=-all --inh-caps=-all "$@"'
ENVIRONMENTS = (
    Environment("root"),
    Environment("root, home 0700", clone="home/clone"),
    Environment("root, umask 077", clone="home/clone", umask="077"),
    Environment("user, home 0700", user=True, clone="home/clone"),
    Environment("user, umask 077", user=True, clone="home/clone", umask="077"),
    Environment("odd letters in the path", clone=UNUSUAL_CHARACTERS),
    Environment("odd letters, locale C", clone=UNUSUAL_CHARACTERS, variables={"LC_ALL": "C"}),
    Environment("path of 800 bytes", clone=LONG[:760]),
    Environment("path of 1,000 bytes", clone=LONG, refused="bytes long"),
    Environment("colon in the path", clone="a:b", refused="':'"),
    Environment("dollar in the path", clone="a $HOME", refused="'$'"),
    Environment("TMPDIR that does not exist", variables={"TMPDIR": "/not/there"}),
    Environment("TMPDIR with odd letters", variables={"TMPDIR": "{base}/t m'p ü"}),
    Environment("/tmp noexec", user=True, run='mount -t tmpfs -o noexec,mode=1777 none /tmp; "$@"'),
    Environment(
        "home read-only",
        user=True,
        run='mount --bind "$base/home" "$base/home"; mount -o remount,bind,ro "$base/home"; "$@"',
    ),
    Environment("HOME unset", variables={"HOME": None}),
    Environment("/dev/shm of 64 KiB", run='mount -t tmpfs -o size=64k none /dev/shm; "$@"'),
    Environment("no /dev/shm", run='mount -t tmpfs -o mode=000 none /dev/shm; "$@"', user=True),
    Environment(
        "no IPv6, no network",
        namespaces="--mount --net",
        run='ip link set lo up; sysctl -qw net.ipv6.conf.all.disable_ipv6=1; "$@"',
    ),
    Environment("no git", run='mount --bind /bin/false "$(command -v git)"; rm -rf .git; "$@"'),
    Environment(
        "user id without a name",
        run='chown -R 4711:4711 "$base"; setpriv --reuid=4711 --regid=4711 --clear-groups "$@"',
    ),
    Environment("root without capabilities", run=WITHOUT_CAPABILITIES),
    Environment(
        "the same, without user namespaces",
        run='mount --bind /bin/false "$(command -v unshare)"; ' + WITHOUT_CAPABILITIES,
        refused="does not run as root",
    ),
    Environment(
        "clone on a noexec disk",
        run='mount --bind . .; mount -o remount,bind,noexec .; cd .; cd "$PWD"; "$@"',
        refused="noexec",
    ),
    Environment(
        "clone read-only",
        run='mount --bind . .; mount -o remount,bind,ro .; cd "$PWD"; "$@"',
        refused="cannot be written",
    ),
    Environment(
        "disk of 100 MB",
        run="mount -t tmpfs -o size=100m none out.d; git clone -q . out.d/clone; "
        'cd out.d/clone; "$@"',
        refused="MB are free",
    ),
    Environment("Python 3.10", python="3.10", refused="3.11 or newer"),
    Environment("Python 3.12", python="3.12"),
    Environment("Python 3.13", python="3.13"),
    Environment("Python 3.14", python="3.14"),
)


@dataclass(frozen=True)
class Result:
    """The result of a trial: `ok`, `refused`, `not tried` or `FAILED`, and the last output."""

    outcome: str
    seconds: float
    output: str = ""


def trial(environment: Environment, base: Path, source: Path) -> Result:
    """Clone the repository `source`, run the demo in the clone, and return the result."""
    python = _python(environment.python) if environment.python else None
    if environment.python and python is None:
        return Result("not tried", 0, "not installed on this machine")
    started = time.monotonic()
    clone = _clone(environment, base, source)
    command = DEMO + (f" PYTHON={shlex.quote(python)}" if python else "")
    if environment.namespaces.endswith("--net"):
        subprocess.run(["make", ".venv/.installed"], cwd=clone, check=True, capture_output=True)
    before = set(clone.iterdir())
    done = run(environment, base, ["sh", "-c", command], clone)
    seconds = time.monotonic() - started
    text = (done.stdout + done.stderr).strip()
    if environment.refused:
        refusals = [line for line in text.splitlines() if line.startswith("error: ")]
        has_new_files = set(clone.iterdir()) != before
        is_expected = done.returncode and len(refusals) == 1 and environment.refused in refusals[0]
        return Result(
            "refused" if is_expected and not has_new_files else "FAILED", seconds, text[-600:]
        )
    videos = list((clone / "out").glob("*.mp4")) if done.returncode == 0 else []
    if videos:
        return Result("ok", seconds)
    logs = [file.read_text(errors="replace")[-3000:] for file in clone.glob(".local/log/*.log")]
    return Result("FAILED", seconds, "\n".join([text[-3000:], *logs]))


def run(
    environment: Environment, base: Path, command: list[str], directory: Path
) -> "subprocess.CompletedProcess[str]":
    """Run a command in the environment's namespaces, with its user and variables."""
    variables = {"PATH": os.environ["PATH"], "HOME": str(base / "home"), "LANG": "C.UTF-8"}
    variables |= {
        name: text for name, text in os.environ.items() if name.startswith(PASSED_VARIABLES)
    }
    for name, text in environment.variables.items():
        variables.pop(name, None)
        if text is not None:
            variables[name] = text.format(base=base)
    set_user = ["setpriv", f"--reuid={USER}", f"--regid={USER}", "--clear-groups"]
    full_command = [*(set_user if environment.user else []), *command]
    script = f'set -e; umask {environment.umask}; cd "$1"; base=$2; shift 2; {environment.run}'
    namespaces = [*environment.namespaces.split(), "--propagation", "private"]
    return subprocess.run(
        [
            "unshare",
            *namespaces,
            "sh",
            "-c",
            script,
            "sh",
            str(directory),
            str(base),
            *full_command,
        ],
        check=False,
        capture_output=True,
        text=True,
        errors="replace",
        env=variables,
        timeout=TIMEOUT_SECONDS,
    )


def _clone(environment: Environment, base: Path, source: Path) -> Path:
    clone = base / environment.clone
    base.chmod(0o755)
    for folder in (base / "home", base / "t m'p ü", clone.parent):
        folder.mkdir(parents=True, exist_ok=True)
    command = ["git", "clone", "-q", "--no-hardlinks", str(source), str(clone)]
    umask = int(environment.umask, 8)
    subprocess.run(command, check=True, umask=umask, capture_output=True)
    (base / "home").chmod(0o700)
    if "out.d" in environment.run:
        (clone / "out.d").mkdir()
    if environment.user:
        subprocess.run(["chown", "-R", f"{USER}:{USER}", str(base)], check=True)
    return clone


def _python(version: str) -> str | None:
    """Return the path of a Python version, which pyenv may hide behind a shim that fails."""
    home = Path.home() / ".pyenv" / "versions"
    for path in (shutil.which(f"python{version}"), *home.glob(f"{version}.*/bin/python{version}")):
        if path and not subprocess.run([path, "--version"], capture_output=True).returncode:
            return str(path)
    return None


@contextmanager
def unprivileged_user() -> Iterator[None]:
    """Create the unprivileged user within the context."""
    subprocess.run(["useradd", "--no-create-home", "--shell", "/bin/sh", USER], check=True)
    try:
        yield
    finally:
        subprocess.run(["userdel", USER], check=True)


def concurrent_trials(base: Path, source: Path) -> Result:
    """Run the demo in two clones of a commit at the same time."""
    bases = [base / "first", base / "second"]
    for folder in bases:
        folder.mkdir(parents=True)
    with ThreadPoolExecutor(2) as pool:
        first, second = pool.map(
            lambda folder: trial(Environment("one of two"), folder, source), bases
        )
    return first if first.outcome != "ok" else second


def main() -> int:
    """Print a line for each environment; return 1 if a result is not as expected."""
    parser = argparse.ArgumentParser(prog="python -m tests.local.first_use", description=__doc__)
    parser.add_argument("names", nargs="*", help="parts of environment names (default: all)")
    names = parser.parse_args().names
    failed = 0
    with unprivileged_user(), tempfile.TemporaryDirectory(dir=TEMP_FOLDER) as root:
        source = Path(root, "source")  # ignores commits made while the trials run
        clone = ["git", "clone", "-q", "--bare", "--no-hardlinks", str(PROJECT), str(source)]
        subprocess.run(clone, check=True)
        for environment in (*ENVIRONMENTS, Environment("two clones at once")):
            if names and not any(name in environment.name for name in names):
                continue
            with tempfile.TemporaryDirectory(prefix="first-use-", dir=TEMP_FOLDER) as folder:
                is_concurrent = environment.name == "two clones at once"
                base = Path(folder)
                result = (
                    concurrent_trials(base, source)
                    if is_concurrent
                    else trial(environment, base, source)
                )
            failed += result.outcome == "FAILED"
            print(f"{environment.name:<36} {result.outcome:<9} {result.seconds:5.0f} s", flush=True)
            if result.outcome != "ok":
                print("    " + result.output.replace("\n", "\n    "), flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
