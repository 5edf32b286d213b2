"""`python -m celery` from a process that has imported it all: an interpreter of its own would import for a second.

What runs is the same module with its own environment, working directory, session and output. It is forked by
multiprocessing's fork server, which has no thread, no connection and no setting of any test, and imports nothing that
the processes of one worker share: that is `worker.celery_support.worker_process`.
"""

import multiprocessing
import os
import runpy
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

_CONTEXT = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload(
    [
        "celery.apps.beat",
        "celery.apps.worker",
        "celery.bin.celery",
        "celery.concurrency.prefork",
        "kombu.transport.redis",
        "worker.analytics.activity_refresh",
        "worker.consume.consumer",
        "worker.consume.drain",
        "worker.consume.maintenance",
        "worker.progress.retention",
        "worker.analytics.statistics_refresh",
        "worker.summary.refresh",
    ]
)


class ForkedCelery:
    """The process, with the part of `subprocess.Popen` that tests need."""

    def __init__(self, *arguments: str, cwd: Path, environment: Mapping[str, str], log: Path) -> None:
        self._arguments = ("celery", *arguments)
        self._process = _CONTEXT.Process(target=_run, args=(self._arguments, cwd, dict(environment), log))
        self._process.start()

    @property
    def pid(self) -> int:
        """Of a session of its own."""
        assert self._process.pid is not None
        return self._process.pid

    def poll(self) -> int | None:
        """The exit status, negative for a signal's; None while it runs."""
        return self._process.exitcode

    def wait(self, timeout: float | None = None) -> int:
        """The exit status. Raises subprocess.TimeoutExpired."""
        self._process.join(timeout)
        status = self._process.exitcode
        if status is None:
            raise subprocess.TimeoutExpired(self._arguments, timeout or 0)
        return status

    def terminate(self) -> None:
        """SIGTERM."""
        self._process.terminate()

    def kill(self) -> None:
        """SIGKILL, if it runs."""
        self._process.kill()


def _run(arguments: tuple[str, ...], cwd: Path, environment: dict[str, str], log: Path) -> None:
    assert "worker.celery_support.worker_process" not in sys.modules, "the workers of all tests would share it"
    os.setsid()
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(environment)
    with log.open("ab") as output:
        os.dup2(output.fileno(), 1)
        os.dup2(output.fileno(), 2)
    sys.argv = list(arguments)
    runpy.run_module("celery", run_name="__main__", alter_sys=True)
