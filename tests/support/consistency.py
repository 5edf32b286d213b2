"""What the documents about one course say of each other: every contradiction between two figures, as a sentence.

Documents are JSON, as the API and the commands give them. `pending` enrollments may be missing from the figures of the
course, so those may differ from the learners' own by that many. Holds for learners whose progress is all by events.
"""

from collections.abc import Iterator, Sequence
from typing import Any

Document = dict[str, Any]


def contradictions(
    course: Document, overview: Document, class_list: Sequence[Document], learners: Sequence[Document]
) -> list[str]:
    """Return everything that the course's analysis, overview and class list and its learners' analyses disagree on."""
    return [
        *_within_course(course),
        *_overview(course, overview),
        *_class(course, class_list),
        *(said for learner in learners for said in _within_learner(learner)),
        *_learners(course, class_list, {each["user_course_id"]: each for each in learners}),
    ]


def _within_course(course: Document) -> Iterator[str]:
    of, pending = course["statistics"], course["pending"]
    events = sum(map(sum, course["events_by_weekday"]))
    yield from _unless((of is None) == (course["as_of"] is None), "statistics without as of, or the reverse")
    if of is None:
        shown = [course[name] for name in ("lessons", "weeks", "dormant", "dormant_learners", "sessions")]
        yield from _unless(not any(shown) and not events, "figures before any is computed")
        return
    yield from _unless(of["completed"] <= of["started"] <= of["enrollments"], "completed > started > enrollments")
    yield from _unless(
        course["dormant_learners"] + of["completed"] <= of["enrollments"], "more dormant and finished than enrolled"
    )
    yield from _unless(course["dormant_learners"] >= len(course["dormant"]), "more dormant listed than counted")
    for each in course["lessons"]:
        lesson, its = f"lesson {each['topic_id']}, {each['lesson_id']}", each["statistics"]
        yield from _unless(its["enrollments"] == of["enrollments"], f"{lesson}: other enrollments")
        yield from _unless(its["completed"] <= its["started"] <= of["started"], f"{lesson}: more than started")
        yield from _unless(its["completed"] >= of["completed"], f"{lesson}: fewer completed it than the course")
        yield from _unless(
            max(each["stopped"], each["stuck"]) <= its["started"] - its["completed"],
            f"{lesson}: stopped after completion",
        )
        yield from _unless(each["visits"] >= its["started"] - pending, f"{lesson}: started without a visit")
    yield from _unless(course["sessions"] >= of["started"] - pending, "started without a session")
    yield from _unless((events > 0) == (course["sessions"] > 0), "events without sessions, or the reverse")
    weeks = course["weeks"]
    yield from _unless(bool(weeks) == (events > 0), "events without weeks, or the reverse")
    yield from _unless(
        sum(week["completed"] for week in weeks) == sum(each["statistics"]["completed"] for each in course["lessons"]),
        "other lessons completed by week than by lesson",
    )
    for week in weeks:
        yield from _unless(week["learners"] <= of["enrollments"], f"{week['monday']}: more active than enrolled")
        yield from _unless(not week["completed"] or week["learners"] or pending, f"{week['monday']}: nobody active")


def _overview(course: Document, overview: Document) -> Iterator[str]:
    yield from _unless(overview["statistics"] == course["statistics"], "overview and analysis have other statistics")
    yield from _unless(overview["pending"] == course["pending"], "overview and analysis: other pending")


