"""Names of what records speak of."""

from hashlib import sha1, sha256
from urllib.parse import quote

import pytest

from tests.support.statements import shown
from worker.adapters.iris import Canonical, Kind, canonical
from worker.adapters.names import hashed_id, mail_name, to_name
from worker.adapters.outcome import Rejected
from worker.contract.value_types import is_name

KEY = "block-v1:edX+DemoX+Demo_Course+type@html+block@030e"
PROBLEM = "block-v1:edX+DemoX+Demo_Course+type@problem+block@a0ef"
COURSE_KEY = "course-v1:edX+DemoX+Demo_Course"


@pytest.mark.parametrize("text", ["a", "é" * 512, "x" * 1024, "שלום", " a "], ids=shown)
def test_a_name_stays(text: str) -> None:
    assert to_name(text) == text


@pytest.mark.parametrize("text", ["x" * 1025, "é" * 513, "x" * 100_000], ids=shown)
def test_a_long_name_is_hashed(text: str) -> None:
    assert to_name(text) == f"sha256:{sha256(text.encode()).hexdigest()}"


MAIL = "ann.lee+x@school.example"
WITH_MAIL = [
    MAIL,
    f" {MAIL} ",
    f"Ann <{MAIL}>",
    f"APP|{MAIL}",
    f"users/{MAIL}",
    f"mailto:{MAIL}",
    f"https://lms.example/lessons/3?user={MAIL}&x=1",
    *(f"https://lms.example/?u={MAIL.replace('@', at)}" for at in ("%40", "%2540", "%252540")),
    "https://lms.example/?u=ann%2Elee%40school%2Eexample",
    "Änn@schüle.example",
    "ANN@SCHOOL.EXAMPLE",
    '"ann"@school.example',
    "a@b.co",
    "x" * 2_000 + MAIL,
    f"block-v1:a+b+c+type@html+block@d {MAIL}",
    f"https://e.example/v?u=block-v1:a+b+c+type@html+block@d&user={MAIL}",
    "block-v1:a+b+c+type@html+block@ann@school.example",
    "course-v1:a+b+ann@school.example",
]


@pytest.mark.parametrize("text", WITH_MAIL, ids=shown)
def test_a_name_that_holds_a_mail_address_is_hashed(text: str) -> None:
    assert to_name(text) == f"sha256:{sha256(text.encode()).hexdigest()}"


@pytest.mark.parametrize(
    "text",
    [
        *(KEY, "block-v1:a+b+c+type@html+block@intro.part.one", "ccx-block-v1:a+b+c+ccx@1+type@html+block@a.bc"),
        "block-v1:a+b+c+branch@draft.branch+version@new.one+type@html+block@d.ef/handler/x.y",
        "https://e.example/x?u=block-v1%3Aa%2Bb%2Bc%2Btype%40html%2Bblock%40intro.part",
        *("asset-v1:a+b+c+type@asset+block@photo.png", "i4x://edX/DemoX/video/a.bc@draft.one", "i4x://o.rg/c/html/ann"),
        *("course-v1:edX+DemoX+Demo.Course", "ccx-v1:a+b+c+ccx@1", "course-v1:a+b+c+branch@draft.one"),
        *("https://blog.example/@ann.lee/post", "@ann.lee", "ann@", "ann@school", "pkg@1.2.3", "a @ b.example"),
        *("100%", "%", "%40", "a%40b", "Meet @ noon. Sharp", "mbox_sha1:6168d27d1f76f1fd61099f4e24f911dbae8314dc"),
    ],
    ids=shown,
)
def test_a_name_without_a_mail_address_stays(text: str) -> None:
    assert to_name(text) == text


@pytest.mark.parametrize(
    "part", ["a", "@", "a@", "a.", "a@b.", "%40", "%25", "-v1:", "+block@", "-v1:+block@", "i4x://a/"]
)
def test_looking_for_a_mail_address_takes_no_time(part: str) -> None:
    for start in ("", "@", "block-v1:", "i4x://"):
        to_name(start + part * 20_000)


def test_what_no_database_takes_is_replaced() -> None:
    assert to_name("a\ud800b\0") == "a\ufffdb\ufffd"
    assert to_name("\ud83d\ude00") == "\U0001f600"  # a pair is a character
    assert is_name(to_name("\udfff" * 2_000))


@pytest.mark.parametrize(
    "address", ["mailto:ann@example.org", "ann@example.org", "MAILTO:Ann@Example.org", " ann@example.org "]
)
def test_spellings_of_a_mail_address_meet(address: str) -> None:
    hashed = sha1(b"mailto:ann@example.org", usedforsecurity=False).hexdigest()
    assert mail_name(address) == f"mbox_sha1:{hashed}"


def test_an_id_of_contents() -> None:
    text = '["xapi",{"a":[1,2.5,null],"b":"é"}]'
    assert hashed_id(["xapi", {"b": "é", "a": [1, 2.5, None]}]) == f"sha256:{sha256(text.encode()).hexdigest()}"
    assert hashed_id(["xapi", {"a": "\ud800"}]) == hashed_id(["xapi", {"a": "\ufffd"}])


def test_contents_too_deep_for_an_id() -> None:
    deep: list[object] = []
    for _ in range(100_000):
        deep = [deep]
    with pytest.raises(Rejected, match="not_json"):
        hashed_id(deep)


