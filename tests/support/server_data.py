"""Where the servers of tests keep their data: in memory where there is plenty of it.

Databases are made and dropped a thousand times a run, and every commit waits for its data to be written. No test kills
the machine, so none can tell memory from a disk, except by the time it takes.
"""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from worker.embedded.state import default_directory

_MEMORY = Path("/dev/shm")  # noqa: S108 - what is made in it is private
_PLENTY = 8 * 2**30


@contextmanager
def server_data(*, on_disk: bool = False) -> Iterator[Path]:
    """A new directory, gone at the end."""
    parent = default_directory("test") if on_disk or not _is_memory_plenty() else _MEMORY
    directory = Path(tempfile.mkdtemp(dir=parent, prefix="progress-worker-"))
    try:
        yield directory
    finally:
        shutil.rmtree(directory)


def is_in_memory(directory: Path) -> bool:
    """Making a file there costs next to nothing."""
    return directory.is_relative_to(_MEMORY)


def _is_memory_plenty() -> bool:
    return (
        os.access(_MEMORY, os.W_OK | os.X_OK)
        and shutil.disk_usage(_MEMORY).free > _PLENTY
        and psutil.virtual_memory().available > _PLENTY
    )
