from pathlib import Path

import pytest

from infra.postgres.migrations import read_migrations
from services.contracts.postgres import SCHEMA_VERSION


def test_the_sink_needs_the_newest_migration() -> None:
    assert read_migrations()[-1].number == SCHEMA_VERSION


def test_a_gap_is_noticed(tmp_path: Path) -> None:
    for number in (1, 3):
        (tmp_path / f"000{number}_x.sql").touch()
    with pytest.raises(ValueError, match="without a gap"):
        read_migrations(tmp_path)
