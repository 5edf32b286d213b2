"""`make soak`: the long form of the fault suite, on servers of its own, ending by itself.

Prints a table in Markdown and exits with 1 when anything is lost, doubled, different or slower than promised.
"""

import argparse
import shlex
import sys
from datetime import UTC, datetime

from tests.soak import backlog, chaos, locks, outage
from tests.soak.place import Figures, markdown


def main() -> None:
    """Run what the arguments say."""
    arguments = _parser().parse_args()
    figures: Figures = [
        ("command", f"`make soak{_given()}`"),
        ("date", f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC"),
    ]
    minutes = arguments.minutes
    share = minutes / chaos.MINUTES
    match arguments.what:
        case "outage":
            found, problems = outage.run(minutes, arguments.seed, arguments.rate)
        case "backlog":
            found, problems = backlog.run(arguments.events, arguments.seed)
        case "locks":
            found, problems = locks.run(arguments.hold, minutes, arguments.seed, arguments.rate)
        case _:
            kills = arguments.kills or round(chaos.KILLS * share)
            restarts = arguments.restarts or round(chaos.RESTARTS * share)
            found, problems = chaos.run(minutes, kills, restarts, arguments.seed, arguments.rate, redis=arguments.redis)
    print(markdown([*figures, *found]))
    for problem in problems:
        print(f"WRONG: {problem}", file=sys.stderr)
    sys.exit(bool(problems))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="make soak", description=__doc__)
    parser.add_argument("what", nargs="?", choices=["chaos", "outage", "backlog", "locks"], default="chaos")
    parser.add_argument("--minutes", type=float, default=chaos.MINUTES, help="of chaos, the outage or the lock")
    parser.add_argument("--kills", type=int, help="of processes; default: 500 an hour")
    parser.add_argument("--restarts", type=int, help="of each server; default: 50 an hour")
    parser.add_argument("--rate", type=float, default=1_000, help="events published a second")
    parser.add_argument("--hold", choices=sorted(locks.LOCK), default="course", help="what the LMS keeps locked")
    parser.add_argument("--events", type=int, default=5_000_000, help="of the backlog")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--redis", action="store_true", help="Debian's redis-server instead of Valkey")
    return parser


def _given() -> str:
    return f" ARGS='{shlex.join(sys.argv[1:])}'" if len(sys.argv) > 1 else ""


if __name__ == "__main__":
    main()
