"""A pool in which every wake-up would make a consumer, with its own connections, is refused before it does anything."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support import oulad
from tests.support.system import System

ROOT = Path(__file__).parents[2]

STAND_INS = {
    "gevent/__init__.py": "",
    "gevent/monkey.py": "def patch_all(): pass",
    "gevent/signal.py": "",
    "eventlet/__init__.py": "def monkey_patch(): pass",
    "eventlet/debug.py": "",
    "own_pool.py": "from celery.concurrency import thread\nclass TaskPool(thread.TaskPool): pass",
}
"""As much of both libraries as Celery asks for before it makes a pool, and a pool of somebody's own."""
REFUSED = "Error: The worker does not run in the pool {}:TaskPool. Choose one of prefork, solo, threads."


@pytest.fixture
def libraries(system: System, tmp_path: Path) -> Path:
    """Where a worker of `system` finds the stand-ins."""
    for name, code in STAND_INS.items():
        file = tmp_path / "libraries" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(code)
    system.extra_environment = {
        "PYTHONPATH": str(tmp_path / "libraries"),
        "CELERY_CUSTOM_WORKER_POOL": "own_pool:TaskPool",
    }
    return tmp_path


@pytest.mark.parametrize(
    ("pool", "implementation"),
    [
        ("gevent", "celery.concurrency.gevent"),
        pytest.param("eventlet", "celery.concurrency.eventlet", marks=pytest.mark.second_tier),
        ("custom", "own_pool"),
    ],
)
@pytest.mark.usefixtures("libraries")
def test_a_worker_in_it_ends_with_a_sentence(system: System, pool: str, implementation: str) -> None:
    worker = system.start_worker(1, "--pool", pool)
    assert worker.wait(30) == 1
    said = worker.log.read_text()
    assert REFUSED.format(implementation) in said
    assert "Traceback" not in said
    assert system.consumers() == set()


def test_a_worker_whose_configuration_names_it_ends_with_a_sentence(system: System, libraries: Path) -> None:
    (libraries / "libraries" / "configured.py").write_text(
        "from worker.celery import app\napp.conf.worker_pool = 'gevent'\napp.Worker(concurrency=1).start()\n"
    )
    finished = subprocess.run(
        [sys.executable, "-m", "configured"],
        env=system.environment(),
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert finished.returncode == 1
    assert REFUSED.format("celery.concurrency.gevent") in finished.stderr


@pytest.mark.second_tier
def test_celery_multi_says_so_before_anything_is_out_of_sight(system: System, libraries: Path) -> None:
    files = (f"--pidfile={libraries}/%n.pid", f"--logfile={libraries}/%n.log")
    finished = subprocess.run(
        [sys.executable, "-m", "celery", "multi", "start", "one", "-A", "worker", "-P", "gevent", *files],
        env=os.environ | system.environment(),
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert REFUSED.format("celery.concurrency.gevent") in finished.stderr
    assert "FAILED" in finished.stdout
    assert not (libraries / "one.pid").exists()


@pytest.mark.parametrize(
    "pool", ["solo", *(pytest.param(each, marks=pytest.mark.second_tier) for each in ("threads", "processes"))]
)
def test_a_worker_in_one_of_the_others_works(system: System, pool: str) -> None:
    lines = oulad.generate(100)
    worker = system.start_worker(1, "--pool", pool)
    system.start_beat()
    system.publish_bodies(lines)
    system.assert_exact(oulad.parse(lines))
    assert worker.is_running()
