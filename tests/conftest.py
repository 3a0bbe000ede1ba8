"""Fixtures for all tests: the embedded servers, each started once for the whole run."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from infra.embedded.ports import free_port
from infra.embedded.postgres_server import PostgresServer, running_postgres
from infra.embedded.stack import EmbeddedStack, StackConfig

# A busy machine is no failure; a test that hangs meets pytest's own limit.
settings.register_profile("unhurried", deadline=None)
settings.load_profile("unhurried")


@pytest.fixture(scope="session")
def stack() -> Iterator[EmbeddedStack]:
    """A running Kafka and Elasticsearch on free ports; each test uses its own topics and indices."""
    config = StackConfig(kafka_port=free_port(), elasticsearch_port=free_port())
    with EmbeddedStack(config) as running:
        yield running


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """A running Postgres on a free port; a test empties the database before it uses it."""
    # A power cut is no part of a test, and each database that is created would wait for the disk.
    with running_postgres({"fsync": "off"}) as server:
        yield server


@pytest.fixture(scope="session")
def champion(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with small models, `trades@champion` and `trades@challenger`; skips without the extra."""
    pytest.importorskip("xgboost")
    from tests.unit.services.detector.models.trained import promoted

    return promoted(tmp_path_factory.mktemp("models"))


@pytest.fixture
def served_models(champion: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The same folder, where profiles look for models during the test."""
    monkeypatch.setenv("TAPEWATCH_MODELS", str(champion))
    return champion


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests that use the stack, so that `-m "not stack"` runs the others."""
    for item in items:
        if "stack" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.stack)
