"""How long `GET summary` takes under load, side by side with a bare FastAPI endpoint that runs one indexed SELECT.

    python benchmarks/api.py            two minutes; exit status 1 where the bound is missed
    python benchmarks/api.py --trial    seconds, and no bound

Embedded servers on the loopback address; 10 courses of 350 learners and 130 lessons. Each contender is a server process
of its own with uvloop and httptools; all run all the time, one at a time is asked, and each takes its turn in every
round. The generator is a process of its own too: so many clients on connections that stay open, each asking again as
soon as it has its answer.

* **summary**: `progress-worker serve` with a token, of enrollments whose stored summary is current;
* **on the spot**: the same of enrollments whose summary has to be computed;
* **bare**: FastAPI and SQLAlchemy as their documentation shows it: one connection a request, one SELECT by the primary
  key of `user_course_summary`, no token, no log, the same members;
* **barest**: the same in AUTOCOMMIT, which saves BEGIN and ROLLBACK.
"""

import argparse
import asyncio
import gc
import json
import os
import random
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import uvicorn
from fastapi import FastAPI, HTTPException
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

from benchmarks.overview import LEARNERS, NOT_STORED, STORED, prepare
from tests.support.api import ServeProcess
from tests.support.databases import clone_database, drop_database, make_template
from tests.support.wait import wait_until
from worker.database.engine import open_engine
from worker.embedded.start import start_servers
from worker.embedded.state import default_directory
from worker.settings import Settings

TOKEN = "a-token-for-this-benchmark"  # noqa: S105
CLIENTS = 16
ROUNDS = 5
SECONDS = 3.0
WANTED = 1.5

_SELECT = text("""
    SELECT user_course_id, total_lessons, completed_lessons, in_progress_lessons, not_started_lessons,
           completion_percentage, current_topic_id, current_lesson_id, current_section_id, next_topic_id,
           next_lesson_id, next_reason, last_activity_at, refreshed_at
    FROM user_course_summary WHERE user_course_id = :id
""")


def bare_app(url: str, isolation_level: str) -> FastAPI:
    """One endpoint, one statement."""
    pool = Settings().api_connections
    engine = create_async_engine(url, pool_size=pool, max_overflow=0, isolation_level=isolation_level)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        await engine.dispose()

    app = FastAPI(lifespan=lifespan)

    @app.get("/progress/course/{user_course_id}/summary")
    async def summary(user_course_id: int) -> dict[str, object]:
        async with engine.connect() as connection:
            row = (await connection.execute(_SELECT, {"id": user_course_id})).mappings().one_or_none()
        if row is None:
            raise HTTPException(404)
        return {**row, "completion_percentage": float(row["completion_percentage"])}

    return app


@contextmanager
def bare_server(url: str, isolation_level: str, log: Path) -> Iterator[str]:
    """The bare application as a process; its address."""
    command = [sys.executable, __file__, "--bare", url, isolation_level]
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL)
    try:
        found = wait_until(lambda: re.findall(r"running on (http://\S+)", log.read_text()), 20, "the bare server")
        yield found[0]
    finally:
        process.terminate()
        process.wait(20)


@contextmanager
def our_server(url: str, redis_url: str, log: Path) -> Iterator[str]:
    """`progress-worker serve` with a token; its address."""
    tokens = json.dumps([{"name": "benchmark", "token": TOKEN, "scopes": ["read", "write"]}])
    given = {"DATABASE_URL": url, "REDIS_URL": redis_url, "PROGRESS_API_TOKENS": tokens}
    process = ServeProcess(os.environ | given, log)
    try:
        yield process.url
    finally:
        process.close()


async def ask(port: int, course: int, ends_at: float, random: random.Random) -> list[float]:
    """One client's milliseconds, answer by answer."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    times = []
    while (started := time.perf_counter()) < ends_at:
        path = f"/progress/course/{course * 10_000 + random.randint(1, LEARNERS)}/summary"
        request = f"GET {path} HTTP/1.1\r\nHost: localhost:{port}\r\nAuthorization: Bearer {TOKEN}\r\n\r\n"
        writer.write(request.encode())
        head = await reader.readuntil(b"\r\n\r\n")
        length = re.search(rb"content-length: (\d+)", head)
        assert head.startswith(b"HTTP/1.1 200"), head
        assert length
        await reader.readexactly(int(length.group(1)))
        times.append(1000 * (time.perf_counter() - started))
    writer.close()
    return times


async def load(url: str, course: int, clients: int, seconds: float) -> list[float]:
    """All clients' milliseconds."""
    port, ends_at = int(url.rpartition(":")[2]), time.perf_counter() + seconds
    answers = await asyncio.gather(*(ask(port, course, ends_at, random.Random(seed)) for seed in range(clients)))
    return [each for times in answers for each in times]


