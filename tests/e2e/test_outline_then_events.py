"""A cmi5 course: its structure is loaded, then published statements about its lesson are applied in its course."""

import json
from pathlib import Path

from tests.support.commands import run
from tests.support.named import rows_by_name
from tests.support.system import System
from worker.client import EventPublisher
from worker.contract.named_event import NAMED_EVENT, NamedLessonCompleted, NamedLessonViewed

DATA = Path(__file__).parents[1] / "data" / "lms" / "outline"
COURSE = "http://course-repository.example.edu/identifiers/courses/02baafcf"
LESSON = f"{COURSE}/aus/4c07"
LEARNER = "account:http://example.org/|Learner"


def test_statements_that_name_no_course_find_the_one_of_the_outline(system: System) -> None:
    system.start_worker(2)
    arguments = ["--format", "cmi5", "--connection", "cmi5", "--time", "2010-01-01T00:00:00Z"]
    loaded = run(system.environment(), "outline", "load", *arguments, str(DATA / "cmi5-simple.xml"))
    assert loaded.stdout.startswith(f"Published the outline of course '{COURSE}' from 2010-01-01 "), loaded.stderr
    system.wait_until_drained()

    lines = (DATA / "cmi5-events.jsonl").read_text(encoding="utf-8").splitlines()
    first = {json.loads(line)["id"]: NAMED_EVENT.validate_json(line) for line in reversed(lines)}
    events = [each for each in first.values() if isinstance(each, NamedLessonViewed | NamedLessonCompleted)]
    its = [each for each in events if each.data.lesson == LESSON]
    assert len([line for line in lines if LESSON in line]) == 71
    assert 0 < len(its) < len(events)
    EventPublisher(settings=system.settings).publish_many(events)
    system.wait_until_drained()

    completions = [each.time for each in its if isinstance(each, NamedLessonCompleted)]
    assert rows_by_name(system.engine) == {
        ("cmi5", LEARNER, COURSE, LESSON): ("completed", max(each.time for each in its), min(completions))
    }
    assert system.dead_letters() == {"unknown_lesson": len(events) - len(its)}
