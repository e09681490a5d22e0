"""The layers: reproducible, for the right platform, within the size limit, with licences."""

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
# The glibc of AWS's Python 3.13 runtime, Amazon Linux 2023.
LAMBDA_GLIBC = (2, 34)
CURRENT_PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"


@pytest.mark.parametrize(("platform", "layer"), LAYERS)
def test_layer_build_is_reproducible(
    layers: Stamps, platform: str, layer: str, tmp_path: Path
) -> None:
    second = build.build(PLATFORMS[platform](), layer, output=tmp_path)
    assert second.digest == layers[platform, layer].digest
    assert tree.digest(build.folder(platform, layer)) == second.digest


@pytest.mark.parametrize(("platform", "layer"), LAYERS)
def test_current_layer_is_not_rebuilt(layers: Stamps, platform: str, layer: str) -> None:
    folder = build.folder(platform, layer)
    before = folder.stat().st_ino
    assert build.build(PLATFORMS[platform](), layer) == layers[platform, layer]
    assert folder.stat().st_ino == before


@pytest.mark.usefixtures("layers")
@pytest.mark.parametrize("function", function_names())
def test_function_with_layers_is_within_size_limit(function: str) -> None:
    assert 0 < sizes.total(function, "lambda-arm64") < sizes.LIMIT


@pytest.mark.usefixtures("layers")
def test_size_table_names_every_function() -> None:
    assert all(name in sizes.table() for name in function_names())


@pytest.mark.usefixtures("layers")
def test_layer_programs_match_arm64_and_glibc_of_lambda() -> None:
    programs = 0
    for path in tree.files(build.OUTPUT / "lambda-arm64"):
        with path.open("rb") as stream:
            head = stream.read(20)
            if head[:4] != b"\x7fELF":
                continue
            programs += 1
            assert head[18:20] == b"\xb7\x00", f"{path} is not for arm64"
            needed = re.findall(rb"GLIBC_(\d+)\.(\d+)", head + stream.read())
        versions = {(int(major), int(minor)) for major, minor in needed}
        assert max(versions, default=(0, 0)) <= LAMBDA_GLIBC, path
    assert programs > 10


@pytest.mark.usefixtures("layers")
@pytest.mark.parametrize("platform", list(PLATFORMS))
def test_layers_contain_licence_of_every_package(platform: str) -> None:
    packages = build.folder(platform, "dependencies") / "python"
    unlicensed = [
        info.name
        for info in packages.glob("*.dist-info")
        if not any(re.match("(LICEN[CS]E|COPYING)", path.name, re.I) for path in tree.files(info))
    ]
    assert unlicensed == []
    licences = build.folder(platform, "ffmpeg") / "licenses"
    assert "GNU GENERAL PUBLIC LICENSE" in (licences / "COPYING.GPLv3").read_text()
    assert "--enable-gpl" in (licences / "NOTICE.md").read_text()
    licences = build.folder(platform, "speech") / "licenses"
    assert "GNU GENERAL PUBLIC LICENSE" in (licences / "COPYING.GPLv3").read_text()
    assert "eSpeak NG 1.52.0" in (licences / "espeak-ng.NOTICE.md").read_text()


@pytest.mark.usefixtures("layers")
def test_ffmpeg_layer_starts() -> None:
    ffmpeg = build.folder("local", "ffmpeg") / "bin" / "ffmpeg"
    done = subprocess.run([ffmpeg, "-version"], capture_output=True, text=True, check=True)
    notice = (ffmpeg.parents[1] / "licenses" / "NOTICE.md").read_text()
    assert done.stdout.split()[2] in notice


@pytest.mark.usefixtures("layers")
def test_speech_layer_synthesizes_speech() -> None:
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
def test_dependencies_layer_is_self_contained() -> None:
    """Imports work without the site-packages of this environment."""
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
def test_layer_bytecode_matches_target_python(platform: str) -> None:
    packages = build.folder(platform, "dependencies") / "python"
    compiled = [path.name for path in tree.files(packages) if path.suffix == ".pyc"]
    target = PLATFORMS[platform]()
    tag = f".cpython-{target.python.replace('.', '')}.pyc"
    assert bool(compiled) is (interpreter(target) is not None)
    assert all(name.endswith(tag) for name in compiled)


def test_interpreter_returns_python_of_target_version() -> None:
    path = interpreter(platform_with(CURRENT_PYTHON))
    assert path is not None
    done = subprocess.run([path, "--version"], capture_output=True, text=True, check=True)
    assert done.stdout.startswith(f"Python {CURRENT_PYTHON}.")
    assert interpreter(platform_with("3.99")) is None


def platform_with(python: str) -> Platform:
    return Platform(name="platform_with", python=python, resolver=(), identity="")


def test_ensure_interpreter_warns_if_python_is_unavailable(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("UV_OFFLINE", "1")
    ensure_interpreter(platform_with("3.99"))
    output = capsys.readouterr().out
    assert "warning: Python 3.99 is not installed and could not be downloaded (" in output
    assert "almost three times as long" in output
    assert "make layers" in output


def test_ensure_interpreter_does_not_fetch_installed_python(
    capsys: pytest.CaptureFixture[str],
) -> None:
    ensure_interpreter(platform_with(CURRENT_PYTHON))
    assert capsys.readouterr().out == ""


def test_layer_without_bytecode_is_rebuilt_once_python_is_available(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = platform_with(CURRENT_PYTHON)

    def tiny(target: Platform, into: Path) -> None:
        (into / "python").mkdir()
        (into / "python" / "tiny.py").write_text("SIZE = 'small'\n")
        install.bytecode(into / "python", target, "/opt/python")

    monkeypatch.setitem(build.LAYERS, "tiny", tiny)
    with monkeypatch.context() as patch:
        for module in (build, install):
            patch.setattr(module, "interpreter", lambda target: None)
        stamp = build.build(target, "tiny", output=tmp_path)
        assert not stamp.compiled
        assert build.build(target, "tiny", output=tmp_path) == stamp, (
            "an unchanged layer must not be rebuilt"
        )
    assert build.build(target, "tiny", output=tmp_path).compiled
    home = build.folder("platform_with", "tiny", tmp_path) / "python"
    (home / "tiny.py").write_text(
        "SIZE = 'changed'\n"
    )  # unchecked bytecode: the source is not read
    code = "import tiny; print(tiny.SIZE)"
    done = subprocess.run(
        [sys.executable, "-c", code], env={"PYTHONPATH": str(home)}, capture_output=True, check=True
    )
    assert done.stdout.split() == [b"small"]


def test_layer_requirements_come_from_lock_file() -> None:
    target = PLATFORMS["lambda-arm64"]()
    requirements = lock.runtime(target)
    text = lock.LOCK.read_text(encoding="utf-8")
    names = re.findall(r"^([\w.-]+)==", requirements, re.M)
    assert {"boto3", "aws-lambda-powertools", "psycopg2-binary"} <= set(names)
    assert "aws-cdk-lib" not in names
    assert requirements.count("--hash=sha256:") >= len(names)
    assert all(line in text for line in requirements.splitlines())


def test_layer_requirement_missing_from_lock_is_rejected(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shorter = tmp_path / "requirements.lock"
    remaining = [block for (name, _), block in lock.blocks().items() if name != "six"]
    shorter.write_text("".join(remaining))
    monkeypatch.setattr(lock, "LOCK", shorter)
    with pytest.raises(SystemExit, match=r"six==.* is not in requirements.lock"):
        lock.runtime(PLATFORMS["lambda-arm64"]())
