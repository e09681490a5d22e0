"""Synthesis without network or account, and the contents of each function's asset."""

import json
import os
import shutil
import site
import subprocess
import sys
from collections.abc import Mapping
from modulefinder import ModuleFinder
from pathlib import Path
from typing import Any

import pytest
from aws_cdk import App, Stack
from aws_cdk.aws_s3_assets import Asset

from infra.app import ROOT, synth
from infra.function_sources import FUNCTIONS, PROVIDERS, files, function_names
from layers import build
from layers.platforms import PLATFORMS, interpreter
from tests.infra.template import Template


def without_network() -> list[str]:
    """Return a command prefix that disables the network; empty if the system does not allow it."""
    for prefix in (["unshare", "--net"], ["unshare", "--map-root-user", "--net"]):
        command = [*prefix, "true"]
        if shutil.which("unshare") and subprocess.run(command, capture_output=True).returncode == 0:
            return prefix
    return []


@pytest.mark.usefixtures("layers")
def test_cdk_synth_needs_no_network_or_account(tmp_path: Path) -> None:
    """Run the app as `cdk synth -c stage=dev -c text_provider=openai` does.

    A `-c` option takes precedence over the stage's entry in cdk.context.json.
    """
    prefix = without_network()
    if not prefix:
        pytest.skip("this system cannot start a process without network")
    flags = json.loads((ROOT / "cdk.json").read_text())["context"]
    stored = {"text_provider": "offline", "availability_zones": ["us-east-1b", "us-east-1c"]}
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": os.environ["HOME"],  # jsii unpacks the CDK there, once
        "CDK_OUTDIR": str(tmp_path / "out"),
        "CDK_CONTEXT_JSON": json.dumps(
            {**flags, "stage": "dev", "text_provider": "openai", "dev": stored, "prod": {"x": 1}}
        ),
    }
    done = subprocess.run(
        [*prefix, sys.executable, "-m", "infra.app"],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    template = Template("dev", tmp_path / "out" / "VideoGenerator-dev.template.json")
    variables = template.functions["story"]["Environment"]["Variables"]
    assert variables["TEXT_PROVIDER"] == "openai"
    subnets = template.of_type("AWS::EC2::Subnet").values()
    zones = {subnet["AvailabilityZone"] for subnet in subnets}
    assert zones == {"us-east-1b", "us-east-1c"}


def test_synthesis_uses_no_docker_or_context_lookup(templates: Mapping[str, Template]) -> None:
    for template in templates.values():
        manifest = json.loads((template.path.parent / "manifest.json").read_text())
        assert not manifest.get("missing")
        assets = json.loads(
            (template.path.parent / f"VideoGenerator-{template.stage}.assets.json").read_text()
        )
        assert not assets["dockerImages"]


def asset(template: Template, properties: Mapping[str, object]) -> Path:
    """Return the folder of an asset of the template."""
    code = properties.get("Code") or properties["Content"]
    assert isinstance(code, dict)
    return template.path.parent / f"asset.{code['S3Key'].removesuffix('.zip')}"


def contents(template: Template, properties: Mapping[str, object]) -> set[str]:
    """Return the files of an asset of the template."""
    folder = asset(template, properties)
    return {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()}


_IMPORT_ALL = """
import importlib, json, sys
for name in json.loads(sys.argv[1]):
    importlib.import_module(name)
print(json.dumps([m.__file__ for m in sys.modules.values() if getattr(m, "__file__", None)]))
"""


@pytest.mark.parametrize("function", function_names())
def test_asset_contains_the_import_closure(prod: Template, function: str) -> None:
    expected = {p.relative_to(FUNCTIONS).as_posix() for p in files(function)}
    found = contents(prod, prod.functions[function])
    assert {name for name in found if "__pycache__" not in name} == expected


@pytest.mark.parametrize("function", function_names())
def test_asset_contains_the_bytecode_of_every_module(prod: Template, function: str) -> None:
    if interpreter(PLATFORMS["lambda-arm64"]()) is None:
        pytest.skip("this machine has no Python of Lambda's version")
    found = {Path(name) for name in contents(prod, prod.functions[function])}
    modules = {name for name in found if name.suffix == ".py"}
    compiled = {
        name.parents[1] / f"{name.name.partition('.')[0]}.py"
        for name in found
        if name.name.endswith(".cpython-313.pyc")
    }
    assert compiled == modules


@pytest.mark.parametrize("function", function_names())
def test_asset_modules_are_importable_from_asset(prod: Template, function: str) -> None:
    folder = asset(prod, prod.functions[function])
    names = sorted(
        ".".join(path.relative_to(folder).with_suffix("").parts).removesuffix(".__init__")
        for path in folder.rglob("*.py")
    )
    done = subprocess.run(
        [sys.executable, "-S", "-B", "-c", _IMPORT_ALL, json.dumps(names)],
        env={
            "PATH": os.environ["PATH"],
            "PYTHONPATH": os.pathsep.join([str(folder), *site.getsitepackages()]),
            "POWERTOOLS_SERVICE_NAME": "test",
            "POWERTOOLS_METRICS_NAMESPACE": "test",
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert not [file for file in json.loads(done.stdout) if file.startswith(f"{FUNCTIONS}/")]


class Finder(ModuleFinder):
    """A ModuleFinder that supports folders without `__init__.py`."""

    def find_module(self, name: str, path: Any, parent: Any = None) -> Any:
        try:
            return super().find_module(name, path, parent)
        except AttributeError:
            raise ImportError(name) from None


@pytest.mark.parametrize("function", function_names())
def test_asset_contains_no_unused_module(prod: Template, function: str) -> None:
    """ModuleFinder, which reads bytecode, confirms the project's own import analysis."""
    folder = asset(prod, prod.functions[function])
    finder = Finder(path=[str(folder)])
    finder.import_hook(f"{function}.handler")
    if function in PROVIDERS:
        finder.import_hook(f"offline.{PROVIDERS[function]}")
        for path in (folder / "common" / "providers" / PROVIDERS[function]).glob("*.py"):
            finder.import_hook(f"common.providers.{PROVIDERS[function]}.{path.stem}")
    imported = {getattr(module, "__file__", None) for module in finder.modules.values()}
    present = {str(path) for path in folder.rglob("*.py")}
    run_as_program = {str(folder / "offline" / "tts" / "child.py")}
    assert present - imported - run_as_program == set()


@pytest.mark.parametrize(
    ("changed", "redeployed"),
    [
        ("offline/painter/swimmers.py", {"image"}),
        ("offline/animator/film.py", {"clip"}),
        ("offline/storyteller/arc.toml", {"story"}),
        ("common/media/mp4/moov.py", {"merge"}),
        ("common/media/mp4/movie.py", {"merge", "clip"}),
        ("migrate/versions/0001_initial.sql", {"migrate"}),
    ],
)
def test_change_redeploys_only_the_functions_that_use_it(
    changed: str, redeployed: set[str]
) -> None:
    assert {name for name in function_names() if FUNCTIONS / changed in files(name)} == redeployed


def test_layer_assets_are_complete_and_programs_executable(prod: Template) -> None:
    layers = [contents(prod, layer) for layer in prod.of_type("AWS::Lambda::LayerVersion").values()]
    (programs,) = [files for files in layers if "bin/ffmpeg" in files]
    built = build.folder("lambda-arm64", "ffmpeg")
    assert programs == {p.relative_to(built).as_posix() for p in built.rglob("*") if p.is_file()}
    (program,) = prod.path.parent.glob("asset.*/bin/ffmpeg")
    assert os.access(program, os.X_OK)


def test_stale_layer_error_names_build_command(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from infra import config
    from infra.app import app

    monkeypatch.setattr(build, "read_stamp", lambda platform, layer: None)
    with pytest.raises(SystemExit, match="python -m layers lambda-arm64"):
        app(config.stage("prod"), out=tmp_path)


def test_assets_are_world_readable_regardless_of_umask(tmp_path: Path) -> None:
    """Lambda rejects code that only its owner may read, as in a clone made under umask 077."""
    source = tmp_path / "source"
    (source / "package").mkdir(parents=True)
    (source / "package" / "handler.py").write_text("")
    (source / "tool").write_text("")
    for path, mode in (("package", 0o700), ("package/handler.py", 0o600), ("tool", 0o700)):
        (source / path).chmod(mode)
    application = App(outdir=str(tmp_path / "out"), analytics_reporting=False)
    Asset(Stack(application, "Stack"), "Asset", path=str(source))
    assembly = Path(synth(application).directory)
    (staged,) = (path for path in assembly.glob("asset.*") if path.is_dir())
    modes = {path.name: path.stat().st_mode & 0o777 for path in staged.rglob("*")}
    assert modes == {"package": 0o755, "handler.py": 0o644, "tool": 0o755}
