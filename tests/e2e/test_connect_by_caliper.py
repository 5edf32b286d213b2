"""Senders of Caliper with the settings of docs/how-to/connect-by-caliper.md to real processes."""

from pathlib import Path
from typing import Any

from tests.support import senders
from tests.support.api import ServeProcess
from tests.support.caliper import CONTEXT, entity, envelope
from tests.support.commands import invoke
from tests.support.how_to import HowTo
from tests.support.named import rows_by_name
from tests.support.system import System
from tests.support.xapi import exchange

WORDPRESS, MOODLE, EDX = "http://blog.example/course1", "https://moodle.example", "https://lms.example"
EDX_COURSE = entity(f"{EDX}/course/course-v1:edX+DemoX+Demo", "CourseOffering")
VIDEO = "block-v1:edX+DemoX+Demo+type@video+block@0b9e"


def event(number: int, of_type: str, action: str, who: str, what: dict[str, Any], **members: Any) -> dict[str, Any]:
    return {
        "@context": CONTEXT,
        "type": of_type,
        "actor": entity(who, "Person", name="Ann Example"),
        "action": action,
        "object": what,
        "eventTime": f"2025-07-14T10:30:{number:02}.000Z",
        "id": f"urn:uuid:0198a1b2-c3d4-7e5f-8a9b-0000000000{number:02}",
        **members,
    }


BLOG = event(
    1,
    "NavigationEvent",
    "NavigatedTo",
    "http://blog.example/ann",
    entity(f"{WORDPRESS}?p=13", "WebPage", isPartOf=entity(WORDPRESS, "DigitalResource")),
    group=entity(WORDPRESS, "CourseOffering"),
    session=entity(
        f"{WORDPRESS}/session/1", "Session", client=entity("c", "SoftwareApplication", ipAddress="192.0.2.9")
    ),
)
QUIZ = entity(f"{MOODLE}/mod/quiz/view.php?id=7", "Assessment")
MOODLE_EVENTS = [
    event(
        number,
        "AssessmentEvent",
        action,
        f"{MOODLE}/user/profile.php?id=4",
        entity(f"{MOODLE}/mod/quiz/attempt.php?attempt=3", "Attempt", assignable=QUIZ, duration="PT5M"),
        group=entity(f"{MOODLE}/course/view.php?id=2", "CourseSection"),
        membership={"roles": [role]},
    )
    for number, action, role in ((2, "Started", "Learner"), (3, "Submitted", "Learner"), (4, "Submitted", "Instructor"))
]
EDX_EVENTS = [
    event(5, "Event", "Activated", f"{EDX}/user/32e0", EDX_COURSE),
    event(
        6,
        "MediaEvent",
        "Ended",
        f"{EDX}/user/32e0",
        entity(f"{EDX}/xblock/{VIDEO}", "VideoObject", duration="PT3M", extensions={"isPartOf": EDX_COURSE}),
    ),
    event(7, "GradeEvent", "Graded", f"{EDX}/user/32e0", entity("x", "Attempt")),
]
EXPECTED: dict[tuple[str, str, str, str], str] = {
    ("tools", "http://blog.example/ann", WORDPRESS, f"{WORDPRESS}?p=13"): "in_progress",
    ("tools", f"{MOODLE}/user/profile.php?id=4", "course:2", "cm:7"): "completed",
    ("tools", f"{EDX}/user/32e0", "course-v1:edX+DemoX+Demo", VIDEO): "completed",
}


def test_what_sensors_send_is_what_is_stored(system: System, tmp_path: Path) -> None:
    how_to = HowTo("connect-by-caliper")
    system.extra_environment = how_to.environment(tmp_path)
    url, bearer = how_to.setting("Endpoint"), how_to.setting("Authorization")
    requests = [
        senders.caliper_sensor(url, bearer, envelope(BLOG)),
        senders.caliper_sensor(url, bearer, envelope(entity(WORDPRESS, "CourseOffering"))),
        senders.caliper_sensor(url, bearer, envelope(*MOODLE_EVENTS, "broken", {"@type": "http://x/Event"})),
        *(senders.open_edx_caliper(url, bearer, [each]) for each in EDX_EVENTS),
        senders.open_edx_caliper(url, senders.basic("tools", bearer.removeprefix("Bearer ")), EDX_EVENTS),
        senders.open_edx_caliper(url, bearer, [envelope(each) for each in EDX_EVENTS]),
        senders.caliper_sensor(url, bearer, BLOG),
    ]
    process = ServeProcess(system.environment(), tmp_path / "serve.log")
    system.start_worker(2)
    try:
        for request in requests + requests[::-1]:
            answer = exchange(process.url, *request)
            assert (answer.status, answer.body) == (200, b"")
        assert exchange(process.url, *senders.caliper_sensor(url, "Bearer wrong", envelope(BLOG))).status == 401
    finally:
        process.close()
    system.wait_until_drained()
    assert {name: row[0] for name, row in rows_by_name(system.engine).items()} == EXPECTED
    assert system.dead_letters().keys() == {"not_translated"}
    log = process.log.read_text(encoding="utf-8")
    for secret in ("192.0.2.9", "Ann Example", bearer.removeprefix("Bearer ")):
        assert secret not in log
    (tmp_path / "events.jsonl").write_bytes(b"\n".join(request.body.replace(b"\n", b"") for request in requests))
    recorded = system.recorded()
    published = ("publish", str(tmp_path / "events.jsonl"), "--format", "caliper", "--connection", "tools")
    assert invoke(system.environment(), *published).exit_code == 0
    system.wait_until_drained()
    assert system.recorded() == recorded
