"""What a statement needs, who it is of, and its time, duration and identity."""

from hashlib import sha256
from typing import Any

import pytest

from tests.support.statements import (
    ACTIVITIES,
    ARRIVED,
    COURSE,
    LESSON,
    MOODLE,
    TINCAN,
    activity,
    around,
    become,
    event_of,
    moodle,
    outcome,
    shown,
    statement,
)
from worker.adapters.outcome import Rejected

SHA1 = "971ab1250f3ccbd96c4206ab38438eae01dd2e4e"


class TestUsable:
    """Rows 1 to 4: what is no statement of an activity."""

    @pytest.mark.parametrize("record", ['{"actor": ', b"\xff", "", "text"], ids=shown)
    def test_no_json(self, record: object) -> None:
        assert outcome(record) == "rejected: not_json"

    @pytest.mark.parametrize("record", [None, 1, 1.5, True, [[]], [[statement()]]], ids=shown)
    def test_no_object(self, record: object) -> None:
        assert outcome(record) == "rejected: not_an_object"

    @pytest.mark.parametrize("member", ["actor", "verb", "object"])
    @pytest.mark.parametrize("value", ["absent", None, "text", 1, True, [], [{}]], ids=shown)
    def test_missing_member(self, member: str, value: object) -> None:
        record = statement() | {member: value}
        if value == "absent":
            del record[member]
        assert outcome(record) == "rejected: missing_member"

    @pytest.mark.parametrize(
        "verb", [{}, {"id": None}, {"id": 1}, {"id": ""}, {"id": ["x"]}, {"display": {}}], ids=shown
    )
    def test_verb_without_id(self, verb: object) -> None:
        assert outcome(statement() | {"verb": verb}) == "rejected: missing_member"

    @pytest.mark.parametrize("target", [{}, {"id": None}, {"id": 7}, {"id": ""}, {"id": {}}, {"name": "x"}], ids=shown)
    def test_object_without_id(self, target: object) -> None:
        assert outcome(statement() | {"object": target}) == "rejected: missing_member"

    @pytest.mark.parametrize("kind", ["StatementRef", "Activity", "Agent"])
    def test_voiding(self, kind: str) -> None:
        target = {"objectType": kind, "id": "8f87ccde-bb56-4c2e-ab83-44982ef22df0"}
        assert outcome(statement("voided", target)) == "rejected: voiding"

    @pytest.mark.parametrize("kind", ["Agent", "Group", "SubStatement", "StatementRef"])
    def test_object_is_no_activity(self, kind: str) -> None:
        assert outcome(statement("completed", {"objectType": kind, "id": "x"})) == "object"

    @pytest.mark.parametrize("kind", ["Activity", "GroupActivity", "", None, 1, [], {}], ids=shown)
    def test_object_is_an_activity(self, kind: object) -> None:
        assert outcome(statement("completed", {"objectType": kind, "id": LESSON})) == "lesson.completed"

    def test_satisfied(self) -> None:
        assert outcome(statement("https://w3id.org/xapi/adl/verbs/satisfied")) == "course_level"


