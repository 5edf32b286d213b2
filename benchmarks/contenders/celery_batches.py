"""celery-batches: a Celery message for each event, recorded by the hundreds. In an environment with an older Celery."""

from benchmarks.contenders.celery_task import CeleryTask


class CeleryBatches(CeleryTask):
    """Prefork pool of 2, like Celery."""

    key = "celery_batches"
    title = "celery-batches, same SQL, 2 processes"
    rate = 1_200
    module = "benchmarks.apps.celery_batch"
    environment = ".venv-bench-batches"
