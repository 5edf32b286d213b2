"""Every benchmark in every mode, as small as it goes: that it still runs, not how fast anything is. A few minutes.

make bench-smoke
"""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).parent
COMMANDS = (
    "compare.py --seconds 0.1 --rounds 1",
    "compare.py --quick --seconds 0.1 --only limit_1",
    "compare.py --growth --scale 0.001 --rounds 1",
    "compare.py --names --scale 0.0001 --rounds 1 --events 500",
    "api.py --trial",
    "overview.py --rounds 1",
    "analytics.py --learners 20 --chunk 10",
    "replay.py --events 200",
    "replay.py --latency --events 5",
    "rollups.py --scale 0.001",
    "rollups.py --scale 0.001 --first-build",
    "rollups.py --scale 0.001 --chunks",
    "rollups.py --scale 0.001 --statistics",
)
LIMIT_SECONDS = 300


def main() -> None:
    """Run them one after the other; exit status 1 where one fails, with the end of what it said."""
    failed = 0
    with tempfile.TemporaryDirectory() as out:
        for command in COMMANDS:
            started = time.monotonic()
            script, *options = command.split()
            done = subprocess.run(
                [sys.executable, str(HERE / script), *options],
                env=os.environ | {"BENCH_OUT": out},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                timeout=LIMIT_SECONDS,
                check=False,
            )
            failed += done.returncode != 0
            print(
                f"{'FAILED' if done.returncode else 'ok':7}{time.monotonic() - started:5.0f} s  {command}", flush=True
            )
            if done.returncode:
                print(done.stdout[-4_000:], flush=True)
    print(f"benchmarks: {len(COMMANDS) - failed} passed, {failed} failed")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
