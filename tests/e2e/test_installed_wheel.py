"""The built wheel, installed in another folder, serves everything that the checkout does."""

import os
import subprocess
import sys
import venv
from collections.abc import Iterator
from pathlib import Path
from zipfile import ZipFile

import pytest
from sqlalchemy import NullPool, create_engine

from tests.support import oulad
from tests.support.databases import clone_database, drop_database
from tests.support.system import System
from tests.support.tables import rows
from tests.support.worker_process import ROOT, CeleryProcess
from worker.database.schema import REVISIONS
from worker.embedded.state import Servers

pytestmark = pytest.mark.second_tier


@pytest.fixture(scope="module")
def installation(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A virtual environment with the wheel and its extra `embedded`, at the tested versions; nothing else of ours."""
    folder = tmp_path_factory.mktemp("elsewhere")
    run(sys.executable, "-m", "build", "--wheel", "--outdir", str(folder), str(ROOT), cwd=folder)
    (wheel,) = folder.glob("*.whl")
    venv.create(folder / "venv", with_pip=True)
    python = folder / "venv" / "bin" / "python"
    pip = [str(python), "-m", "pip", "--disable-pip-version-check", "--quiet", "install"]
    run(*pip, "--constraint", str(ROOT / "constraints.txt"), f"{wheel}[embedded]", cwd=folder)
    return folder


def run(
    *command: str, cwd: Path, environment: dict[str, str] | None = None, seconds: float = 300
) -> "subprocess.CompletedProcess[str]":
    finished = subprocess.run(
        command,
        cwd=cwd,
        env=os.environ | {"PYTHONDONTWRITEBYTECODE": "1"} if environment is None else environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=seconds,
        check=False,
    )
    assert finished.returncode == 0, f"{command}\n{finished.stdout}\n{finished.stderr}"
    return finished


def program(installation: Path, name: str) -> str:
    return str(installation / "venv" / "bin" / name)


@pytest.fixture
def empty_database_url(servers: Servers) -> Iterator[str]:
    """A database without any table."""
    name, url = clone_database(servers.database_url, None)
    yield url
    drop_database(servers.database_url, name)


def test_it_is_the_wheel_that_runs_and_not_the_checkout(installation: Path) -> None:
    code = "import worker.celeryconfig; print(worker.__file__, worker.celeryconfig.__file__, sep='\\n')"
    environment = os.environ | {"DATABASE_URL": "postgresql://nowhere/none", "REDIS_URL": "redis://127.0.0.1:1/0"}
    said = run(program(installation, "python"), "-c", code, cwd=installation, environment=environment).stdout
    assert all(Path(line).is_relative_to(installation / "venv") for line in said.splitlines())


def test_nothing_but_our_package_is_at_the_top_of_the_wheel(installation: Path) -> None:
    (wheel,) = installation.glob("*.whl")
    top = {name.partition("/")[0] for name in ZipFile(wheel).namelist()}
    assert {name for name in top if not name.endswith(".dist-info")} == {"worker"}


def test_an_application_of_the_lms_in_the_same_environment_loads_nothing_of_ours(
    installation: Path, tmp_path: Path
) -> None:
    code = "import celery, sys; conf = celery.current_app.conf; print(conf.beat_schedule, conf.imports, *sys.modules)"
    environment = {name: value for name, value in os.environ.items() if name not in {"DATABASE_URL", "REDIS_URL"}}
    said = run(program(installation, "python"), "-c", code, cwd=tmp_path, environment=environment).stdout
    schedule, imports, *modules = said.split()
    assert (schedule, imports) == ("{}", "()")
    assert not {name.partition(".")[0] for name in modules} & {"worker", "celeryconfig", "migrations"}


def test_the_wheel_carries_the_templates_of_reports(installation: Path) -> None:
    (folder,) = (installation / "venv").glob("lib/python*/site-packages/worker/reports/templates")
    sources = {path.name for path in (ROOT / "worker" / "reports" / "templates").iterdir()}
    assert "page.html" in sources
    assert {path.name for path in folder.iterdir()} == sources


def test_migrate_makes_the_tables_and_may_be_repeated(
    installation: Path, empty_database_url: str, servers: Servers
) -> None:
    environment = os.environ | {"DATABASE_URL": empty_database_url, "REDIS_URL": servers.redis_url}
    for _ in range(2):
        run(program(installation, "progress-worker"), "migrate", cwd=installation, environment=environment)
        assert revision(empty_database_url) == REVISIONS[-1]


def test_migrating_needs_no_redis(installation: Path, empty_database_url: str) -> None:
    environment = os.environ | {"DATABASE_URL": empty_database_url}
    run(program(installation, "progress-worker"), "migrate", cwd=installation, environment=environment)
    assert revision(empty_database_url) == REVISIONS[-1]


def revision(url: str) -> object:
    engine = create_engine(url, poolclass=NullPool)
    ((found,),) = rows(engine, "SELECT version_num FROM progress_alembic_version")
    return found


def test_celerys_worker_and_beat_consume(installation: Path, system: System, tmp_path: Path) -> None:
    """In the folder of an LMS with a Celery configuration of its own."""
    (installation / "celeryconfig.py").write_text("raise SystemExit('only for the LMS')", encoding="utf-8")
    lines = oulad.generate(2_000)
    system.publish_bodies(lines)
    processes = []
    try:
        for arguments in (("worker", "--concurrency", "2"), ("beat",)):
            log = tmp_path / f"{arguments[0]}.log"
            python = program(installation, "python")
            processes.append(CeleryProcess(system.environment(), log, *arguments, python=python, cwd=installation))
        system.assert_exact(oulad.parse(lines))
        processes[0].wait_for_line("maintained")
        assert [process.stop()[0] for process in processes] == [0, 0]
    finally:
        for process in processes:
            process.close()
    left = {path.name for path in installation.iterdir()} - {"venv", "celeryconfig.py"}
    assert all(name.endswith(".whl") for name in left), "something was left in the working folder"


def test_the_demo_compares_equal_and_exits_zero(installation: Path) -> None:
    finished = run(
        program(installation, "progress-worker"), "demo", "--events", "2000", "--learners", "60", cwd=installation
    )
    assert "Traceback" not in finished.stdout + finished.stderr
    assert "expected" in finished.stdout.lower()
    assert "stored" in finished.stdout.lower()
