"""`outline load` names the file, the place and the mistake, and asks no server before all of it is valid."""

import json
from pathlib import Path

import pytest

from tests.support.commands import invoke
from worker.contract.event import MAX_OUTLINE_CHARACTERS, OutlineLesson
from worker.errors import InputError
from worker.progress.outline_file import read_outline

NOWHERE = {"REDIS_URL": "redis://127.0.0.1:1/0"}
"""Whoever asks it is told that Redis does not answer."""

LESSONS = [
    OutlineLesson(topic_id=3, lesson_id=8, title="Loops, and more"),
    OutlineLesson(topic_id=3, lesson_id=9, title='"Quoted"\nLiège'),
    OutlineLesson(topic_id=1, lesson_id=8),
]
JSON = [lesson.model_dump() for lesson in LESSONS]
CSV = 'topic_id,lesson_id,title\n3,8,"Loops, and more"\n3,9,"""Quoted""\nLiège"\n1,8,\n'


EUROPEAN = 'topic_id;lesson_id;title\n3;8;Loops, and more\n3;9;"""Quoted""\nLi\u00e8ge"\n1;8;\n'


@pytest.mark.parametrize(
    "text",
    [
        json.dumps(JSON),
        json.dumps({"course_id": 1, "version": 4, "outlined_at": "2025-07-14T10:30:00Z", "lessons": JSON}, indent=2),
        f"\ufeff \n{json.dumps({'lessons': JSON})}",
        CSV,
        f"\ufeff{CSV}",
        CSV.replace("\n", "\r\n").replace('""\r\n', '""\n'),
        f"\n{CSV}\n,,\n",
        CSV.replace("\n", "\r").replace('""\r', '""\n'),
        'lesson_id, title ,topic_id\n 8, "Loops, and more", 3\n9,"""Quoted""\nLiège",3\n8,,1',
        CSV.replace("1,8,", "1,8"),
        EUROPEAN,
        f"\ufeff{EUROPEAN}".replace("\n", "\r\n").replace('""\r\n', '""\n'),
        f"sep=;\n{EUROPEAN}",
        EUROPEAN.replace(";", "\t"),
        EUROPEAN.replace("topic_id;lesson_id;title", '"topic_id";"lesson_id";"title"'),
        CSV.replace("topic_id,lesson_id,title", " Topic ID,LESSON-ID , Title"),
        EUROPEAN.replace("title", "title;;").replace("1;8;", "1;8;;;"),
    ],
    ids=[
        "a list",
        "as shown",
        "JSON with a byte order mark",
        "CSV",
        "CSV with a byte order mark",
        "CSV of Windows",
        "CSV of an old Mac",
        "blank rows",
        "columns in another order, spaces",
        "a row without its title's comma",
        "semicolons",
        "semicolons of Excel",
        "semicolons that are declared",
        "tabs",
        "a header in quotes",
        "a header for people",
        "empty columns at the end",
    ],
)
def test_the_same_outline_in_every_spelling(text: str) -> None:
    outline = read_outline(text.encode(), "x", 1)
    assert outline.course_id == 1
    assert list(outline.lessons) == LESSONS


def test_a_delimiter_inside_quotes_is_part_of_the_title() -> None:
    text = 'topic_id;lesson_id;title\n1;2;"Loops; and, more"\n'
    assert read_outline(text.encode(), "x", 1).lessons == (
        OutlineLesson(topic_id=1, lesson_id=2, title="Loops; and, more"),
    )


@pytest.mark.parametrize(
    "text", ["[]", '{"lessons": []}', "topic_id,lesson_id\n", "\ufefftopic_id;lesson_id;title\r\n;;\r\n"]
)
def test_a_file_without_lessons_has_to_be_meant(text: str, tmp_path: Path) -> None:
    file = tmp_path / "lessons"
    file.write_text(text, encoding="utf-8")
    result = invoke(NOWHERE, "outline", "load", "1", str(file))
    assert result.exit_code == 1
    assert result.stderr == (
        f"Error: {file} has no lessons, which would remove all from the course. If that is intended, add --empty. "
        "Nothing was published.\n"
    )
    assert "Redis does not answer" in invoke(NOWHERE, "outline", "load", "1", str(file), "--empty").stderr


