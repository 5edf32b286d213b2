"""The documents say what is: every command and every setting in them exists, and every one that exists is in them."""

import ast
import pkgutil
import re
import shlex
from pathlib import Path

import click
import pytest

from worker.cli.main import main
from worker.errors import ConfigurationError
from worker.main_settings import MainSettings
from worker.settings import Settings, variable_name

ROOT = Path(__file__).parents[2]
HOW_TOS = sorted((ROOT / "docs" / "how-to").glob("*.md"))
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")), *HOW_TOS]
FAULTS = ROOT / "docs" / "faults.md"
SECOND_TIER_ALONE = {
    "test_while_it_loads_its_data_everybody_waits",  # a load that takes long enough takes 12 s
    "test_a_clock_set_back_an_hour_or_400_days_ahead_neither_stops_nor_hurries_beat",  # 8 s of beat's schedule
    "test_whoever_asks_for_28_000_lessons_holds_up_nobody_and_gets_an_answer_that_ends",  # a bound in time, 12 s
}
"""Of what alone shows that a fault is survived, and takes too long for the first tier."""
MAX_LINES = 90
FENCE = re.compile(r'(sh|python)( ready="[^"]+"| retry| not-run="[^"]+")?|text|sql|redis|ini|yaml|json')
TEXT = "\n".join(path.read_text(encoding="utf-8") for path in DOCUMENTS)
SOURCE = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "worker").rglob("*.py"))


def _commands(group: click.Group, prefix: str = "") -> set[str]:
    context = click.Context(group)
    names = set()
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        names |= _commands(command, f"{prefix}{name} ") if isinstance(command, click.Group) else {f"{prefix}{name}"}
    return names


def test_the_examples_to_run_on_one_kept_system_have_courses_of_their_own() -> None:
    names = [ROOT / "README.md", *HOW_TOS, *sorted((ROOT / "docs" / "how-to" / "publish").glob("*.py"))]
    courses = [set(re.findall(r'"course_id": ?(\d+)', path.read_text(encoding="utf-8"))) for path in names]
    assert len([each for each in courses if each]) == 4
    assert sum(len(each) for each in courses) == len(set().union(*courses))


def test_messages_quoted_for_an_operator_are_what_the_program_says() -> None:
    page = (ROOT / "docs" / "how-to" / "when-something-is-wrong.md").read_text(encoding="utf-8")
    for variable in ("REDIS_URL", "DATABASE_URL"):
        with pytest.raises(ConfigurationError) as refused:
            Settings(database_url=None, redis_url=None).with_servers(variable)
        assert f"`{str(refused.value).partition('.')[0]}`" in page
    for message in ("has no tables of ours", "this worker needs"):
        assert message in page
        assert message in SOURCE
    assert "``The `progress-worker up` of … is not used because REDIS_URL is set``" in page
    assert "The `progress-worker up` of {up.started_in} is not used because {given} is set" in SOURCE


def test_every_command_in_the_documents_exists_and_every_command_is_documented() -> None:
    commands = _commands(main)
    mentioned = set()
    for line in re.findall(r"progress-worker ([a-z][a-z -]*)", TEXT):
        words = line.split()
        mentioned |= {name for name in (" ".join(words[:2]), words[0]) if name in commands}
        group = {name.split()[0] for name in commands}
        assert words[0] in group, f"the documents mention `progress-worker {line.strip()}`"

    assert mentioned == commands


def test_every_command_line_to_paste_has_arguments_that_its_command_takes() -> None:
    lines = re.findall(r"^(?: {4}|cd \S+ && |\S+/)?progress-worker ([a-z][^|<>&#\n]+)", TEXT, re.MULTILINE)
    assert len(lines) > 20
    for line in lines:
        command, words = _resolved(main, shlex.split(line))
        command.make_context(command.name, words)  # raises a UsageError


def _resolved(command: click.Command, words: list[str]) -> tuple[click.Command, list[str]]:
    """Return the command that the words call, and its arguments."""
    if not isinstance(command, click.Group):
        return command, words
    _, found, rest = command.resolve_command(click.Context(command), words)
    assert found
    return _resolved(found, rest)


def test_every_setting_in_the_documents_exists_and_every_setting_is_documented() -> None:
    settings = {variable_name(name) for name in Settings.model_fields}
    mentioned = set(re.findall(r"\b(?:PROGRESS_[A-Z_]+[A-Z]|DATABASE_URL|REDIS_URL)\b", TEXT))

    assert mentioned == settings


def test_every_relative_link_in_the_documents_leads_somewhere() -> None:
    for document in DOCUMENTS:
        for target in re.findall(r"\]\((?!https?:|#)([^)#]+)", document.read_text(encoding="utf-8")):
            assert (document.parent / target).exists(), f"{document.name} links to {target}"


