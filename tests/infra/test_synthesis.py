"""Synthesis: without a network, without an account, and each function's asset is its own."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
from aws_cdk import App, Stack
from aws_cdk.aws_s3_assets import Asset

from infra.app import ROOT, synth
from layers import build
from layers.sizes import function_names
from tests.infra.template import Template


def offline() -> list[str]:
    """A command that runs another without any network, or nothing where that is not possible."""
    for prefix in (["unshare", "--net"], ["unshare", "--map-root-user", "--net"]):
        tried = [*prefix, "true"]
        if shutil.which("unshare") and subprocess.run(tried, capture_output=True).returncode == 0:
            return prefix
    return []


@pytest.mark.usefixtures("layers")
def test_the_cdk_command_line_needs_no_network_and_no_account(tmp_path: Path) -> None:
    """What `cdk synth -c stage=dev -c text_provider=openai` starts, with what it passes to it.

    A `-c` goes before what cdk.context.json says for the stage.
    """
    prefix = offline()
    if not prefix:
        pytest.skip("this system lets nobody start a process without network")
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
        cwd=ROOT, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    template = Template("dev", tmp_path / "out" / "VideoGenerator-dev.template.json")
    variables = template.functions["story"]["Environment"]["Variables"]
    assert variables["TEXT_PROVIDER"] == "openai"
    subnets = template.of_type("AWS::EC2::Subnet").values()
    zones = {subnet["AvailabilityZone"] for subnet in subnets}
    assert zones == {"us-east-1b", "us-east-1c"}


def test_no_docker_and_no_lookup(templates: Mapping[str, Template]) -> None:
    for template in templates.values():
        manifest = json.loads((template.path.parent / "manifest.json").read_text())
        assert not manifest.get("missing")
        assets = json.loads(
            (template.path.parent / f"VideoGenerator-{template.stage}.assets.json").read_text()
        )
        assert not assets["dockerImages"]


def contents(template: Template, properties: Mapping[str, object]) -> set[str]:
    """Files of an asset that the template names."""
    code = properties.get("Code") or properties["Content"]
    assert isinstance(code, dict)
    folder = template.path.parent / f"asset.{code['S3Key'].removesuffix('.zip')}"
    return {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()}


@pytest.mark.parametrize("function", function_names())
def test_an_asset_is_the_function_and_common(prod: Template, function: str) -> None:
    expected = {
        path.relative_to(ROOT / "functions").as_posix()
        for folder in (function, "common")
        for path in (ROOT / "functions" / folder).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert contents(prod, prod.functions[function]) == expected


def test_layers_arrive_whole_and_programs_can_be_run(prod: Template) -> None:
    arrived = [
        contents(prod, layer) for layer in prod.of_type("AWS::Lambda::LayerVersion").values()
    ]
    (programs,) = [files for files in arrived if "bin/ffmpeg" in files]
    built = build.folder("lambda-arm64", "ffmpeg")
    assert programs == {p.relative_to(built).as_posix() for p in built.rglob("*") if p.is_file()}
    (program,) = prod.path.parent.glob("asset.*/bin/ffmpeg")
    assert os.access(program, os.X_OK)


def test_a_stale_layer_is_named_with_the_command_that_builds_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from infra import config
    from infra.app import app

    monkeypatch.setattr(build, "read_stamp", lambda platform, layer: None)
    with pytest.raises(SystemExit, match="python -m layers lambda-arm64"):
        app(config.stage("prod"), out=tmp_path)


def test_assets_of_a_private_clone_can_be_read_by_everybody(tmp_path: Path) -> None:
    """As of a clone made under umask 077: Lambda refuses code that only its owner may read."""
    source = tmp_path / "source"
    (source / "package").mkdir(parents=True)
    (source / "package" / "handler.py").write_text("")
    (source / "tool").write_text("")
    for path, mode in (("package", 0o700), ("package/handler.py", 0o600), ("tool", 0o700)):
        (source / path).chmod(mode)
    made = App(outdir=str(tmp_path / "out"), analytics_reporting=False)
    Asset(Stack(made, "Stack"), "Asset", path=str(source))
    assembly = Path(synth(made).directory)
    (staged,) = (path for path in assembly.glob("asset.*") if path.is_dir())
    modes = {path.name: path.stat().st_mode & 0o777 for path in staged.rglob("*")}
    assert modes == {"package": 0o755, "handler.py": 0o644, "tool": 0o755}
