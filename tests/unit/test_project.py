"""The project's own files agree with each other, and with any machine they are checked out on."""

import os
import re
import subprocess
from importlib.metadata import requires
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from tests.support.floors import floors

ROOT = Path(__file__).parents[2]
PROJECT = "course-progress-worker"

# Put together here, so that this file passes its own test.
REGISTRIES = ["py" + "pi.org", "python" + "hosted.org", "npm" + "js.org", "proxy." + "golang.org", "index" + "-url"]
MACHINE_PATHS = ["/wo" + "rk/main", "/wo" + "rk/shared", "/ro" + "ot/", "/opt/" + "pypi", "/opt/" + "wheels"]


def read(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def pins(name: str = "constraints.txt") -> dict[str, str]:
    """Normalized names and versions of the file."""
    lines = [line for line in read(name).splitlines() if not line.startswith("#")]
    return {canonicalize_name(name): version for name, _, version in (line.partition("==") for line in lines)}


def installed_by(project: str, extras: frozenset[str] = frozenset()) -> set[str]:
    """Normalized names of everything that installing a project brings along here."""
    seen: set[tuple[str, frozenset[str]]] = set()
    todo: list[tuple[str, frozenset[str]]] = [(canonicalize_name(project), extras)]
    while todo:
        current = todo.pop()
        if current in seen:
            continue
        seen.add(current)
        name, wanted = current
        for line in requires(name) or []:
            requirement = Requirement(line)
            marker = requirement.marker
            if marker is None or any(marker.evaluate({"extra": extra}) for extra in wanted | {""}):
                todo.append((canonicalize_name(requirement.name), frozenset(requirement.extras)))
    return {name for name, _ in seen}


def tracked_files() -> list[Path]:
    if not (ROOT / ".git").exists():
        pytest.skip("not a git checkout")
    # Files about to be added count as well; else the first commit of a mistake would pass.
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return [path for name in names.split("\0") if name and (path := ROOT / name).is_file()]


def test_constraints_pin_everything_the_project_installs() -> None:
    needed = installed_by(PROJECT, frozenset({"dev"})) - {canonicalize_name(PROJECT)}

    assert {"celery", "psycopg-binary", "hiredis", "pytest"} <= needed
    assert needed <= pins().keys()


@pytest.mark.parametrize("name", ["constraints.txt", "constraints-floors.txt"])
def test_constraints_are_exact_sorted_pins(name: str) -> None:
    lines = [line for line in read(name).splitlines() if not line.startswith("#")]

    assert [line for line in lines if not re.fullmatch(r"[\w.-]+==[\w.]+", line)] == []
    assert lines == sorted(lines, key=str.upper)


def test_the_floors_are_the_lowest_versions_that_the_project_allows() -> None:
    pinned = pins("constraints-floors.txt")

    assert {name: Version(pinned[name]) for name in floors()} == {
        name: Version(version) for name, version in floors().items()
    }


@pytest.mark.parametrize("forbidden", REGISTRIES + MACHINE_PATHS)
def test_no_tracked_file_depends_on_where_it_was_made(forbidden: str) -> None:
    files = tracked_files()

    assert ROOT / "pyproject.toml" in files
    assert [str(path) for path in files if forbidden.encode() in path.read_bytes()] == []


def test_every_make_target_of_the_readme_exists() -> None:
    named = set(re.findall(r"(?:^|`)[ \t]*(?:\$ )?make ([a-z-]+)", read("README.md"), re.MULTILINE))
    targets = set(re.findall(r"^([a-z-]+):", read("Makefile"), re.MULTILINE))

    assert {"demo", "test"} <= named
    assert named <= targets


def test_ci_runs_what_the_makefile_offers() -> None:
    assert os.access(ROOT / ".ci" / "run", os.X_OK)
    assert re.findall(r"^make ([\w-]+)$", read(".ci/run"), re.MULTILINE) == ["check", "test", "test-more"]
