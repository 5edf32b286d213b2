"""`outline load --format` reads a file in names, and asks no server before all of it is valid."""

import json
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZipFile

import pytest

from tests.support.commands import invoke
from worker.contract.event import MAX_OUTLINE_CHARACTERS

NOWHERE = {"REDIS_URL": "redis://127.0.0.1:1/0"}
"""Whoever asks it is told that Redis does not answer."""
SIMPLE = Path(__file__).parents[1] / "data" / "lms" / "outline" / "cmi5-simple.xml"
COURSE = "http://course-repository.example.edu/identifiers/courses/02baafcf"
OUTLINE = {"course": COURSE, "lessons": [{"lesson": f"{COURSE}/aus/4c07", "title": "Introduction to Geology"}]}
CSV = "course,topic,lesson,title\nmath,t,l1,One\nart,,l2,\n"


@pytest.fixture
def csv(tmp_path: Path) -> str:
    path = tmp_path / "lessons.csv"
    path.write_text(CSV)
    return str(path)


def test_a_dry_run_prints_the_outlines_and_needs_no_server(csv: str) -> None:
    result = invoke({}, "outline", "load", "--format", "csv", "--connection", "lms", "--dry-run", csv)
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout) == [
        {"course": "math", "lessons": [{"lesson": "l1", "topic": "t", "title": "One"}]},
        {"course": "art", "lessons": [{"lesson": "l2"}]},
    ]


def package(tmp_path: Path, **files: bytes) -> str:
    path = tmp_path / "course.zip"
    with ZipFile(path, "w", ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(f"{name}.xml", content)
    return str(path)


def dry_run(file: str, *, format_name: str = "cmi5") -> tuple[int, str]:
    result = invoke({}, "outline", "load", "--format", format_name, "--connection", "lms", "--dry-run", file)
    return result.exit_code, result.stdout or result.stderr


def test_a_course_package_is_read_as_its_course_structure_is(tmp_path: Path) -> None:
    for file in (str(SIMPLE), package(tmp_path, cmi5=SIMPLE.read_bytes(), other=b"x" * 100_000)):
        status, printed = dry_run(file)
        assert (status, json.loads(printed)) == (0, [OUTLINE])


@pytest.mark.parametrize(
    ("name", "content", "problem"),
    [
        ("other", b"", "{} is a zip archive without cmi5.xml at its top. Nothing was published."),
        ("cmi5", b"<a/>", "{}, cmi5.xml: not a cmi5 course structure, which begins with <courseStructure>. Nothing"),
        ("cmi5", b" " * 17 * 1024 * 1024, "{}, cmi5.xml is larger than 16 MiB"),
    ],
)
def test_a_package_with_a_mistake_is_named(tmp_path: Path, name: str, content: bytes, problem: str) -> None:
    file = package(tmp_path, **{name: content})
    status, printed = dry_run(file)
    assert status == 1
    assert printed.startswith(f"Error: {problem.format(file)}")


def test_a_broken_package_is_named(tmp_path: Path) -> None:
    file = Path(package(tmp_path, cmi5=SIMPLE.read_bytes()))
    whole = file.read_bytes()
    flags = whole.index(b"PK\x01\x02") + 8
    garbled, encrypted = whole[:45] + b"\xff" * 20 + whole[65:], whole[:flags] + b"\x01" + whole[flags + 1 :]
    for broken in (garbled, encrypted):
        file.write_bytes(broken)
        status, printed = dry_run(str(file))
        assert (status, printed.count("\n")) == (1, 1)
        assert printed.startswith(f"Error: {file} is a zip archive whose cmi5.xml cannot be read: ")


def test_the_level_of_an_edx_course_is_that_of_the_connection(tmp_path: Path) -> None:
    root, unit, text = (f"block-v1:o+c+r+type@{each}+block@x" for each in ("course", "vertical", "html"))
    blocks = {
        root: {"type": "course", "children": [unit]},
        unit: {"type": "vertical", "children": [text]},
        text: {"type": "html"},
    }
    file = tmp_path / "blocks.json"
    file.write_text(json.dumps({"root": root, "blocks": blocks}))
    connections = tmp_path / "connections.toml"
    connections.write_text('[units]\nedx_level = "vertical"\n')
    for connection, lesson in (("units", unit), ("other", text)):
        arguments = ["--format", "edx", "--connection", connection, "--dry-run", str(file)]
        result = invoke({"PROGRESS_CONNECTIONS": str(connections)}, "outline", "load", *arguments)
        assert [each["lesson"] for each in json.loads(result.stdout)[0]["lessons"]] == [lesson]


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["--format", "csv", "FILE"], "Missing option '--connection', the name of the LMS."),
        (["--format", "csv", "--connection", "lms"], "Missing argument 'FILE'."),
        (
            ["--format", "csv", "--connection", "lms", "5", "FILE"],
            "Got unexpected extra argument (FILE). With --format",
        ),
        (["--format", "csv", "--connection", "", "FILE"], "--connection: A name has 1 to 1,024 bytes in UTF-8"),
        (["--format", "csv", "--connection", "x" * 1_025, "FILE"], "--connection: A name has 1 to 1,024 bytes"),
        (["--format", "csv", "--connection", "\udcff", "FILE"], "--connection: not UTF-8."),
        (
            ["--format", "csv", "--connection", "lms", "--course", "5", "FILE"],
            "--course is for --format moodle or frappe or canvas alone.",
        ),
        (["--format", "xml", "--connection", "lms", "FILE"], "Invalid value for '--format'"),
        (["--connection", "lms", "5", "FILE"], "--connection is for --format alone."),
        (["--course", "5", "5", "FILE"], "--course is for --format alone."),
        (["--dry-run", "5", "FILE"], "--dry-run is for --format alone."),
        ([], "Missing argument 'COURSE'."),
        (["5"], "Missing argument 'FILE'."),
        (["5", "FILE", "6"], "Got unexpected extra argument (6)."),
    ],
)
def test_options_that_do_not_go_together_are_a_usage_error(csv: str, arguments: list[str], problem: str) -> None:
    result = invoke(NOWHERE, "outline", "load", *[csv if each == "FILE" else each for each in arguments])
    assert result.exit_code == 2
    assert f"Error: {problem.replace('FILE)', f'{csv})')}" in result.stderr


