"""The files that each function's asset contains: its handler's import closure.

A change to a module redeploys only the functions that import it. The closure follows every import
statement, including those inside functions and under `TYPE_CHECKING`. Providers are imported by
name at run time, so `PROVIDERS` lists them.
"""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

FUNCTIONS = Path(__file__).resolve().parents[1] / "functions"
PROVIDERS = {"story": "text", "image": "image", "speech": "speech", "clip": "video"}
"""Kind of the providers that a function calls, by function."""

_IGNORED = {"__pycache__", ".DS_Store"}


def function_names() -> list[str]:
    """Return the names of the functions: the folders with a handler."""
    return sorted(path.parent.name for path in FUNCTIONS.glob("*/handler.py"))


@cache
def files(function: str) -> frozenset[Path]:
    """Return the files of a function's asset, as absolute paths."""
    closure: set[Path] = set()
    pending = [FUNCTIONS / function / "handler.py"]
    if function in PROVIDERS:
        kind = PROVIDERS[function]
        pending.append(FUNCTIONS / "offline" / f"{kind}.py")
        pending += (FUNCTIONS / "common" / "providers" / kind).glob("*.py")
    while pending:
        path = pending.pop()
        if path in closure:
            continue
        closure.add(path)
        pending += _dependencies(path) if path.suffix == ".py" else ()
    return frozenset(closure)


@cache
def _dependencies(module: Path) -> frozenset[Path]:
    """Return the modules that the module imports, its package and its data files."""
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

    A file or folder belongs to the module beside it that has its stem or contains its name as a
    string literal, otherwise to the package.
    """
    strings = {
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
    data: set[Path] = set()
    for entry in module.parent.iterdir():
        if entry.name in _IGNORED or (entry / "__init__.py").exists():
            continue
        is_data = entry.suffix != ".py"
        belongs_to_package = module.name == "__init__.py" and is_data and not _claimed(entry)
        if entry.name in strings or (is_data and entry.stem == module.stem) or belongs_to_package:
            data |= _files_in(entry)
    return data


def _files_in(entry: Path) -> set[Path]:
    return {entry} if entry.is_file() else {path for path in entry.rglob("*") if path.is_file()}


def _claimed(entry: Path) -> bool:
    """Return whether a module beside the entry has its stem or contains its name."""
    return any(
        module.stem == entry.stem or f'"{entry.name}"' in module.read_text(encoding="utf-8")
        for module in entry.parent.glob("*.py")
        if module.name != "__init__.py"
    )
