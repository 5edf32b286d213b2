"""Names and their numbers in CSV: what is read, and what is refused by its line."""

import pytest

from worker.contract.id_ranges import MAX_ID
from worker.errors import InputError
from worker.identity.map_csv import NumberedName, read_names
from worker.identity.map_spool import open_spool

HEADER = "kind,source,key,id,course_id,topic_id\n"
LESSON = NumberedName("lesson", "moodle", "cm:1", 3, 4, 5, 2)


@pytest.mark.parametrize(
    "text",
    [
        f"{HEADER}lesson,moodle,cm:1,4,3,5\n",
        "Topic_ID;id;course_id ;kind;key;source;;\r\n5;4;3;lesson;cm:1;moodle;;\r\n",
        'kind\tid\tsource\tkey\ttopic_id\tcourse_id\nlesson\t 4\tmoodle\t"cm:1"\t5\t3',
    ],
    ids=["comma", "semicolons in another order", "tabs"],
)
def test_the_header_may_be_in_any_order(text: str) -> None:
    assert list(read_names(text.splitlines(keepends=True), "f")) == [LESSON]


def test_of_a_user_or_course_the_other_columns_may_be_missing() -> None:
    text = f'key,id,kind,source\n"a,\n""b""",{MAX_ID},user,moodle\n\nc1,1,course,moodle\n'
    assert list(read_names(text.splitlines(keepends=True), "f")) == [
        NumberedName("user", "moodle", 'a,\n"b"', 0, MAX_ID, None, 2),
        NumberedName("course", "moodle", "c1", 0, 1, None, 5),
    ]


def test_the_topic_of_lessons_without_one_has_the_empty_name() -> None:
    (topic,) = read_names([HEADER, "topic,moodle,,4,3,\n"], "f")
    assert (topic.key, topic.id, topic.scope) == ("", 4, 3)


@pytest.mark.parametrize(
    ("row", "says"),
    [
        ("person,moodle,ann,1", "kind: 'person' is not one of user, course, topic, lesson"),
        ("user,moodle,ann,", "id: a user needs one. Give a whole number from 1 to 9223372036854775807"),
        ("user,moodle,ann,0", "id: '0' is not one"),
        (f"user,moodle,ann,{MAX_ID + 1}", "is not one"),
        ("user,moodle,ann,\uff11", "is not one"),
        ("user,moodle,ann," + "9" * 5_000, "is not one"),
        ("user,moodle,ann,1,2", "course_id: a user has none"),
        ("user,moodle,,1", "key: a name has 1 to 1,024 bytes"),
        ("user,moodle,a\0b,1", "key: a name has 1 to 1,024 bytes"),
        ("user,moodle," + "é" * 513 + ",1", "key: a name has 1 to 1,024 bytes"),
        ("user,,ann,1", "source: a name has"),
        ("topic,moodle,t1,1", "course_id: a topic needs one"),
        ("lesson,moodle,l1,1,2", "topic_id: a lesson needs one. Give a whole number from 1 to 2147483647"),
        ("lesson,moodle,l1,2147483648,1,1", "id: '2147483648' is not one"),
        ("lesson,moodle,l1,1,1,2147483648", "topic_id: '2147483648' is not one"),
        ("user,moodle,ann,1,,,7", "7 cells under 6 columns"),
        ('user,moodle,"ann"x,1', "not CSV"),
        ('user,moodle,"ann,1', "not CSV"),
    ],
)
def test_the_first_wrong_row_is_named_by_its_line(row: str, says: str) -> None:
    with pytest.raises(InputError) as refused:
        list(read_names([HEADER, "user,moodle,good,9\n", row], "f.csv"))
    assert str(refused.value).startswith("f.csv, line 3: ")
    assert says in str(refused.value)


@pytest.mark.parametrize(
    ("header", "says"),
    [
        ("", "no column kind"),
        ("user,moodle,ann,1", "no column kind"),
        ("kind,source,key", "no column id"),
        ("kind,source,key,id,name", "unknown column 'name'"),
        ("kind,source,key,id,key", "the column key is there twice"),
    ],
)
def test_a_wrong_header_is_refused(header: str, says: str) -> None:
    with pytest.raises(InputError, match=f"^f, line 1: .*{says}"):
        list(read_names([header, "user,moodle,ann,1"], "f"))


def test_names_come_back_by_kind_and_bytewise_and_once() -> None:
    rows = ["user,s,b,1,,\n", "lesson,s,l,1,1,1\n", "user,s,B,2,,\n", "user,s,é,3,,\n", "course,s,c,1,,\n"]
    with open_spool() as spool:
        assert list(spool.add(read_names([HEADER, *rows, rows[0]], "f"), "f")) == [2, 3, 4, 5, 6, 7]
        chunks = [[name.key for name in chunk] for chunk in spool.chunks()]
    assert chunks == [["c"], ["B", "b", "é"], ["l"]]


@pytest.mark.parametrize("again", ["user,s,a,2,,\n", "lesson,s,l,1,1,2\n"])
def test_one_name_with_two_numbers_is_refused(again: str) -> None:
    with (
        open_spool() as spool,
        pytest.raises(InputError, match=r"^f, line 4: .* has another number on line [23]\. Remove"),
    ):
        list(spool.add(read_names([HEADER, "user,s,a,1,,\n", "lesson,s,l,1,1,1\n", again], "f"), "f"))
