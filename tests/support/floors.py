"""The lowest version of each direct dependency that pyproject.toml allows, those of the extras too.

`python tests/support/floors.py` prints them as constraints for pip; `make constraints` asks it. The tools of the tests
and the checks are nobody's dependency: they stay as constraints.txt has them.
"""

import tomllib
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

PYPROJECT = Path(__file__).parents[2] / "pyproject.toml"
TOOLS = "dev"


def floors() -> dict[str, str]:
    """Normalized names and versions. A requirement without a lower bound fails the whole."""
    project = tomllib.loads(PYPROJECT.read_text(encoding="utf-8"))["project"]
    extras = [lines for extra, lines in project["optional-dependencies"].items() if extra != TOOLS]
    requirements = [Requirement(line) for lines in (project["dependencies"], *extras) for line in lines]
    return {canonicalize_name(each.name): _lowest(each) for each in requirements}


def _lowest(requirement: Requirement) -> str:
    (lowest,) = [each.version for each in requirement.specifier if each.operator == ">="]
    return lowest


if __name__ == "__main__":
    print("\n".join(f"{name}=={version}" for name, version in floors().items()))
