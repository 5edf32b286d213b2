"""Every advisory lock's key is in `worker.database.advisory_locks`, so that no two things take the same one."""

import ast
from pathlib import Path

from worker.database import advisory_locks

ROOT = Path(__file__).parents[2]


def numbers(path: Path) -> set[int]:
    return {
        node.value
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant) and isinstance(node.value, int)
    }


def test_every_key_has_one_home() -> None:
    keys = [value for name, value in vars(advisory_locks).items() if name.isupper()]
    assert len(keys) == len(set(keys)) >= 5
    sources = [*(ROOT / "worker").rglob("*.py"), *(ROOT / "migrations").rglob("*.py")]
    assert [path.name for path in sources if numbers(path) & set(keys)] == ["advisory_locks.py"]


def test_the_table_names_every_key() -> None:
    assert all(f"`{name}`" in str(advisory_locks.__doc__) for name in vars(advisory_locks) if name.isupper())