@pytest.mark.parametrize(
    ("iri", "expected"),
    [
        ("https://m.example/mod/quiz/view.php?id=5", Canonical("cm:5", Kind.MODULE)),
        ("https://m.example/moodle/mod/page/view.php?id=5&inpopup=1", Canonical("cm:5", Kind.MODULE, is_part=True)),
        ("https://m.example/mod/book/view.php?id=5&chapterid=2", Canonical("cm:5", Kind.MODULE, is_part=True)),
        ("https://m.example/mod/assign/view.php?id=5#submission", Canonical("cm:5", Kind.MODULE, is_part=True)),
        ("https://m.example/mod/hvp/view.php?id=5?subContentId=a", Canonical("cm:5", Kind.MODULE, is_part=True)),
        ("https://m.example/mod/data/view.php?d=2&id=5", Canonical("cm:5", Kind.MODULE, is_part=True)),
        ("https://m.example/course/view.php?id=4", Canonical("course:4", Kind.COURSE)),
        ("https://m.example/course/view.php?id=4&section=2", Canonical("course:4", Kind.COURSE)),
        ("https://m.example/course/section.php?id=9", Canonical("section:9", Kind.SECTION)),
        ("https://e.example/xblock/" + KEY, Canonical(KEY, Kind.BLOCK, block_type="html")),
        ("https://e.example/xblock/" + KEY + "/", Canonical(KEY, Kind.BLOCK, block_type="html")),
        ("https://e.example/xblock/" + KEY + "?x=1", Canonical(KEY, Kind.BLOCK, is_part=True, block_type="html")),
        (
            "https://e.example/xblock/block-v1%3AedX%2BDemoX%2BDemo_Course%2Btype%40html%2Bblock%40030e",
            Canonical(KEY, Kind.BLOCK, block_type="html"),
        ),
        ("https://e.example/xblock/" + KEY.replace("+", " "), Canonical(KEY, Kind.BLOCK, block_type="html")),
        (f"https://e.example/courses/{COURSE_KEY}/jump_to/{KEY}", Canonical(COURSE_KEY, Kind.COURSE)),
        (f"https://e.example/courses/{quote(COURSE_KEY)}/jump_to/{quote(KEY)}", Canonical(COURSE_KEY, Kind.COURSE)),
        (f"https://e.example/courses/{COURSE_KEY}/xblock/{KEY}", Canonical(KEY, Kind.BLOCK, block_type="html")),
        (KEY, Canonical(KEY, Kind.BLOCK, block_type="html")),
        ("ccx-" + KEY, Canonical("ccx-" + KEY, Kind.BLOCK, block_type="html")),
        (PROBLEM, Canonical(PROBLEM, Kind.BLOCK, block_type="problem")),
        (PROBLEM + "_2_1", Canonical(PROBLEM, Kind.BLOCK, is_part=True, block_type="problem")),
        (KEY + "_2_1", Canonical(KEY + "_2_1", Kind.BLOCK, block_type="html")),
        ("i4x://edX/DemoX/video/7c54", Canonical("i4x://edX/DemoX/video/7c54", Kind.BLOCK, block_type="video")),
        (
            "https://e.example/xblock/i4x://edX/DemoX/video/7c54",
            Canonical("i4x://edX/DemoX/video/7c54", Kind.BLOCK, block_type="video"),
        ),
        ("https://e.example/course/" + COURSE_KEY, Canonical(COURSE_KEY, Kind.COURSE)),
        (f"https://e.example/courses/{COURSE_KEY}/", Canonical(COURSE_KEY, Kind.COURSE)),
        (f"https://e.example/courses/{COURSE_KEY}/about", Canonical(COURSE_KEY, Kind.COURSE)),
        ("https://e.example/courses/course-v1:edX%2BDemoX%2BDemo_Course", Canonical(COURSE_KEY, Kind.COURSE)),
        (COURSE_KEY, Canonical(COURSE_KEY, Kind.COURSE)),
        ("ccx-v1:a+b+c+ccx@1", Canonical("ccx-v1:a+b+c+ccx@1", Kind.COURSE)),
    ],
    ids=shown,
)
def test_known_iris(iri: str, expected: Canonical) -> None:
    assert canonical(iri) == expected


@pytest.mark.parametrize(
    "iri",
    [
        *(
            "https://lms.example/lessons/3",
            "https://lms.example/courses/7",
            "uuid://0aec",
            "urn:articulate:x",
            "x",
            "%",
        ),
        *("https://m.example/mod/quiz/attempt.php?attempt=5", "https://m.example/mod/quiz/view.php?id=x"),
        *("https://m.example/mod/quiz/view.php?cmid=5", "https://m.example/course/view.php?name=a", "a.php?b"),
        *("https://x.example/sub-v1:a", "https://e.example/xblock/", "block-v1:a", "i4x://a", "\ud800-v1:%ff"),
        *("https://lms.example/v?u=block-v1:a+type@html+block@b", f"https://e.example/jump_to/{KEY}"),
        "https://e.example/courses/edX/DemoX/Demo/jump_to/i4x://edX/DemoX/video/7c54",
    ],
    ids=shown,
)
def test_other_iris_stay(iri: str) -> None:
    assert canonical(iri) == Canonical(iri)


@pytest.mark.parametrize(
    "part", ["/xblock/block-v1:", "+type@a", "/mod/a", "_1_1", "id=1&", "/courses/course-v1:", "%"]
)
def test_long_iris_take_no_time(part: str) -> None:
    for start in ("", "block-v1:a", "https://m.example/mod/a/view.php?"):
        canonical(start + part * 20_000)
