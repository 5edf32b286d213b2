"""Provide the servers' programs where every user may run them: in the wheels, or copied from a private directory."""

import os
import shutil
import tempfile
from pathlib import Path

from worker.own_directory import make_own_directory
from worker.running_up import lasting_directory

UNNEEDED = shutil.ignore_patterns("include", "*.a")


def runnable(program: Path, packages: Path, *folders: Path) -> Path:
    """Return the program, or a copy of it if root has installed it where other users have no access.

    `packages` is the directory of the installed wheels, `folders` the part of it that the program needs. There is one
    copy per version, owned by root and readable by all. Raises OSError.
    """
    if os.geteuid() != 0 or _everybody_may_run(program):
        return program
    store = lasting_directory() / "progress-worker-programs"
    make_own_directory(store, "install the servers where every user may run them")
    store.chmod(0o755)
    status = program.stat()
    copy = store / f"{program.name}-{status.st_size}-{status.st_mtime_ns}"
    if not copy.exists():
        unfinished = Path(tempfile.mkdtemp(dir=store))
        for folder in folders:
            shutil.copytree(folder, unfinished / folder.relative_to(packages), ignore=UNNEEDED)
        for path in (unfinished, *unfinished.rglob("*")):
            path.chmod(0o755 if path.is_dir() or path.stat().st_mode & 0o100 else 0o644)
        try:
            unfinished.rename(copy)
        except OSError:
            shutil.rmtree(unfinished)
            if not copy.exists():  # a concurrent start has made it
                raise
    return copy / program.relative_to(packages)


def _everybody_may_run(program: Path) -> bool:
    folders = {*program.parents, *program.resolve().parents}
    return program.stat().st_mode & 0o005 == 0o005 and all(folder.stat().st_mode & 0o001 for folder in folders)
