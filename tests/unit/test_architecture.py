"""Who may import whom: the rules of the house (docs/architecture.md), held against the source."""

import ast
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

FUNCTIONS = Path(__file__).parents[2] / "functions"
FOLDERS = sorted(p.name for p in FUNCTIONS.iterdir() if p.is_dir() and (p / "__init__.py").exists())
LAMBDAS = [name for name in FOLDERS if name != "common"]
SOURCES = sorted(FUNCTIONS.rglob("*.py"))

# What only one room may touch, and which room that is.
RESERVED = {
    "psycopg2": ("common/database/",),
    "yoyo": ("migrate/",),
    "botocore": (
        "common/aws.py",
        "common/secrets.py",
        "common/functions.py",
        "common/pipeline.py",
        "common/storage/",
        "common/providers/video/luma.py",
    ),
    "boto3": (),
    "s3transfer": ("common/storage/",),
    "openai": ("common/providers/",),
    "requests": ("common/providers/",),
    "urllib3": ("common/secrets.py", "common/foreign/", "common/providers/", "migrate/"),
    "socket": ("common/foreign/",),
    "PIL": ("common/providers/", "common/pictures.py", "common/srgb.py"),
    "subprocess": (
        "common/ffmpeg_process.py",
        "common/providers/video/",
        "common/providers/speech/",
    ),
}
# The nouns and plans, which touch nothing outside.
PURE = ["common/video.py", "common/errors.py", "common/ids.py", "common/keys.py",
        "common/advice.py", "common/caller.py", "common/sound.py", "common/narration.py",
        "common/output.py",
        "common/capabilities.py", "common/magic.py", "common/framecrc.py",
        "common/ffmpeg_errors.py", "common/foreign/addresses.py",
        "merge/timeline.py", "merge/cut.py", "merge/captions.py", "merge/placing.py",
        "finish/provenance.py"]  # fmt: skip
EFFECTS = {"os", "socket", "subprocess", "urllib", "http", "requests", "botocore", "psycopg2"}


def imports(path: Path) -> Iterator[str]:
    """Every module that the file imports, wherever in it."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module


def place(path: Path) -> str:
    return path.relative_to(FUNCTIONS).as_posix()


def test_the_functions_are_those_of_the_house() -> None:
    assert (
        sorted(
            [
                "api",
                "authorizer",
                "clip",
                "finish",
                "image",
                "intake",
                "merge",
                "migrate",
                "register",
                "speech",
                "story",
                "sweeper",
            ]
        )
        == LAMBDAS
    )
    assert all((FUNCTIONS / name / "handler.py").exists() for name in LAMBDAS)


@pytest.mark.parametrize("path", SOURCES, ids=place)
def test_a_function_imports_itself_and_common_only(path: Path) -> None:
    home = place(path).split("/")[0]
    roots = {name.split(".")[0] for name in imports(path)}
    strangers = roots & set(LAMBDAS) - {home}
    assert not strangers, f"{place(path)} reaches sideways into {strangers}"


@pytest.mark.parametrize("path", SOURCES, ids=place)
def test_a_vendor_is_imported_in_its_own_room_only(path: Path) -> None:
    roots = {name.split(".")[0] for name in imports(path)}
    for vendor in roots & RESERVED.keys():
        assert place(path).startswith(RESERVED[vendor]), f"{vendor} in {place(path)}"


@pytest.mark.parametrize("path", SOURCES, ids=place)
def test_only_settings_reads_the_environment(path: Path) -> None:
    if place(path) == "common/settings.py":
        return
    text = path.read_text()
    assert "os.environ" not in text
    assert "getenv" not in text


@pytest.mark.parametrize("name", PURE)
def test_nouns_and_plans_touch_nothing(name: str) -> None:
    roots = {module.split(".")[0] for module in imports(FUNCTIONS / name)}
    assert not roots & EFFECTS


@pytest.mark.parametrize("path", SOURCES, ids=place)
def test_sql_stands_in_the_database_room_only(path: Path) -> None:
    if place(path).startswith("common/database/"):
        return
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            words = node.value.split()[:2]
            is_sql = len(words) == 2 and words[0] in {"SELECT", "INSERT", "UPDATE", "DELETE"}
            assert not is_sql or node.value in {"SELECT 1"} or "pg_advisory" in node.value, (
                f"{place(path)}:{node.lineno}"
            )


def test_the_rules_can_fail(tmp_path: os.PathLike[str]) -> None:
    """The parser sees imports inside functions too, where a rule is easiest to break."""
    path = Path(tmp_path) / "sample.py"
    path.write_text("def late():\n    from image import handler\n    import psycopg2.extras\n")
    assert set(imports(path)) == {"image", "psycopg2.extras"}