def _class(course: Document, members: Sequence[Document]) -> Iterator[str]:
    pending = [each for each in members if each["is_pending"]]
    yield from _unless(len(pending) <= course["pending"], "more pending in the list than counted")
    for each in members:
        who = f"enrollment {each['user_course_id']} in the list"
        has_started = each["completed_lessons"] > 0 or each["state"] == "active"
        yield from _unless(not has_started or each["last_seen_on"] is not None, f"{who}: progress, never seen")
        yield from _unless((each["state"] == "finished") == (each["completed_at"] is not None), f"{who}: finished")
        yield from _unless(not (each["stuck"] and each["state"] == "finished"), f"{who}: finished and stuck")
    of = course["statistics"]
    if of is None:
        yield from _unless(len(pending) == len(members), "included before any figure is computed")
        return
    settled = [each for each in members if not each["is_pending"]]
    for name, count, its in (
        ("enrollments", of["enrollments"], [*settled]),
        ("completed", of["completed"], [each for each in settled if each["state"] == "finished"]),
        ("started", of["started"], [each for each in settled if each["state"] != "not_started"]),
        ("dormant", course["dormant_learners"], [each for each in settled if each["state"] == "dormant"]),
    ):
        yield from _unless(
            len(its) <= count <= len(its) + course["pending"], f"{name}: {count}, but {len(its)} in the list"
        )
    lessons = sum(each["statistics"]["completed"] for each in course["lessons"])
    listed = sum(each["completed_lessons"] for each in members)
    yield from _unless(course["pending"] > 0 or lessons == listed, f"{lessons} lessons completed, {listed} in the list")


def _within_learner(learner: Document) -> Iterator[str]:
    who, state = f"enrollment {learner['user_course_id']}", learner["projection"]["state"]
    finished = learner["is_finished"]
    yield from _unless(finished == (0 < learner["completed_lessons"] == learner["total_lessons"]), f"{who}: finished")
    yield from _unless(finished == (state == "finished") == (learner["completed_at"] is not None), f"{who}: {state}")
    yield from _unless(
        finished == any(each["kind"] == "course" for each in learner["achievements"]), f"{who}: achieved"
    )
    yield from _unless(not finished or not (learner["is_dormant"] or learner["stuck"]), f"{who}: finished and dormant")
    if learner["pending"]:
        return
    done = sum(lesson["status"] == "completed" for lesson in learner["lessons"])
    yield from _unless(done >= learner["completed_lessons"], f"{who}: completed what was never visited")
    yield from _unless(sum(week["completed"] for week in learner["weeks"]) == done, f"{who}: other lessons by week")
    events = sum(map(sum, learner["events_by_weekday"]))
    yield from _unless(sum(week["events"] for week in learner["weeks"]) == events, f"{who}: other events by week")
    seen = [learner["sessions"] > 0, learner["last_seen_on"] is not None, bool(learner["lessons"])]
    yield from _unless(len({events > 0, *seen}) == 1, f"{who}: events {events}, sessions, seen, visits: {seen}")


def _learners(course: Document, members: Sequence[Document], learners: dict[int, Document]) -> Iterator[str]:
    for each in members:
        learner = learners[each["user_course_id"]]
        who = f"enrollment {each['user_course_id']}, list and analysis"
        for name in ("completed_lessons", "total_lessons", "completion_percentage", "completed_at", "last_seen_on"):
            yield from _unless(each[name] == learner[name], f"{who}: {name}: {each[name]}, {learner[name]}")
        yield from _unless((each["state"] == "finished") == learner["is_finished"], f"{who}: finished")
        yield from _unless((each["state"] == "dormant") == learner["is_dormant"], f"{who}: dormant")
        if not each["is_pending"]:
            yield from _unless(_lessons(each["stuck"]) == _lessons(learner["stuck"]), f"{who}: stuck")
    for each in course["dormant"]:
        yield from _unless(learners[each["user_course_id"]]["is_dormant"], "dormant for the course alone")
    if course["pending"]:
        return
    for name in ("sessions", "session_seconds"):
        total = sum(learner[name] for learner in learners.values())
        yield from _unless(abs(course[name] - total) < 0.001, f"{name}: {course[name]}, together {total}")
    spent = sum(learner["spent"]["seconds"] for learner in learners.values())
    yield from _unless(abs(course["spent"]["seconds"] - spent) < 0.001, "time spent: not that of the learners")
    stuck = sum(each["stuck"] for each in course["lessons"])
    yield from _unless(
        stuck == sum(len(each["stuck"]) for each in learners.values()), "stuck: other than the learners'"
    )


def _lessons(found: Sequence[Document]) -> list[tuple[int, int]]:
    return [(each["topic_id"], each["lesson_id"]) for each in found]


def _unless(holds: object, said: str) -> Iterator[str]:
    if not holds:
        yield said
