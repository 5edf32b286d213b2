"""SQL is put together from constants alone; ruff's S608 sees only those f-strings that begin like a statement."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

WORKER = Path(__file__).parents[2] / "worker"
GIVEN_NAMES = {"table_name"}
"""Besides constants: `worker.audit.orphans` goes through the names of our own tables."""


def statements(tree: ast.AST) -> Iterator[ast.expr]:
    """What is made SQL: arguments of `text` and `exec_driver_sql`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and ast.unparse(node.func).split(".")[-1] in {"text", "exec_driver_sql"}:
            yield from node.args[:1]


def is_constant(part: ast.expr) -> bool:
    """A literal, or an f-string of literals and of names written like constants."""
    if isinstance(part, ast.JoinedStr):
        return all(is_constant(each) for each in part.values)
    if isinstance(part, ast.FormattedValue):
        names = ast.unparse(part.value).split(".")
        return any((name.isupper() and name.isidentifier()) or name in GIVEN_NAMES for name in names)
    return isinstance(part, ast.Constant)


def findings(source: str) -> list[str]:
    return [ast.unparse(each) for each in statements(ast.parse(source)) if not is_constant(each)]


def test_no_statement_is_put_together_from_values() -> None:
    sources = {path: path.read_text(encoding="utf-8") for path in WORKER.rglob("*.py")}
    using = {path: source for path, source in sources.items() if "sqlalchemy" in source}
    assert sum(len(list(statements(ast.parse(source)))) for source in using.values()) > 50
    assert {path.name: found for path, source in using.items() if (found := findings(source))} == {}


@pytest.mark.parametrize(
    "call",
    ["text(f'{_SELECT} WHERE id = {value}')", "text('SELECT ' + value)", "text('SELECT %s' % value)", "text(sql)"],
)
def test_such_a_statement_would_be_found(call: str) -> None:
    assert findings(call)
