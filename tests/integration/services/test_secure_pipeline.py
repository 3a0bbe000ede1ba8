"""The whole pipeline over a port of Kafka that asks for TLS and a login."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from infra.embedded.ports import free_port
from infra.embedded.stack import EmbeddedStack, StackConfig
from services.common.elastic.client import new_client
from services.sources.synthetic.day import DayConfig, write_day
from tests.certificates import needs_openssl
from tests.integration.pipeline import TIMEOUT_S
from tests.integration.services.secure_kafka import PASSWORD, SecurePorts, create_user

pytestmark = [needs_openssl, pytest.mark.slow]


@pytest.fixture(scope="module")
def ports(tmp_path_factory: pytest.TempPathFactory) -> SecurePorts:
    return SecurePorts.make(tmp_path_factory.mktemp("secrets"))


@pytest.fixture(scope="module")
def secure_stack(ports: SecurePorts) -> Iterator[EmbeddedStack]:
    config = StackConfig(
        kafka_port=free_port(), elasticsearch_port=free_port(), kafka_listeners=ports.listeners
    )
    with EmbeddedStack(config) as running:
        create_user(running.kafka_connection)
        yield running


@pytest.fixture(scope="module")
def environment(ports: SecurePorts, secure_stack: EmbeddedStack) -> dict[str, str]:
    settings = ports.settings("SCRAM")
    return os.environ | {
        **{f"TAPEWATCH_{name.upper()}": str(value) for name, value in settings.items()},
        "TAPEWATCH_ELASTICSEARCH": secure_stack.elasticsearch_url,
        "TAPEWATCH_METRICS_PORT": "0",
        "POLARS_MAX_THREADS": "1",
    }


def test_trades_go_from_a_file_to_documents(
    secure_stack: EmbeddedStack, environment: dict[str, str], tmp_path: Path
) -> None:
    day = tmp_path / "day.csv"
    write_day(DayConfig(trades=20_000, symbols=4), day, tmp_path / "labels.csv")

    def tapewatch(*arguments: str) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "cli.main", *arguments],
            env=environment,
            capture_output=True,
            text=True,
            timeout=TIMEOUT_S,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        assert PASSWORD not in done.stdout + done.stderr
        return done.stdout + done.stderr

    tapewatch("setup")
    published = json.loads(tapewatch("produce", str(day)).strip().splitlines()[-1])
    tapewatch("detect", "--until-idle", "0.5")
    tapewatch("index", "--until-idle", "0.5")
    tapewatch("dead-letters", "list")
    assert "TLS, login as tapewatch (SCRAM-SHA-512)" in " ".join(tapewatch("doctor").split())
    with new_client(secure_stack.elasticsearch_url) as client:
        client.indices.refresh()
        assert client.count(index="trades-*")["count"] == published["trades"] > 0
        assert client.count(index="anomalies-*")["count"] > 0
