"""The tree in the README, the layers in docs/architecture.md and the files named in prose match the code."""

import ast
import re
import tomllib
from pathlib import Path
from statistics import median

import pytest

ROOT = Path(__file__).parents[2]
ARCHITECTURE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
PROSE = "\n".join(path.read_text(encoding="utf-8") for path in [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")])


def drawn() -> set[str]:
    """The paths in the README's tree; what is not in a folder of it, such as tests/, is left out."""
    section = (ROOT / "README.md").read_text(encoding="utf-8").partition("## Read the code\n")[2]
    paths, folders = set(), [""]
    for line in re.findall(r"^    ( *\S.*)$", section.partition("\n## ")[0], re.MULTILINE):
        names, _, _ = line.strip().partition("  ")
        depth = (len(line) - len(line.lstrip())) // 2
        for name in names.split():
            assert re.fullmatch(r"[a-z_]+(/|\.py)", name), f"two spaces must separate the names from their text: {line}"
            paths.add("".join(folders[: depth + 1]) + name)
        folders[depth + 1 :] = [names.split()[-1]]
    return {path for path in paths if path.startswith("worker/") and path != "worker/"}


def on_disk() -> set[str]:
    worker = ROOT / "worker"
    modules = {path for path in worker.glob("*.py") if path.name != "__init__.py"}
    files = (path for path in worker.rglob("*") if path.is_file() and path.parent.name != "__pycache__")
    folders = {folder for path in files for folder in path.parents if worker in folder.parents}
    return {f"{path.relative_to(ROOT).as_posix()}{'' if path in modules else '/'}" for path in modules | folders}


def test_the_readme_shows_the_tree_as_it_is() -> None:
    assert drawn() == on_disk()


def test_files_are_small() -> None:
    sizes = [len(path.read_text(encoding="utf-8").splitlines()) for path in (ROOT / "worker").rglob("*.py")]
    assert median(sizes) <= 90
    assert max(sizes) <= 300


def test_the_architecture_shows_the_layers_as_they_are_checked() -> None:
    (block,) = re.findall(r"^```layers\n(.*?)^```$", ARCHITECTURE, re.DOTALL | re.MULTILINE)
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"][
        "contracts"
    ]
    (layers,) = [contract["layers"] for contract in contracts if contract["type"] == "layers"]

    assert block.splitlines() == [re.sub(r"[()]", "", layer) for layer in layers]


@pytest.mark.parametrize("path", sorted(set(re.findall(r"`([\w/]+/\w+\.py)`", PROSE))))
def test_every_file_that_the_documents_name_exists(path: str) -> None:
    assert (ROOT / path).exists() or (ROOT / "worker" / path).exists()


@pytest.mark.parametrize(
    ("path", "name"),
    sorted(
        (path.relative_to(ROOT).as_posix(), name)
        for path in (ROOT / "worker").rglob("*.py")
        for name in set(re.findall(r"`([\w/]+\.py)`", path.read_text(encoding="utf-8")))
    ),
)
def test_every_file_that_the_code_names_exists(path: str, name: str) -> None:
    folders = ("benchmarks", "migrations", "tests", "worker")
    files = [*ROOT.glob("*.py"), *(file for folder in folders for file in (ROOT / folder).rglob("*.py"))]
    assert any(file.as_posix().endswith(f"/{name}") for file in files), path


def test_an_init_file_has_a_docstring_only() -> None:
    files = set((ROOT / "worker").rglob("__init__.py")) - {ROOT / "worker" / "database" / "models" / "__init__.py"}
    for path in files:
        (only,) = ast.parse(path.read_text(encoding="utf-8")).body
        assert isinstance(only, ast.Expr), path
