"""`/docs` in a real browser that reaches no other host: it shows every endpoint, and its policy stops nothing of it."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.support.api import served
from worker.settings import Settings

CHROMIUM = shutil.which("chromium")
OFFLINE = "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"

pytestmark = [pytest.mark.second_tier, pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here")]


def test_the_documentation_shows_every_endpoint_offline(settings: Settings, tmp_path: Path) -> None:
    with served(settings) as client:
        document = client.get("/openapi.json").json()
        options = ["--headless", "--no-sandbox", "--disable-gpu", OFFLINE, f"--user-data-dir={tmp_path / 'profile'}"]
        looks = ["--enable-logging=stderr", "--virtual-time-budget=20000", "--dump-dom"]
        shown = subprocess.run(
            [str(CHROMIUM), *options, *looks, f"{client.base_url}/docs"],
            capture_output=True,
            text=True,
            timeout=100,
            check=True,
        )
    console = [line for line in shown.stderr.splitlines() if "CONSOLE" in line]
    assert console == []
    summaries = {each["summary"] for methods in document["paths"].values() for each in methods.values()}
    for each in summaries:
        assert f">{each}<" in shown.stdout, each
    assert set(re.findall(r'https?://[^/"<]+', shown.stdout)) <= {str(client.base_url), "http://www.w3.org"}
