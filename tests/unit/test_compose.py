"""docker-compose.yml is valid and keeps the promises that the worker rests on."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

COMPOSE_FILE = Path(__file__).parents[2] / "docker-compose.yml"

Service = dict[str, Any]


@pytest.fixture(scope="module")
def services() -> dict[str, Service]:
    services: dict[str, Service] = yaml.safe_load(COMPOSE_FILE.read_text(encoding="utf-8"))["services"]
    return services


def test_follows_the_compose_specification() -> None:
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec", str(COMPOSE_FILE)]

    result = subprocess.run(command, capture_output=True, text=True, check=False)

    assert result.returncode == 0, result.stdout + result.stderr


def test_valkey_keeps_unread_events(services: dict[str, Service]) -> None:
    command = services["valkey"]["command"]
    options = dict(zip(command[1::2], command[2::2], strict=True))

    assert command[0] == "valkey-server"
    assert options["--appendonly"] == "yes"
    assert options["--maxmemory-policy"] == "noeviction"
    assert "valkey-data:/data" in services["valkey"]["volumes"]


def test_postgres_keeps_its_data_where_version_18_writes_it(services: dict[str, Service]) -> None:
    assert services["postgres"]["image"].startswith("postgres:18")
    assert services["postgres"]["volumes"] == ["postgres-data:/var/lib/postgresql"]


@pytest.mark.parametrize("name", ["postgres", "valkey", "worker"])
def test_has_a_health_check(services: dict[str, Service], name: str) -> None:
    assert services[name]["healthcheck"]["test"]


def test_migrates_once_before_anything_works(services: dict[str, Service]) -> None:
    migrate = services["migrate"]

    assert migrate["command"] == ["progress-worker", "migrate"]
    assert migrate["restart"] == "no"
    assert migrate["depends_on"]["postgres"]["condition"] == "service_healthy"
    for name in ("worker", "beat"):
        assert services[name]["depends_on"]["migrate"]["condition"] == "service_completed_successfully"
        assert services[name]["depends_on"]["valkey"]["condition"] == "service_healthy"
        assert services[name]["restart"] == "unless-stopped"


def test_the_worker_can_be_scaled(services: dict[str, Service]) -> None:
    worker = services["worker"]

    assert worker["command"] == ["celery", "-q", "-A", "worker", "worker"]
    assert worker["healthcheck"]["test"] == ["CMD", "progress-worker", "health", "live"]
    assert worker["stop_grace_period"] == "15s"
    assert not worker.keys() & {"container_name", "ports", "network_mode"}


def test_one_image_is_built_once(services: dict[str, Service]) -> None:
    ours = [services[name] for name in ("migrate", "worker", "beat")]

    assert len({service["image"] for service in ours}) == 1
    assert [name for name, service in services.items() if "build" in service] == ["migrate"]


def test_no_port_is_open_to_other_hosts(services: dict[str, Service]) -> None:
    ports = [port for service in services.values() for port in service.get("ports", [])]

    assert ports
    assert all(port.startswith("127.0.0.1:") for port in ports)


@pytest.mark.parametrize(
    ("name", "variable", "password"),
    [
        ("postgres", "POSTGRES_PASSWORD", "${POSTGRES_PASSWORD:-progress}"),
        ("valkey", "VALKEYCLI_AUTH", "${VALKEY_PASSWORD:-progress}"),
        ("worker", "DATABASE_URL", "${POSTGRES_PASSWORD:-progress}"),
        ("worker", "REDIS_URL", "${VALKEY_PASSWORD:-progress}"),
    ],
)
def test_passwords_come_from_the_environment(
    services: dict[str, Service], name: str, variable: str, password: str
) -> None:
    assert password in services[name]["environment"][variable]
