"""The API does what its OpenAPI document says, and nothing else: Schemathesis looks for what contradicts it.

`schemathesis.toml` beside this file says how. A failure prints what was found and the curl command that shows it.
"""

import json
import os
import subprocess
import sys
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from sqlalchemy import Engine

from tests.support.api import served
from tests.support.events import enrolled, entries, outlined, viewed
from tests.support.named import named_viewed
from worker.progress.ingest import ingest
from worker.settings import Settings

pytestmark = pytest.mark.second_tier

ROOT = Path(__file__).parents[2]
CONFIG = Path(__file__).with_name("schemathesis.toml")
TOKEN = "-" * 32
PHASES = ("examples", "coverage", "fuzzing", "stateful")


def test_the_api_does_what_its_document_says(settings: Settings, engine: Engine, tmp_path: Path) -> None:
    few = (1, 2, 3)
    ingest(engine, entries([outlined(3, list(product(few, few)), seconds=-90), *map(enrolled, few)]))
    ingest(engine, entries(viewed(*lesson) for lesson in product(few, few, (1, 2))))
    ingest(engine, entries([named_viewed("user:4", "cm:7", "course:2")]))
    tokens = SecretStr(json.dumps([{"name": "schemathesis", "token": TOKEN, "scopes": ["read", "write"]}]))
    patient = {"api_tokens": tokens, "api_bad_requests_per_minute": 1_000_000}

    with served(settings.model_copy(update=patient)) as client:
        document = client.get("/openapi.json").json()
        report = _run_schemathesis(f"{client.base_url}/openapi.json", tmp_path)

    assert {phase: report["phases"][phase]["status"] for phase in PHASES} == dict.fromkeys(PHASES, "success")
    operations = {f"{method.upper()} {path}" for path, methods in document["paths"].items() for method in methods}
    accepted = {
        operation: sum(rates["accepted"] for rates in phases.values())
        for operation, phases in report["valid_rates"].items()
    }
    assert set(accepted) == operations
    assert [operation for operation, count in accepted.items() if count == 0] == []


def _run_schemathesis(url: str, directory: Path) -> dict[str, Any]:
    """Its report, when it found nothing."""
    report = directory / "report.json"
    command = [sys.executable, "-m", "schemathesis.cli", "--config-file", str(CONFIG)]
    done = subprocess.run(
        [*command, "run", "--no-color", "--report-json-path", str(report), url],
        cwd=directory,
        env={**os.environ, "API_TOKEN": TOKEN, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    found: dict[str, Any] = json.loads(report.read_text())
    return found
