"""The clock of this process, wrong by as much as a test says; PostgreSQL and Redis keep theirs."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta, tzinfo
from typing import Self

import pytest


@contextmanager
def host_clock_ahead(by: timedelta) -> Iterator[None]:
    """Everywhere in `worker` that `datetime.now` is asked; negative for a clock that is behind."""

    class Wrong(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> Self:
            right = datetime.now(tz) + by
            return cls.combine(right.date(), right.timetz())

    with pytest.MonkeyPatch.context() as patched:
        for name, module in list(sys.modules.items()):
            if name.split(".")[0] == "worker" and getattr(module, "datetime", None) is datetime:
                patched.setattr(module, "datetime", Wrong)
        yield
