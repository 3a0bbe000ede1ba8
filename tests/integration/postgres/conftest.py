"""A database for each test."""

from pathlib import Path

import pytest

from infra.embedded.postgres_server import PostgresServer
from tests.integration.postgres.database import Database, new_database


@pytest.fixture
def database(postgres: PostgresServer, tmp_path: Path) -> Database:
    """A database with the schema."""
    return new_database(postgres, tmp_path)