def load(file: str, *options: str, format_name: str = "csv") -> str:
    result = invoke(NOWHERE, "outline", "load", "--format", format_name, "--connection", "lms", *options, file)
    assert (result.exit_code, result.stdout) == (1, "")
    return result.stderr


def test_a_valid_file_gets_as_far_as_redis(csv: str) -> None:
    printed = load(csv)
    assert "Redis does not answer at 127.0.0.1:1" in printed
    assert printed.endswith(" Load the outline again once that is fixed.\n")


def test_a_course_without_lessons_has_to_be_meant(tmp_path: Path) -> None:
    file = tmp_path / "contents.json"
    file.write_text("[]")
    printed = load(str(file), "--course", "5", format_name="moodle")
    assert printed == (
        f"Error: {file} has no lessons, which would remove all from the course. If that is intended, add --empty. "
        "Nothing was published.\n"
    )
    assert "Redis does not answer" in load(str(file), "--course", "5", "--empty", format_name="moodle")
    file.write_text("course,lesson\n")
    assert load(str(file), "--empty").startswith(f"Error: {file} has no lessons, and so no course. Nothing was")


def test_a_time_that_a_worker_would_refuse_is_told_so(csv: str) -> None:
    assert "The time 'soon' would be refused: Input should be an RFC 3339 time" in load(csv, "--time", "soon")


def test_an_outline_larger_than_an_event_may_be_is_named_by_its_course(tmp_path: Path) -> None:
    file = tmp_path / "large.csv"
    rows = (f"large,l{each},{'x' * 1_000}\n" for each in range(MAX_OUTLINE_CHARACTERS // 1_000))
    file.write_text(f"course,lesson,title\nsmall,l,\n{''.join(rows)}")
    printed = load(str(file))
    assert printed.startswith("Error: The outline of course 'large' is too large for one event: 1")
    assert printed.endswith("Shorten its titles, or leave them out. Nothing was published.\n")


@pytest.mark.parametrize("file", ["absent", ".", "a\0b"])
@pytest.mark.parametrize("format_name", ["csv", "cmi5"])
def test_a_file_that_cannot_be_read_is_named(file: str, format_name: str) -> None:
    assert " cannot be read: " in load(file, format_name=format_name)
