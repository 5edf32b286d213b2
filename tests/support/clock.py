"""The clock of this process, wrong by as much as a test says; PostgreSQL and Redis keep theirs."""

import inspect
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta, tzinfo

import pytest


@contextmanager
def host_clock_ahead(by: timedelta) -> Iterator[None]:
    """Everywhere in `worker` that `datetime.now` is asked, negative for one behind."""

    class Wrong(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> datetime:  # type: ignore[override]  # a plain one, as any code expects
            return datetime.now(tz) + by

    with pytest.MonkeyPatch.context() as patched:
        for name, module in list(sys.modules.items()):
            if (
                name.startswith("worker.")
                and getattr(module, "datetime", None) is datetime
                and "datetime.now(" in inspect.getsource(module)
            ):
                patched.setattr(module, "datetime", Wrong)
        yield
