"""The layers: the same bytes every time, for the right machine, small enough, with licences."""

import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from infra.function_sources import function_names
from layers import build, install, lock, sizes, tree
from layers.__main__ import ensure_interpreter
from layers.platforms import PLATFORMS, Platform, interpreter
from offline.tts import program

Stamps = Mapping[tuple[str, str], build.Stamp]

LAYERS = [(platform, layer) for platform in PLATFORMS for layer in build.LAYERS]
# What AWS's Python 3.13 runtime has: Amazon Linux 2023.
LAMBDA_GLIBC = (2, 34)
HERE = f"{sys.version_info.major}.{sys.version_info.minor}"


@pytest.mark.parametrize(("platform", "layer"), LAYERS)
def test_two_builds_are_the_same(layers: Stamps, platform: str, layer: str, tmp_path: Path) -> None:
    again = build.build(PLATFORMS[platform](), layer, output=tmp_path)
    assert again.digest == layers[platform, layer].digest
    assert tree.digest(build.folder(platform, layer)) == again.digest


@pytest.mark.parametrize(("platform", "layer"), LAYERS)
def test_what_is_up_to_date_is_left_alone(layers: Stamps, platform: str, layer: str) -> None:
    folder = build.folder(platform, layer)
    before = folder.stat().st_ino
    assert build.build(PLATFORMS[platform](), layer) == layers[platform, layer]
    assert folder.stat().st_ino == before


@pytest.mark.usefixtures("layers")
@pytest.mark.parametrize("function", function_names())
def test_a_function_with_its_layers_is_small_enough(function: str) -> None:
    assert 0 < sizes.total(function, "lambda-arm64") < sizes.LIMIT


@pytest.mark.usefixtures("layers")
def test_the_table_names_every_function() -> None:
    assert all(name in sizes.table() for name in function_names())


@pytest.mark.usefixtures("layers")
def test_the_cloud_gets_programs_for_arm64_and_its_glibc() -> None:
    found = 0
    for path in tree.files(build.OUTPUT / "lambda-arm64"):
        with path.open("rb") as stream:
            head = stream.read(20)
            if head[:4] != b"\x7fELF":
                continue
            found += 1
            assert head[18:20] == b"\xb7\x00", f"{path} is not for arm64"
            needed = re.findall(rb"GLIBC_(\d+)\.(\d+)", head + stream.read())
        versions = {(int(major), int(minor)) for major, minor in needed}
        assert max(versions, default=(0, 0)) <= LAMBDA_GLIBC, path
    assert found > 10


@pytest.mark.usefixtures("layers")
@pytest.mark.parametrize("platform", list(PLATFORMS))
def test_every_package_keeps_its_licence(platform: str) -> None:
    packages = build.folder(platform, "dependencies") / "python"
    without = [
        info.name
        for info in packages.glob("*.dist-info")
        if not any(re.match("(LICEN[CS]E|COPYING)", path.name, re.I) for path in tree.files(info))
    ]
    assert without == []
    licences = build.folder(platform, "ffmpeg") / "licenses"
    assert "GNU GENERAL PUBLIC LICENSE" in (licences / "COPYING.GPLv3").read_text()
    assert "--enable-gpl" in (licences / "NOTICE.md").read_text()
    licences = build.folder(platform, "speech") / "licenses"
    assert "GNU GENERAL PUBLIC LICENSE" in (licences / "COPYING.GPLv3").read_text()
    assert "eSpeak NG 1.52.0" in (licences / "espeak-ng.NOTICE.md").read_text()


@pytest.mark.usefixtures("layers")
def test_ffmpeg_starts() -> None:
    ffmpeg = build.folder("local", "ffmpeg") / "bin" / "ffmpeg"
    done = subprocess.run([ffmpeg, "-version"], capture_output=True, text=True, check=True)
    notice = (ffmpeg.parents[1] / "licenses" / "NOTICE.md").read_text()
    assert done.stdout.split()[2] in notice


@pytest.mark.usefixtures("layers")
def test_the_offline_voice_speaks_from_its_layer() -> None:
    home = build.folder("local", "speech") / "python" / "espeakng_loader"
    command = [sys.executable, "-I", "-S", str(program.CHILD), str(home / "libespeak-ng.so")]
    done = subprocess.run(
        [*command, str(home / "espeak-ng-data"), "en-us+f2", "160"],
        input=b"A paper boat.",
        capture_output=True,
        check=True,
    )
    assert len(done.stdout) > 2 * 22_050 * 0.5