class TestLearner:
    """Who it was."""

    @pytest.mark.parametrize(
        ("actor", "learner"),
        [
            ({"account": {"homePage": "https://a.example", "name": "x"}}, "account:https://a.example|x"),
            ({"account": {"homePage": "https://a.example", "name": 17}}, "account:https://a.example|17"),
            ({"account": {"homePage": "https://a.example", "name": "17"}}, "account:https://a.example|17"),
            ({"mbox": "mailto:ann@example.org"}, "mbox_sha1:6168d27d1f76f1fd61099f4e24f911dbae8314dc"),
            ({"mbox": "Ann@Example.org"}, "mbox_sha1:6168d27d1f76f1fd61099f4e24f911dbae8314dc"),
            ({"mbox_sha1sum": SHA1}, f"mbox_sha1:{SHA1}"),
            ({"mbox_sha1sum": SHA1.upper()}, f"mbox_sha1:{SHA1}"),
            ({"openid": "https://o.example/users/1"}, "openid:https://o.example/users/1"),
            # several identifiers
            (
                {"mbox": "a@b.example", "account": {"homePage": "https://a.example", "name": "x"}},
                "account:https://a.example|x",
            ),
            ({"mbox_sha1sum": SHA1, "openid": "https://o.example"}, f"mbox_sha1:{SHA1}"),
            (
                {"openid": "https://o.example", "mbox_sha1sum": SHA1, "mbox": "ann@example.org"},
                "mbox_sha1:6168d27d1f76f1fd61099f4e24f911dbae8314dc",
            ),
            # half an account
            ({"account": {"name": "x"}, "openid": "https://o.example"}, "openid:https://o.example"),
            ({"account": {"homePage": "h", "name": ""}, "mbox_sha1sum": SHA1}, f"mbox_sha1:{SHA1}"),
            ({"account": "x", "mbox": ["a"], "mbox_sha1sum": SHA1}, f"mbox_sha1:{SHA1}"),
            ({"objectType": "Agent", "member": None, "mbox_sha1sum": SHA1}, f"mbox_sha1:{SHA1}"),
            # a mail address in place of a name
            (
                {"account": {"homePage": "https://a.example", "name": "ann@example.org"}},
                "mbox_sha1:6168d27d1f76f1fd61099f4e24f911dbae8314dc",
            ),
            ({"openid": "mailto:ann@example.org"}, "mbox_sha1:6168d27d1f76f1fd61099f4e24f911dbae8314dc"),
        ],
        ids=shown,
    )
    def test_identifiers(self, actor: object, learner: str) -> None:
        assert event_of(statement(actor=actor)).data.learner == learner

    @pytest.mark.parametrize("home", ["https://a.example", "https://a.example/?of=ann@school.example"])
    @pytest.mark.parametrize(
        "name",
        [
            *(" ann@school.example ", "Ann <ann@school.example>", "APP|ann@school.example"),
            *("users/ann@school.example", "ann%40school.example"),
        ],
    )
    def test_a_mail_address_within_an_account(self, home: str, name: str) -> None:
        hashed = f"sha256:{sha256(f'account:{home}|{name}'.encode()).hexdigest()}"
        assert event_of(statement(actor={"account": {"homePage": home, "name": name}})).data.learner == hashed

    def test_a_mail_address_within_an_identifier(self) -> None:
        account = {"homePage": "https://a.example/ann@school.example", "name": "7"}
        hashed = sha256(b"account:https://a.example/ann@school.example|7").hexdigest()
        assert event_of(statement(actor={"account": account})).data.learner == f"sha256:{hashed}"
        hashed = sha256(b"openid:https://o.example/ann@school.example").hexdigest()
        openid = {"openid": "https://o.example/ann@school.example"}
        assert event_of(statement(actor=openid)).data.learner == f"sha256:{hashed}"

    @pytest.mark.parametrize(
        "actor",
        [
            {},
            {"name": "Ann"},
            {"account": {"name": "x"}},
            {"account": {"homePage": "https://a.example"}},
            {"account": {"homePage": "https://a.example", "name": True}},
            {"account": {"homePage": 1, "name": "x"}},
            {"account": []},
            {"mbox": ""},
            {"mbox": "mailto:"},
            {"mbox": 1},
            {"mbox_sha1sum": "ann@example.org"},
            {"mbox_sha1sum": SHA1[:39]},
            {"openid": ""},
            {"openid": None},
        ],
        ids=shown,
    )
    def test_none(self, actor: object) -> None:
        assert outcome(statement(actor=actor)) == "rejected: no_learner"
        assert outcome(statement("https://verbs.example/pondered", actor=actor)) == "rejected: no_learner"

    @pytest.mark.parametrize(
        "actor",
        [{"objectType": "Group", "mbox": "a@b.example"}, {"member": []}, {"member": [{"mbox": "a@b.example"}]}],
        ids=shown,
    )
    def test_group(self, actor: object) -> None:
        assert outcome(statement("completed", actor=actor)) == "group"

    @pytest.mark.parametrize(
        ("name", "learner"),
        [
            ("42", "user:42"),
            (42, "user:42"),
            ("jd42", f"account:{MOODLE}|jd42"),
            ("\u0664\u0662", f"account:{MOODLE}|\u0664\u0662"),
        ],
        ids=shown,
    )
    def test_user_ofmoodle(self, name: object, learner: str) -> None:
        actor = {"name": "Ann", "account": {"homePage": MOODLE, "name": name}}
        assert event_of(moodle(TINCAN + "verb/viewed", actor=actor)).data.learner == learner


