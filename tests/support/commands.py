"""`progress-worker` as its user runs it: in this process for speed, or as a process of its own for what needs one."""

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from click.testing import CliRunner, Result

from worker.cli.main import main
from worker.settings import get_settings


def invoke(environment: Mapping[str, str], *arguments: str) -> Result:
    """Run the command here. Whatever the mistake, there is no traceback."""
    get_settings.cache_clear()
    result = CliRunner(env=dict(environment)).invoke(main, arguments)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def run(
    environment: Mapping[str, str], *arguments: str, given: bytes | None = None, seconds: float = 60
) -> subprocess.CompletedProcess[str]:
    """Run the command as a process, elsewhere than in the checkout. Whatever the mistake, there is no traceback."""
    finished = subprocess.run(
        [sys.executable, "-m", "worker.cli.main", *arguments],
        env=dict(environment),
        cwd=Path.home().root,
        input=given,
        capture_output=True,
        timeout=seconds,
        check=False,
    )
    output, errors = finished.stdout.decode(), finished.stderr.decode()
    assert "Traceback" not in errors, errors
    return subprocess.CompletedProcess(finished.args, finished.returncode, output, errors)