@pytest.mark.usefixtures("layers")
def test_the_layer_alone_carries_the_functions() -> None:
    """Without the site-packages of this environment."""
    packages = build.folder("local", "dependencies") / "python"
    code = "import botocore.session, openai, PIL.Image, psycopg2, pydantic, requests, yoyo; "
    code += "s = botocore.session.get_session(); print(s.get_available_services())"
    done = subprocess.run(
        [sys.executable, "-S", "-c", code],
        env={"PYTHONPATH": str(packages), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert "stepfunctions" in done.stdout


@pytest.mark.usefixtures("layers")
@pytest.mark.parametrize("platform", list(PLATFORMS))
def test_bytecode_is_for_the_python_that_runs_it(platform: str) -> None:
    packages = build.folder(platform, "dependencies") / "python"
    compiled = [path.name for path in tree.files(packages) if path.suffix == ".pyc"]
    target = PLATFORMS[platform]()
    tag = f".cpython-{target.python.replace('.', '')}.pyc"
    assert bool(compiled) is (interpreter(target) is not None)
    assert all(name.endswith(tag) for name in compiled)


def test_a_python_of_the_targets_version_is_found() -> None:
    found = interpreter(elsewhere(HERE))
    assert found is not None
    done = subprocess.run([found, "--version"], capture_output=True, text=True, check=True)
    assert done.stdout.startswith(f"Python {HERE}.")
    assert interpreter(elsewhere("3.99")) is None


def elsewhere(python: str) -> Platform:
    return Platform(name="elsewhere", python=python, resolver=(), identity="")


def test_python_that_cannot_be_had_is_a_warning_with_what_is_lost(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("UV_OFFLINE", "1")
    ensure_interpreter(elsewhere("3.99"))
    said = capsys.readouterr().out
    assert "warning: there is no Python 3.99 here, and none could be fetched (" in said
    assert "almost three times as long" in said
    assert "make layers" in said


def test_python_that_is_there_is_not_fetched(capsys: pytest.CaptureFixture[str]) -> None:
    ensure_interpreter(elsewhere(HERE))
    assert capsys.readouterr().out == ""


def test_layer_without_bytecode_is_built_again_where_there_is_a_python(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = elsewhere(HERE)

    def tiny(target: Platform, into: Path) -> None:
        (into / "python").mkdir()
        (into / "python" / "tiny.py").write_text("SIZE = 'small'\n")
        install.bytecode(into / "python", target, "/opt/python")

    monkeypatch.setitem(build.LAYERS, "tiny", tiny)
    with monkeypatch.context() as without:
        for module in (build, install):
            without.setattr(module, "interpreter", lambda target: None)
        stamp = build.build(target, "tiny", output=tmp_path)
        assert not stamp.compiled
        assert build.build(target, "tiny", output=tmp_path) == stamp, "and not built in vain"
    assert build.build(target, "tiny", output=tmp_path).compiled
    home = build.folder("elsewhere", "tiny", tmp_path) / "python"
    (home / "tiny.py").write_text("SIZE = 'changed'\n")  # trusted unchecked: the source is not read
    code = "import tiny; print(tiny.SIZE)"
    done = subprocess.run(
        [sys.executable, "-c", code], env={"PYTHONPATH": str(home)}, capture_output=True, check=True
    )
    assert done.stdout.split() == [b"small"]


def test_only_what_the_lock_holds_is_installed() -> None:
    target = PLATFORMS["lambda-arm64"]()
    requirements = lock.runtime(target)
    text = lock.LOCK.read_text(encoding="utf-8")
    names = re.findall(r"^([\w.-]+)==", requirements, re.M)
    assert {"boto3", "aws-lambda-powertools", "psycopg2-binary"} <= set(names)
    assert "aws-cdk-lib" not in names
    assert requirements.count("--hash=sha256:") >= len(names)
    assert all(line in text for line in requirements.splitlines())


def test_a_pin_that_the_lock_lacks_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shorter = tmp_path / "requirements.lock"
    kept = [block for (name, _), block in lock.blocks().items() if name != "six"]
    shorter.write_text("".join(kept))
    monkeypatch.setattr(lock, "LOCK", shorter)
    with pytest.raises(SystemExit, match=r"six==.* is not in requirements.lock"):
        lock.runtime(PLATFORMS["lambda-arm64"]())
