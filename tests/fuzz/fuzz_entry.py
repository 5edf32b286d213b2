"""Fuzz the parsing of an entry, led by the coverage of `worker.contract`: `python tests/fuzz/fuzz_entry.py [SEEDS …]`.

Any bytes give an event or a Rejection; what the fast path decodes, the contract takes with the same values. Options are
libFuzzer's: `-max_total_time=300` runs five minutes, a file instead of a folder runs that one input.
"""

import sys
from pathlib import Path

import atheris

sys.path.insert(0, str(Path(__file__).parents[2]))

with atheris.instrument_imports(include=["worker.contract"], enable_loader_override=False):
    from worker.contract.entry import Entry, Reason, Rejection
    from worker.contract.event import EVENT_TYPES, Event
    from worker.contract.fast_path import DecodedNamedEvent, decode
    from worker.contract.named_event import NAMED_EVENT_TYPES, NamedEvent
    from worker.contract.parse import parse_entry

MEMBERS = ("id", "source", "time", "type")
NAMES = ("learner", "lesson", "course", "topic", "duration_seconds", "enrols")
DATA = ("user_course_id", "topic_id", "lesson_id", "section_id", "duration_seconds")
ARRIVALS = (0, 1_900_000_000_000, 2**64 - 1)


def check(content: bytes) -> None:
    """Raise AssertionError, or what the parser raises, where it breaks its promise."""
    for milliseconds in ARRIVALS:
        entry = Entry("stream", f"{milliseconds}-0", content)
        decoded, verdict = decode(entry), judge(entry)
        if isinstance(verdict, Rejection):
            assert decoded is None, verdict.reason
            assert isinstance(verdict.reason, Reason)
            assert verdict.detail.isprintable()
            continue
        assert type(verdict) in {*EVENT_TYPES, *NAMED_EVENT_TYPES}
        if decoded is not None:
            data = NAMES if isinstance(decoded, DecodedNamedEvent) else DATA
            for found, expected, names in ((decoded, verdict, MEMBERS), (decoded.data, verdict.data, data)):
                assert [getattr(found, name) for name in names] == [getattr(expected, name) for name in names]
            assert isinstance(decoded, DecodedNamedEvent) or decoded.event_id == verdict.event_id
            assert decoded.time.utcoffset() == verdict.time.utcoffset()


def judge(entry: Entry) -> Event | NamedEvent | Rejection:
    """The event, or why there is none."""
    try:
        return parse_entry(entry)
    except Rejection as rejection:
        return rejection


if __name__ == "__main__":
    atheris.Setup(sys.argv, check)
    atheris.Fuzz()
