"""Another user of the host made the heartbeats' folder first, or put a link there: no worker writes where it leads."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.support.commands import invoke
from tests.support.other_user import IS_ROOT, OTHER
from tests.support.system import System
from worker.liveness import Heartbeat, live, worker_started
from worker.own_directory import ForeignDirectoryError


@pytest.fixture
def shared(tmp_path: Path) -> Path:
    """A directory like /tmp."""
    shared = tmp_path / "shared"
    shared.mkdir()
    shared.chmod(0o1777)
    return shared


@pytest.fixture
def victim(tmp_path: Path) -> Path:
    """Where a link may lead: it holds a file that looks forgotten."""
    victim = tmp_path / "victim"
    (victim / "run").mkdir(parents=True)
    (victim / "run" / "worker-precious").touch()
    return victim


@pytest.fixture
def unshared() -> Iterator[Path]:
    """A directory that is not below one like /tmp."""
    if any(folder.stat().st_mode & 0o002 for folder in (Path.home(), *Path.home().parents)):
        pytest.skip("this home is below a directory that everybody may write to")
    with TemporaryDirectory(dir=Path.home()) as directory:
        yield Path(directory)


def link(folder: Path, victim: Path) -> None:
    folder.symlink_to(victim)


def link_below(folder: Path, victim: Path) -> None:
    folder.mkdir()
    (folder / "run").symlink_to(victim / "run")


def open_to_all(folder: Path, _victim: Path) -> None:
    folder.mkdir()
    folder.chmod(0o777)


def open_to_a_group(folder: Path, _victim: Path) -> None:
    folder.mkdir()
    folder.chmod(0o775)


def of_another_user(folder: Path, _victim: Path) -> None:
    folder.mkdir()
    os.chown(folder, OTHER, OTHER)


prepared = pytest.mark.parametrize(
    "prepare", [link, link_below, open_to_all, open_to_a_group, *([of_another_user] if IS_ROOT else [])]
)
Prepare = Callable[[Path, Path], None]


@prepared
def test_a_worker_does_not_start_in_it_and_says_why(
    system: System, shared: Path, victim: Path, prepare: Prepare
) -> None:
    prepare(shared / "progress-worker", victim)
    folder = shared / "progress-worker" / "run"
    worker = system.start_worker(1, runtime_directory=folder)
    assert worker.wait(30) == 1
    said = worker.log.read_text()
    assert f"Error: The worker cannot keep its heartbeats there: {shared / 'progress-worker'}" in said
    assert "is not a directory of your own" in said
    assert "set PROGRESS_RUNTIME_DIRECTORY to another." in said
    assert "Traceback" not in said
    assert [file.name for file in (victim / "run").iterdir()] == ["worker-precious"]

    verdict = invoke(system.environment(runtime_directory=folder), "health", "live")
    assert verdict.exit_code == 1
    assert "is not a directory of your own" in verdict.output


@prepared
def test_put_there_under_a_running_worker_it_gets_no_heartbeat_and_the_verdict_says_so(
    shared: Path, victim: Path, prepare: Prepare
) -> None:
    folder = shared / "progress-worker" / "run"
    worker_started(folder)
    assert live(folder, 30) == (True, "1 worker process(es) live")
    (shared / "progress-worker").rename(shared / "away")
    prepare(shared / "progress-worker", victim)
    Heartbeat(folder).beat()
    with pytest.raises(ForeignDirectoryError):
        worker_started(folder)
    assert [file.name for file in (victim / "run").iterdir()] == ["worker-precious"]
    assert live(folder, 30)[0] is False


def test_what_is_missing_below_a_shared_folder_is_made_for_nobody_else_whatever_the_umask(shared: Path) -> None:
    before = os.umask(0)
    try:
        worker_started(shared / "one" / "two" / "run")
    finally:
        os.umask(before)
    made = [shared / "one", shared / "one" / "two", shared / "one" / "two" / "run"]
    assert [folder.stat().st_mode & 0o777 for folder in made] == [0o700] * 3


@pytest.mark.parametrize("kind", ["link", "pipe"])
def test_in_a_folder_shared_by_a_group_what_lies_in_the_place_of_a_file_is_not_touched(
    unshared: Path, kind: str
) -> None:
    folder = unshared / "run"
    folder.mkdir()
    folder.chmod(0o2775)
    planted, target = folder / f"consumer-{os.getpid()}", unshared / "target"
    if kind == "link":
        planted.symlink_to(target)
    else:
        os.mkfifo(planted)
    Heartbeat(folder).beat()
    worker_started(folder)
    assert not target.exists()
    assert live(folder, 0) == (True, "1 worker process(es) live"), "what is no file of ours proves nothing"


@pytest.mark.skipif(not IS_ROOT, reason="only root can make files of another user")
def test_in_a_folder_like_tmp_the_files_of_another_user_prove_nothing(shared: Path) -> None:
    planted = shared / "worker-1"
    planted.touch()
    os.chown(planted, OTHER, OTHER)
    assert live(shared, 30) == (False, f"no worker runs here (looked in {shared})")
    worker_started(shared)
    assert live(shared, 30) == (True, "1 worker process(es) live")


@pytest.mark.parametrize("mode", [0o777, 0o2777])
def test_a_folder_that_everybody_may_write_to_is_refused_one_below_it_is_not(unshared: Path, mode: int) -> None:
    (unshared / "run").mkdir()
    (unshared / "run").chmod(mode)
    with pytest.raises(ForeignDirectoryError, match="other users may write to it"):
        worker_started(unshared / "run")
    worker_started(unshared / "run" / "own")
    assert live(unshared / "run" / "own", 30)[0]
