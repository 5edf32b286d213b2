"""Celery's configuration is our package's alone: an LMS's own `celeryconfig.py` is neither read nor replaced."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
OURS = "from worker.celery import app; print(app.conf.worker_consumer)"
THEIRS = "from celery import current_app; print(current_app.conf.task_default_queue, current_app.conf.broker_url)"
NO_SETTINGS = (
    "import worker.celeryconfig as ours; from celery.app.defaults import NAMESPACES, flatten;"
    "print([name for name in vars(ours) if name[0] != '_' and name not in dict(flatten(NAMESPACES))])"
)
IN_BOTH = "import worker.celeryconfig as real, celeryconfig; print(vars(real).keys() - vars(celeryconfig).keys())"
PRIVATE = {
    "_settings",
    "_scheduled",
    "_TRANSPORT_ALIASES",
    "_every",
    "_ConfigurationError",
    "_for_kombu",
    "_get_settings",
}


def answer(code: str, folder: Path) -> str:
    """What the code prints in that folder, with our package installed."""
    urls = {"DATABASE_URL": "postgresql://nowhere/none", "REDIS_URL": "redis://127.0.0.1:1/0"}
    finished = subprocess.run(
        [sys.executable, "-c", code],
        cwd=folder,
        env={"PATH": os.environ["PATH"], **urls},
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
    assert finished.returncode == 0, finished.stderr
    return finished.stdout.strip()


def test_an_lms_in_whose_folder_our_worker_runs_keeps_its_own(tmp_path: Path) -> None:
    own = "broker_url = 'memory://'\ntask_default_queue = 'lms'\n"
    (tmp_path / "celeryconfig.py").write_text(own, encoding="utf-8")
    assert answer(OURS, tmp_path) == "worker.celery_support.broker_consumer:Consumer"
    assert answer(THEIRS, tmp_path) == "lms memory://"


def test_every_name_of_it_is_a_setting_of_celery() -> None:
    assert answer(NO_SETTINGS, ROOT) == "[]"


def test_the_module_at_the_top_of_the_checkout_is_the_same() -> None:
    missing = answer(IN_BOTH, ROOT)
    assert set(missing.strip("{}").replace("'", "").split(", ")) == PRIVATE
