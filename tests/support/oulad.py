"""Logs of real shape: the Open University's, whose file may lie beside the repository, and generated ones."""

import gzip
import json
import random
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

from worker.contract.event import EVENT, Event

FILE = Path(__file__).parents[3] / "shared" / "data" / "oulad_aaa_2013j.jsonl.gz"
GENERATED_EVENTS = 20_000
START = datetime(2013, 3, 15, tzinfo=UTC)
COURSE_DAYS = 470


def load(*, real: bool = False) -> list[bytes]:
    """A log, one CloudEvent a line, in order of time: outline, enrollments, lesson events.

    The Open University's, eight times as long as the generated one, where it is asked for and there.
    """
    if real and FILE.exists():
        with gzip.open(FILE) as lines:
            return [line.rstrip(b"\n") for line in lines]
    return generate(GENERATED_EVENTS, learners=100)


def parse(lines: list[bytes]) -> list[Event]:
    """The events of a log."""
    return [EVENT.validate_json(line) for line in lines]


def generate(
    events: int, *, learners: int = 20, topics: int = 9, seed: int = 1, first_id: int = 1, course_id: int = 1
) -> list[bytes]:
    """A log of so many lesson events: learners return to lessons, and complete many of them on the last visit.

    Few learners do most of it, as in life; about half of the events report seconds; all ids follow from the seed.
    """
    chance = random.Random(seed)
    lessons = [(topic, lesson) for topic in range(1, topics + 1) for lesson in range(1, chance.randint(2, 30))]
    source = f"generated/{seed}"

    def line(kind: str, time: datetime, data: dict[str, object]) -> dict[str, object]:
        identity = str(UUID(int=chance.getrandbits(128), version=4))
        envelope = {"specversion": "1.0", "id": identity, "source": source, "type": kind}
        return {**envelope, "time": time.isoformat().replace("+00:00", "Z"), "data": data}

    outline = [{"topic_id": topic, "lesson_id": lesson} for topic, lesson in lessons]
    log = [line("course.outlined", START, {"course_id": course_id, "lessons": outline})]
    ids = range(first_id, first_id + learners)
    log += [
        line("enrollment.created", START, {"user_course_id": key, "user_id": 10_000 + key, "course_id": course_id})
        for key in ids
    ]
    diligence = [1 / number for number in range(1, learners + 1)]
    visits: dict[tuple[int, int, int], list[dict[str, object]]] = {}
    times = sorted(chance.uniform(0, COURSE_DAYS * 86_400) for _ in range(events))
    for key, seconds in zip(chance.choices(ids, diligence, k=events), times, strict=True):
        topic, lesson = chance.choice(lessons)
        data: dict[str, object] = {"user_course_id": key, "topic_id": topic, "lesson_id": lesson}
        if chance.random() < 0.7:
            data["section_id"] = chance.randint(1, 4)
        if chance.random() < 0.5:
            data["duration_seconds"] = 15 * chance.randint(1, 40)
        event = line("lesson.viewed", START + timedelta(seconds=seconds), data)
        visits.setdefault((key, topic, lesson), []).append(event)
        log.append(event)
    for its in visits.values():
        if len(its) >= 2:
            its[-1]["type"] = "lesson.completed"
    return [json.dumps(event, separators=(",", ":")).encode() for event in log]