def generate(url: str, course: int, clients: int, seconds: float) -> list[float]:
    """The same in a process of its own."""
    command = [sys.executable, __file__, "--load", url, str(course), str(clients), str(seconds)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60 + seconds)
    times: list[float] = json.loads(done.stdout)
    return times


def percentile(times: list[float], part: float) -> float:
    """The time within which this part of the answers came."""
    return sorted(times)[int(part * len(times))]


def compare(servers: dict[str, tuple[str, int]], clients: int, rounds: int, seconds: float) -> bool:
    """Print the table: medians of the rounds, and of each round's ratios; whether the summary keeps to its bound."""
    for url, course in servers.values():
        generate(url, course, clients, 1)  # connections are made and code is warm
    measured: dict[str, list[list[float]]] = {name: [] for name in servers}
    for number in range(rounds):
        names = list(servers)
        for name in names[number % len(names) :] + names[: number % len(names)]:
            measured[name].append(generate(*servers[name], clients, seconds))
    print(f"\n{clients} clients, medians of {rounds} rounds of {seconds:g} s")
    print(f"{'':12} {'answers/s':>10} {'p50 ms':>8} {'p99 ms':>8} {'p99 ÷ bare':>11} {'p99 ÷ barest':>13}")
    within = True
    for name, found in measured.items():
        rate = statistics.median(len(times) / seconds for times in found)
        p50, p99 = (statistics.median(percentile(times, part) for times in found) for part in (0.5, 0.99))
        ratios = [
            statistics.median(
                percentile(times, 0.99) / percentile(other, 0.99)
                for times, other in zip(found, measured[reference], strict=True)
            )
            for reference in ("bare", "barest")
        ]
        print(f"{name:12} {rate:>10,.0f} {p50:>8.2f} {p99:>8.2f} {ratios[0]:>11.2f} {ratios[1]:>13.2f}")
        within = within and (name != "summary" or ratios[0] <= WANTED)
    print(f"wanted: summary ÷ bare at most {WANTED}: {'yes' if within else 'NO'}")
    return within


def main() -> None:
    """Start everything, measure, and end it."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--clients", type=int, nargs="+", default=[CLIENTS])
    parser.add_argument("--seconds", type=float, default=SECONDS)
    parser.add_argument("--trial", action="store_true", help="one round of a tenth of a second, held to nothing")
    given = parser.parse_args()
    if given.trial:
        given.rounds, given.seconds = 1, 0.1
    directory = Path(tempfile.mkdtemp(dir=default_directory("benchmark")))
    try:
        with ExitStack() as stack:
            embedded = stack.enter_context(start_servers(directory))
            template = make_template(embedded.database_url)
            name, url = clone_database(embedded.database_url, template)
            stack.callback(drop_database, embedded.database_url, name)
            url = str(Settings(database_url=url).database_url)
            engine = open_engine(Settings(database_url=url))
            prepare(engine)
            engine.dispose()
            ours = stack.enter_context(our_server(url, embedded.redis_url, directory / "serve.log"))
            bare = stack.enter_context(bare_server(url, "READ COMMITTED", directory / "bare.log"))
            barest = stack.enter_context(bare_server(url, "AUTOCOMMIT", directory / "barest.log"))
            servers = {
                "summary": (ours, STORED),
                "on the spot": (ours, NOT_STORED),
                "bare": (bare, STORED),
                "barest": (barest, STORED),
            }
            kept = [compare(servers, clients, given.rounds, given.seconds) for clients in given.clients]
    finally:
        shutil.rmtree(directory)
    sys.exit(0 if given.trial or all(kept) else 1)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--bare"]:
        app = bare_app(*sys.argv[2:4])
        gc.collect()  # as `serve` does
        gc.freeze()
        uvicorn.run(app, host="127.0.0.1", port=0, access_log=False)
    elif sys.argv[1:2] == ["--load"]:
        url, course, clients, seconds = sys.argv[2:6]
        print(json.dumps(asyncio.run(load(url, int(course), int(clients), float(seconds)))))
    else:
        main()
