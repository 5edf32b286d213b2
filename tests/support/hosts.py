"""The surroundings of a drain that a test runs itself."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from worker.consume.consumer import Consumer
from worker.consume.drain import Drain


class RecordingHost:
    """Counts what the drain asks of it; stops the drain when told to."""

    def __init__(self) -> None:
        self.wake_ups = 0
        self.beats = 0
        self.stopping = False

    def wake_up(self) -> None:
        self.wake_ups += 1

    def is_stopping(self) -> bool:
        return self.stopping

    def beat(self) -> None:
        self.beats += 1


@contextmanager
def draining(consumer: Consumer, seconds: float = 30) -> Iterator[RecordingHost]:
    """A drain in a thread of its own while the block runs; it is stopped at the end, and must not have raised."""
    host = RecordingHost()
    raised: list[BaseException] = []

    def run() -> None:
        try:
            Drain(consumer, host, seconds).run()
        except BaseException as error:  # noqa: BLE001 - shown by the assertion
            raised.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield host
    finally:
        host.stopping = True
        thread.join(20)
        assert not thread.is_alive()
        assert raised == []
