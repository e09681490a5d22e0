"""Import rules: the layers of docs/architecture.md, checked against the source."""

import ast
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

FUNCTIONS = Path(__file__).parents[2] / "functions"
PROJECT = FUNCTIONS.parent
SOURCES = sorted(FUNCTIONS.rglob("*.py"))
LAMBDAS = [
    *("api", "authorizer", "clip", "finish", "image", "intake", "merge", "migrate", "register"),
    *("speech", "story", "sweeper"),
]

LAYERS = [
    {"common.domain"},
    {"common.schemas"},
    {"common.settings"},
    {"common.aws"},
    {"common.media"},
    {"common.fetch", "common.storage", "common.database"},
    {"common.providers"},
    {"common.runtime"},
    {"common.application", "offline"},
    set(LAMBDAS),
]
"""Lowest first. A package imports itself and the layers below, never its neighbours."""

# Libraries that only some packages may import.
RESERVED = {
    "psycopg2": ("common/database/",),
    "yoyo": ("migrate/",),
    "botocore": ("common/aws/", "common/storage/", "common/providers/video/luma.py"),
    "boto3": (),
    "s3transfer": ("common/storage/",),
    "openai": ("common/providers/",),
    "requests": ("common/providers/",),
    "urllib3": ("common/aws/secrets.py", "common/fetch/", "common/providers/", "migrate/"),
    "socket": ("common/fetch/",),
    "PIL": ("common/providers/", "common/media/images.py", "common/media/srgb.py", "offline/"),
    "subprocess": ("common/media/ffmpeg_process.py", "offline/"),
}
# Modules without I/O. All of `common/domain` belongs to them.
PURE = [
    *sorted(p.relative_to(FUNCTIONS).as_posix() for p in FUNCTIONS.glob("common/domain/*.py")),
    *("common/media/wav.py", "common/media/mime.py", "common/media/framecrc.py"),
    *("common/media/ffmpeg_errors.py", "common/fetch/addresses.py"),
    *("merge/timeline.py", "merge/models.py", "merge/captions.py", "merge/scene_windows.py"),
    "finish/provenance.py",
]
EFFECTS = {"os", "socket", "subprocess", "urllib", "http", "requests", "botocore", "psycopg2"}


def imports(path: Path) -> Iterator[str]:
    """Yield every imported module, including imports in functions and for type checking."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module


def relative_path(path: Path) -> str:
    return path.relative_to(FUNCTIONS).as_posix()


def module_name(path: Path, root: Path = FUNCTIONS) -> str:
    return ".".join(path.relative_to(root).with_suffix("").parts).removesuffix(".__init__")


def imported_modules(path: Path, modules: dict[str, Path]) -> set[str]:
    """Return the project's own modules that the file imports, by their full names."""
    result = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            result |= {alias.name for alias in node.names} & modules.keys()
        elif isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                name = f"{node.module}.{alias.name}"
                result |= {name if name in modules else node.module} & modules.keys()
    return result


def layer_of(module: str) -> tuple[int, str] | None:
    """Return rank and package of a module; None for the bare package `common`."""
    for rank, packages in enumerate(LAYERS):
        for package in packages:
            if module == package or module.startswith(f"{package}."):
                return rank, package
    return None


def cycles(graph: dict[str, set[str]]) -> list[set[str]]:
    """Return the groups of modules that import each other (Tarjan's algorithm)."""
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    components: list[set[str]] = []

    def visit(module: str) -> None:
        index[module] = low[module] = len(index)
        stack.append(module)
        for imported in graph[module]:
            if imported not in index:
                visit(imported)
                low[module] = min(low[module], low[imported])
            elif imported in stack:
                low[module] = min(low[module], index[imported])
        if low[module] == index[module]:
            start = stack.index(module)
            group, stack[start:] = set(stack[start:]), []
            if len(group) > 1:
                components.append(group)

    sys.setrecursionlimit(max(sys.getrecursionlimit(), 10 * len(graph)))
    for module in graph:
        if module not in index:
            visit(module)
    return components


def test_functions_folder_has_a_handler_for_each_lambda() -> None:
    assert sorted(path.parent.name for path in FUNCTIONS.glob("*/handler.py")) == sorted(LAMBDAS)


@pytest.mark.parametrize("path", SOURCES, ids=relative_path)
def test_module_imports_only_lower_layers(path: Path) -> None:
    modules = {module_name(source): source for source in SOURCES}
    own_layer = layer_of(module_name(path))
    if own_layer is None:
        return
    for imported in imported_modules(path, modules):
        layer = layer_of(imported)
        assert layer is None or layer == own_layer or layer[0] < own_layer[0], (
            f"{relative_path(path)} imports {imported}"
        )


@pytest.mark.parametrize("tree", ["functions", "infra", "layers"])
def test_import_graph_has_no_cycles(tree: str) -> None:
    root = FUNCTIONS if tree == "functions" else PROJECT
    sources = SOURCES if tree == "functions" else sorted((PROJECT / tree).rglob("*.py"))
    modules = {module_name(source, root): source for source in sources}
    graph = {name: imported_modules(path, modules) - {name} for name, path in modules.items()}
    assert cycles(graph) == []


@pytest.mark.parametrize("path", SOURCES, ids=relative_path)
def test_reserved_library_is_imported_only_in_its_packages(path: Path) -> None:
    roots = {name.split(".")[0] for name in imports(path)}
    for vendor in roots & RESERVED.keys():
        assert relative_path(path).startswith(RESERVED[vendor]), (
            f"{vendor} in {relative_path(path)}"
        )


@pytest.mark.parametrize("path", SOURCES, ids=relative_path)
def test_environment_is_read_only_by_settings(path: Path) -> None:
    if relative_path(path) == "common/settings.py":
        return
    text = path.read_text()
    assert "os.environ" not in text
    assert "getenv" not in text


@pytest.mark.parametrize("name", PURE)
def test_pure_module_imports_no_io(name: str) -> None:
    roots = {module.split(".")[0] for module in imports(FUNCTIONS / name)}
    assert not roots & EFFECTS


@pytest.mark.parametrize("path", SOURCES, ids=relative_path)
def test_sql_appears_only_in_the_database_package(path: Path) -> None:
    if relative_path(path).startswith("common/database/"):
        return
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            first_words = node.value.split()[:2]
            is_sql = len(first_words) == 2 and first_words[0] in {
                "SELECT",
                "INSERT",
                "UPDATE",
                "DELETE",
            }
            assert not is_sql or node.value in {"SELECT 1"} or "pg_advisory" in node.value, (
                f"{relative_path(path)}:{node.lineno}"
            )


def test_import_parser_sees_imports_inside_functions(tmp_path: os.PathLike[str]) -> None:
    """Imports inside functions are where a rule is easiest to break."""
    path = Path(tmp_path) / "sample.py"
    path.write_text("def late():\n    from image import handler\n    import psycopg2.extras\n")
    assert set(imports(path)) == {"image", "psycopg2.extras"}


def test_cycle_detection_finds_mutual_imports() -> None:
    assert cycles({"a": {"b"}, "b": {"c"}, "c": {"b"}, "d": set()}) == [{"b", "c"}]
