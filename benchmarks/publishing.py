"""How many events a second one publisher appends one by one; in pipelines: `published_per_second` of a contender."""

import json
import time

from benchmarks.events import Log
from benchmarks.place import Place
from worker.client import EventPublisher


def measure_single(place: Place, log: Log) -> float:
    """Events a second, each published by a call of its own that returns when Redis has answered."""
    publisher = EventPublisher(settings=place.settings)
    events = [json.loads(line) for line in log.timed]
    started = time.monotonic()
    for event in events:
        publisher.publish(event)
    return len(events) / (time.monotonic() - started)