def test_the_readme_links_every_how_to_and_each_is_short() -> None:
    links = set(re.findall(r"\]\(docs/how-to/([^)#/]+)", (ROOT / "README.md").read_text(encoding="utf-8")))
    lengths = {path.name: len(path.read_text(encoding="utf-8").splitlines()) for path in HOW_TOS}
    assert links == set(lengths)
    assert max(lengths.values()) <= MAX_LINES


def test_every_line_of_the_readme_and_the_how_tos_to_paste_is_in_a_block_that_is_run_or_says_why_not() -> None:
    """Run by tests/e2e/test_documents.py; the other languages of blocks cannot be pasted into a shell."""
    for path in (ROOT / "README.md", *HOW_TOS):
        text = path.read_text(encoding="utf-8").partition("\n## Read the code\n")[0]
        fences = re.findall(r"^```(.*)\n((?:.*\n)*?)```$", text, re.MULTILINE)
        assert [fence for fence, _ in fences if not FENCE.fullmatch(fence)] == [], path.name
        shell = [block for fence, block in fences if fence.startswith("sh")]
        assert not [block for block in shell if re.search(r"(^|\s)#", block)], f"{path.name}: no comments in zsh"
        assert not re.search(r"^\n {4}\S", text, re.MULTILINE), f"{path.name} has an indented block"


def test_no_document_installs_from_an_index_where_nothing_is_published() -> None:
    assert [line for line in TEXT.splitlines() if "pip install" in line and "course-progress-worker" in line] == []


def test_every_name_that_stands_beside_one_of_the_specification_can_be_imported() -> None:
    section = TEXT.partition("\n## Names in the specification\n")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| `worker.* \| (`.*) \|$", section, re.MULTILINE)
    names = [name for row in rows for name in re.findall(r"`(worker[\w.]+)`", row)]
    assert len(names) == 4
    for name in names:
        pkgutil.resolve_name(name)


def test_the_table_of_settings_gives_each_default_and_description() -> None:
    for name, field in Settings.model_fields.items():
        row = next(line for line in TEXT.splitlines() if line.startswith(f"| `{variable_name(name)}` |"))
        assert row.endswith(f"| {field.description} |")
        if name != "runtime_directory":
            assert (f"| `{field.default}` |" in row) == (field.default is not None)


def test_the_table_of_log_events_has_every_event_and_no_other() -> None:
    table = TEXT.partition("\n## Logs\n")[2].partition("\n## ")[0]
    cells = " ".join(re.findall(r"^\| (.*) \|$", table, re.MULTILINE))
    documented = {
        name for cell in re.findall(r"^\| (`.*?) \|", table, re.MULTILINE) for name in re.findall(r"\w+", cell)
    }
    calls = r'\blog\.(?:log\([^"]*|debug\(|info\(|warning\(|error\()\s*"(\w+)"'

    assert set(re.findall(calls, SOURCE)) <= set(re.findall(r"`(\w+)`", cells))
    assert {name for name in documented if f'"{name}"' not in SOURCE} == set()


def test_the_main_settings_stand_in_the_first_table_in_order_and_the_rest_under_tuning() -> None:
    section = TEXT.partition("\n## Settings\n")[2].partition("\n## ")[0]
    tables = [re.findall(r"^\| `([A-Z_]+)` \|", part, re.MULTILINE) for part in section.split("\n### Tuning\n")]

    main = [variable_name(name) for name in MainSettings.model_fields]
    every = [variable_name(name) for name in Settings.model_fields]
    assert tables == [main, [name for name in every if name not in main]]


def test_every_test_that_the_documents_name_exists() -> None:
    sources = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "tests").rglob("test_*.py"))
    named = set(re.findall(r"`(test_\w+)`", TEXT))

    assert len(named) > 20
    assert {name for name in named if f"def {name}(" not in sources} == set()


def test_every_fault_has_a_test_in_the_first_tier() -> None:
    faults, _, _ = FAULTS.read_text(encoding="utf-8").partition("## Do the tests notice?")
    first = {name for path in (ROOT / "tests").rglob("test_*.py") for name in _first_tier(path)}
    rows = [set(re.findall(r"`(test_\w+)`", line)) for line in faults.splitlines()]
    alone = [names for names in rows if names and not names & first]

    assert len(alone) == len(SECOND_TIER_ALONE)
    assert [names for names in alone if not names & SECOND_TIER_ALONE] == []


def _first_tier(path: Path) -> set[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    if any(_is_second(mark) for each in tree.body if isinstance(each, ast.Assign) for mark in _marks(each)):
        return set()
    tests = [each for each in tree.body if isinstance(each, ast.FunctionDef)]
    return {each.name for each in tests if not any(_is_second(mark) for mark in each.decorator_list)}


def _marks(assigned: ast.Assign) -> list[ast.expr]:
    return assigned.value.elts if isinstance(assigned.value, ast.List) else [assigned.value]


def _is_second(mark: ast.expr) -> bool:
    return ast.unparse(mark) == "pytest.mark.second_tier"