class TestMembers:
    """Time, duration and identity."""

    @pytest.mark.parametrize(
        ("members", "expected"),
        [
            ({"timestamp": "2025-03-01T10:00:00Z", "stored": "2025-03-02T10:00:00Z"}, "2025-03-01T10:00:00+00:00"),
            ({"timestamp": None, "stored": "2025-03-02T10:00:00.123456789Z"}, "2025-03-02T10:00:00.123456+00:00"),
            ({"timestamp": "", "stored": "2025-03-02T10:00:00Z"}, "2025-03-02T10:00:00+00:00"),
        ],
        ids=shown,
    )
    def test_time(self, members: dict[str, Any], expected: str) -> None:
        event = event_of(statement(**members))
        assert (event.time.isoformat(), event.untimed) == (expected, None)

    def test_no_time_is_that_of_arrival(self) -> None:
        event = event_of(statement(timestamp=None))
        assert (event.time, event.untimed) == (ARRIVED, True)

    @pytest.mark.parametrize(
        ("timestamp", "reason"),
        [
            *(("2025-03-01T10:00:00", "no_offset"), ("yesterday", "bad_time"), ({}, "bad_time"), (True, "bad_time")),
            *(("1970-01-01T00:00:00Z", "time_out_of_range"), ("2026-12-01T00:00:00Z", "time_out_of_range")),
        ],
        ids=shown,
    )
    def test_bad_time(self, timestamp: object, reason: str) -> None:
        assert outcome(statement(timestamp=timestamp, stored="2025-03-02T10:00:00Z")) == f"rejected: {reason}"
        assert outcome(statement("registered", COURSE, timestamp=timestamp)) == f"rejected: {reason}"
        assert outcome(statement("answered", timestamp=timestamp)) == "verb"

    def test_time_in_the_connections_zone(self) -> None:
        event = event_of(statement(timestamp="2025-03-01T15:30:00"), timezone="Asia/Kolkata")
        assert event.time.isoformat() == "2025-03-01T10:00:00+00:00"

    @pytest.mark.parametrize(("duration", "seconds"), [("PT1H", 3_600), ("P1Y", None), (480, None), (None, None)])
    def test_duration(self, duration: object, seconds: int | None) -> None:
        assert event_of(statement(result={"duration": duration})).data.duration_seconds == seconds

    @pytest.mark.parametrize(
        "id",
        [
            *("5e0c1c2a-aaaa-4bbb-8ccc-0123456789ab", "5E0C1C2A-AAAA-4BBB-8CCC-0123456789AB"),
            *("urn:uuid:5e0c1c2a-aaaa-4bbb-8ccc-0123456789ab", "URN:UUID:5E0C1C2A-aaaa-4bbb-8ccc-0123456789ab"),
        ],
    )
    def test_spellings_of_an_id_meet(self, id: str) -> None:  # noqa: A002 - the member's name
        event = event_of(statement(id=id))
        assert event.id == event.event_id == "5e0c1c2a-aaaa-4bbb-8ccc-0123456789ab"

    def test_other_ids(self) -> None:
        assert event_of(statement(id="a-1")).id == "a-1"
        assert event_of(statement(id="x" * 2_000)).id.startswith("sha256:")
        hashed = sha256(b"7/ann@school.example").hexdigest()
        assert event_of(statement(id="7/ann@school.example")).id == f"sha256:{hashed}"

    @pytest.mark.parametrize(
        "id",
        [None, "", 7, [], {}, "00000000-0000-0000-0000-000000000000", "ffffffff-ffff-ffff-ffff-ffffffffffff"],
        ids=shown,
    )
    def test_no_id_is_the_hash_of_what_a_resend_repeats(self, id: object) -> None:  # noqa: A002 - the member's name
        first, again = (
            event_of(statement(id=id, stored=f"2025-03-0{day}T10:00:00Z", authority={"mbox": f"{day}"}, version=day))
            for day in (1, 2)
        )
        assert first.id.startswith("sha256:")
        assert first == again
        assert event_of(statement("launched", id=id)).id != event_of(statement(id=id)).id

    def test_no_id_and_too_deep(self) -> None:
        deep: list[object] = []
        for _ in range(100_000):
            deep = [deep]
        with pytest.raises(Rejected, match="not_json"):
            become(statement(id=None, attachments=deep))
        assert outcome(statement(attachments=deep)) == "lesson.viewed"

    def test_long_and_strange_names(self) -> None:
        data = event_of(statement(target="https://lms.example/" + "x" * 5_000)).data
        assert data.lesson.startswith("sha256:")
        data = event_of(
            statement(target="https://lms.example/\ud800\0", context=around(parent=[activity("\udfff", "course")]))
        ).data
        assert (data.lesson, data.course) == ("https://lms.example/\ufffd\ufffd", "\ufffd")

    def test_source_is_the_connection(self) -> None:
        event = event_of(statement(source="other"))
        assert (event.source, event.data.enrols, event.data.topic) == ("xapi-test", True, None)


class TestSplit:
    """The forms in which statements come."""

    @pytest.mark.parametrize(
        ("document", "count"),
        [
            (statement(), 1),
            ([], 0),
            ([statement(), statement()], 2),
            ({"statement": statement()}, 1),
            ([{"statement": statement(), "_id": "5f"}, statement()], 2),
            ({"statements": [statement(), {"statement": statement()}], "more": ""}, 2),
            ({"statements": []}, 0),
            (statement(statements=[1], statement={}), 1),
        ],
        ids=shown,
    )
    def test_forms(self, document: object, count: int) -> None:
        assert len(become(document)) == count

    @pytest.mark.parametrize("document", [{"statement": 1}, {"statements": 1}, {"statements": {}}, {}], ids=shown)
    def test_what_wraps_nothing(self, document: object) -> None:
        assert outcome(document) == "rejected: missing_member"


def test_context_activities_of_other_types() -> None:
    strange: object
    for strange in (None, "x", 1, [], [1], [None], [{}], [{"id": 1}], {"parent": 1}, {"parent": [[]], "grouping": "x"}):
        event = event_of(statement("completed", context={"contextActivities": strange}))
        assert (event.type, event.data.course) == ("lesson.completed", None)


def test_definitions_of_other_types() -> None:
    strange: object
    for strange in (None, "x", 1, [], {"type": 1}, {"type": None}, {"extensions": "x"}, {"type": ["course"]}):
        assert outcome(statement("completed", {"id": LESSON, "definition": strange})) == "lesson.completed"


def test_types_end_in_a_slash_or_not() -> None:
    assert outcome(statement("completed", activity("https://lms.example/c", ACTIVITIES + "course/"))) == "course_level"
