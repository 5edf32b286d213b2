"""An enrollment that somebody keeps locked holds up its own writers and nobody else."""

from concurrent.futures import ThreadPoolExecutor

from sqlalchemy import Engine

from tests.support.api import served
from tests.support.tables import insert_as_lms, rows
from tests.support.wait import wait_until
from worker.settings import Settings

WAITING = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"


def test_others_are_read_and_written_while_many_wait_for_one(settings: Settings, engine: Engine) -> None:
    """More writers than connections wait; those for whom it takes too long are told to try again."""
    insert_as_lms(engine, 1)
    insert_as_lms(engine, 2)
    few = settings.model_copy(
        update={"api_connections": 6, "api_lock_timeout_seconds": 1, "connect_timeout_seconds": 5}
    )
    with served(few) as client, engine.connect() as lms, ThreadPoolExecutor(8) as pool:
        assert client.post("/progress/2/1/1/view").status_code == 200
        lms.exec_driver_sql("SELECT FROM user_course WHERE id = 1 FOR UPDATE")
        marking = [pool.submit(client.post, "/progress/1/1/1/view") for _ in range(8)]
        wait_until(lambda: rows(engine, WAITING) == [(4,)], 30, "writers on two thirds of the connections")
        assert client.get("/progress/2/1/1").status_code == 200
        assert rows(engine, WAITING) == [(4,)], "it was answered beside them"
        assert client.get("/progress/course/2/summary").json()["in_progress_lessons"] == 1
        assert client.post("/progress/2/1/2/view").status_code == 200
        assert {each.result(30).status_code for each in marking} == {503}
        lms.rollback()
        assert client.post("/progress/1/1/1/view").status_code == 200
    assert rows(engine, "SELECT count(*) FROM lesson_event") == [(3,)]