def test_titles_may_be_missing_from_all_lessons() -> None:
    for text in ("topic_id,lesson_id\n1,2\n", '[{"topic_id": 1, "lesson_id": 2, "title": null}]'):
        assert read_outline(text.encode(), "x", 1).lessons == (OutlineLesson(topic_id=1, lesson_id=2),)


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("", " is empty. Write an outline without lessons as []."),
        (" \n", " is empty."),
        ("{", ": not JSON (EOF"),
        ("[]\n[]", ": not JSON (trailing characters at line 2"),
        pytest.param("[" * 100_000, ": not JSON (recursion limit", id="deeply nested"),
        ('{"lesson": []}', ": no list of lessons."),
        ('{"lessons": {}}', ": no list of lessons."),
        ('{"course_id": 2, "lessons": []}', ": course_id is 2, not 1. Load it for that course"),
        ('{"course_id": "1", "lessons": []}', ": course_id is '1', not 1."),
        ('[{"topic_id": 1, "lesson_id": 1}, [1, 2]]', ", lesson 2: not an object with topic_id and lesson_id."),
        ('[{"topic_id": 1, "lesson_id": 1}, {"topic_id": 1}]', ", lesson 2: lesson_id: Field required."),
        ('[{"topic_id": "1", "lesson_id": 1}]', ", lesson 1: topic_id: Input should be a valid integer."),
        ('[{"topic_id": 1, "lesson_id": 1, "title": 1}]', ", lesson 1: title: not valid."),
        ('[{"topic_id": 1, "lesson_id": 1, "title": "\\u0000"}]', ", lesson 1: title: not valid."),
        (
            '[{"topic_id": 1, "lesson_id": 1}, {"topic_id": 1, "lesson_id": 1}]',
            ", lesson 2: topic 1, lesson 1 is already",
        ),
        ("oops", ", line 1: 'oops' is neither JSON nor the header of a CSV file."),
        ("\n1,2,One\n", ", line 2: '1,2,One' is neither"),
        ("topic_id|lesson_id|title\n", ", line 1: 'topic_id|lesson_id|title' is neither"),
        (
            "topic_id;lesson_id;title\n1;2;Loops; and more\n",
            ", line 2: 4 cells under 3 columns. Put a title that contains a semicolon",
        ),
        ("topic_id;lesson_id\n1,0;2\n", ", line 2: topic_id: Input should be a valid integer."),
        ("topic_id,lesson_id,titel\n", ", line 1: 'topic_id,lesson_id,titel' is neither"),
        ("topic_id,lesson_id,topic_id\n", ", line 1: 'topic_id,lesson_id,topic_id' is neither"),
        ("topic_id,lesson_id\n\n1,2\n0,1\n", ", line 4: topic_id: Input should be greater than or equal to 1."),
        (f"topic_id,lesson_id\n1,{2**31}\n", ", line 2: lesson_id: Input should be less than or equal to 2147483647."),
        pytest.param(
            f"topic_id,lesson_id\n1,{'9' * 5_000}\n",
            ", line 2: lesson_id: Input should be a valid integer.",
            id="5,000 digits",
        ),
        ("topic_id,lesson_id\n1,1_0\n", ", line 2: lesson_id: Input should be a valid integer."),
        ("topic_id,lesson_id\n1\n", ", line 2: lesson_id: Field required."),
        (
            "topic_id,lesson_id,title\n1,2,Hello, world\n",
            ", line 2: 4 cells under 3 columns. Put a title that contains a comma",
        ),
        ('topic_id,lesson_id,title\n1,2,"a\nb"\n1,x,c', ", line 4: lesson_id: Input should be a valid integer."),
        ('topic_id,lesson_id,title\n1,2,"a\nb"\n1,2,c', ", line 4: topic 1, lesson 2 is already at line 2."),
        ('topic_id,lesson_id,title\n1,1,a\n1,2,"b\n1,3,c\n', ", line 3: not CSV (unexpected end of data)."),
        ('topic_id,lesson_id,title\n1,1,"a"b\n', ", line 2: not CSV ("),
        ("topic_id,lesson_id,title\n1,2,Li\u00e8ge\n".encode("latin-1"), ", line 2: not UTF-8 text."),
        ("topic_id,lesson_id\n1,2\n".encode("utf-16"), ", line 1: not UTF-8 text. It looks like UTF-16, which"),
        ("topic_id\tlesson_id\n1\t2\n".encode("utf-16-le"), ", line 1: not UTF-8 text. It looks like UTF-16, which"),
    ],
)
def test_the_first_mistake_is_named_with_its_place(content: str | bytes, problem: str, tmp_path: Path) -> None:
    file = tmp_path / "lessons"
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    result = invoke(NOWHERE, "outline", "load", "1", str(file))
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith(f"Error: {file}{problem}")
    assert result.stderr.endswith(" Nothing was published.\n")
    assert result.stderr.count("\n") == 1


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "lessons.json"
    path.write_text(json.dumps(JSON))
    return path


