"""The files that each function's asset contains: its handler's import closure.

A change to a module redeploys only the functions that import it. The closure counts every import
statement, also those inside functions and under `TYPE_CHECKING`. Providers are imported by name at
run time, so they are listed here (`PROVIDERS`).
"""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

FUNCTIONS = Path(__file__).resolve().parents[1] / "functions"
PROVIDERS = {"story": "text", "image": "image", "speech": "speech", "clip": "video"}
"""Functions that call providers, and of which kind."""

_IGNORED = {"__pycache__", ".DS_Store"}


def function_names() -> list[str]:
    """Return the names of the functions: the folders with a handler."""
    return sorted(path.parent.name for path in FUNCTIONS.glob("*/handler.py"))


@cache
def files(function: str) -> frozenset[Path]:
    """Return the files of a function's asset, as absolute paths."""
    found: set[Path] = set()
    waiting = [FUNCTIONS / function / "handler.py"]
    if function in PROVIDERS:
        kind = PROVIDERS[function]
        waiting.append(FUNCTIONS / "offline" / f"{kind}.py")
        waiting += (FUNCTIONS / "common" / "providers" / kind).glob("*.py")
    while waiting:
        path = waiting.pop()
        if path in found:
            continue
        found.add(path)
        waiting += _needed_by(path) if path.suffix == ".py" else ()
    return frozenset(found)


@cache
def _needed_by(module: Path) -> frozenset[Path]:
    """Return the modules that the module imports, its package, and its data files."""
    tree = ast.parse(module.read_text(encoding="utf-8"))
    needed = {path for name in _imports(tree) if (path := _module(name))}
    needed |= _data(module, tree)
    package = module.parent / "__init__.py"
    if module.name == "__init__.py":
        package = module.parent.parent / "__init__.py"
    return frozenset(needed | ({package} if package.exists() else set()))


def _imports(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _module(name: str) -> Path | None:
    path = FUNCTIONS.joinpath(*name.split("."))
    for candidate in (path.with_suffix(".py"), path / "__init__.py"):
        if candidate.exists():
            return candidate
    return None


def _data(module: Path, tree: ast.AST) -> set[Path]:
    """Return the data files of a module.

    A file or folder beside modules belongs to the one that has its stem or contains its name as a
    string, otherwise to the package.
    """
    strings = {
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
    mine: set[Path] = set()
    for entry in module.parent.iterdir():
        if entry.name in _IGNORED or (entry / "__init__.py").exists():
            continue
        is_data = entry.suffix != ".py"
        is_left_to_package = module.name == "__init__.py" and is_data and not _claimed(entry)
        if entry.name in strings or (is_data and entry.stem == module.stem) or is_left_to_package:
            mine |= _inside(entry)
    return mine


def _inside(entry: Path) -> set[Path]:
    return {entry} if entry.is_file() else {path for path in entry.rglob("*") if path.is_file()}


def _claimed(entry: Path) -> bool:
    """Return whether a module beside the entry has its stem or contains its name."""
    return any(
        module.stem == entry.stem or f'"{entry.name}"' in module.read_text(encoding="utf-8")
        for module in entry.parent.glob("*.py")
        if module.name != "__init__.py"
    )