@pytest.mark.parametrize(
    ("time", "problem"),
    [
        ("soon", "Input should be an RFC 3339 time such as 2025-07-14T10:30:00Z."),
        ("2025-07-14T10:30:00", "Input should have timezone info."),
        ("1979-12-31T23:59:59Z", "Input should be greater than or equal to"),
        ("2999-01-01T00:00:00Z", "2999-01-01T00:00:00+00:00 is more than 5 minutes ahead of its arrival."),
    ],
)
def test_a_time_that_a_worker_would_refuse_is_told_so(file: Path, time: str, problem: str) -> None:
    result = invoke(NOWHERE, "outline", "load", "1", str(file), "--time", time)
    assert result.exit_code == 1
    assert f"The time '{time}' would be refused: {problem}" in result.stderr
    assert result.stderr.endswith(" Nothing was published.\n")


def test_an_outline_larger_than_an_event_may_be_is_told_so(file: Path) -> None:
    lessons = [
        {"topic_id": 1, "lesson_id": each, "title": "x" * 1_000} for each in range(1, MAX_OUTLINE_CHARACTERS // 1_000)
    ]
    file.write_text(json.dumps(lessons))
    result = invoke(NOWHERE, "outline", "load", "1", str(file))
    assert result.exit_code == 1
    assert "The outline is too large for one event: 1" in result.stderr
    assert (
        f"at most {MAX_OUTLINE_CHARACTERS}. Shorten its titles, or leave them out. Nothing was published.\n"
        in result.stderr
    )


def test_a_file_that_cannot_be_read_or_is_endless_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "absent cannot be read: No such file" in invoke(NOWHERE, "outline", "load", "1", f"{tmp_path}/absent").stderr
    assert "cannot be read: Is a directory" in invoke(NOWHERE, "outline", "load", "1", str(tmp_path)).stderr
    monkeypatch.setattr("worker.adapters.outlines.document.MAX_FILE_BYTES", 10)
    (tmp_path / "large").write_text("[" + " " * 9 + "]")
    assert "larger than 16 MiB" in invoke(NOWHERE, "outline", "load", "1", f"{tmp_path}/large").stderr


def test_a_closed_standard_input_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    from worker.cli.outline_content import read_content

    monkeypatch.setattr("sys.stdin", None)
    with pytest.raises(InputError, match="Standard input is closed"):
        read_content("-")


def test_a_valid_outline_gets_as_far_as_redis(file: Path) -> None:
    result = invoke(NOWHERE, "outline", "load", "1", str(file))
    assert result.exit_code == 1
    assert "Redis does not answer at 127.0.0.1:1" in result.stderr
    assert result.stderr.endswith(" Load the outline again once that is fixed.\n")


@pytest.mark.parametrize("course", ["0", "-1", str(2**63), "x"])
def test_a_course_that_can_be_none_is_a_usage_error(file: Path, course: str) -> None:
    for arguments in (["show", "--", course], ["load", "--", course, str(file)]):
        assert invoke(NOWHERE, "outline", *arguments).exit_code == 2
