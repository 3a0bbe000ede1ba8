"""The tables of performance.md that benchmarks print whole have their columns and rows."""

import pytest

from benchmarks.choices import COMMITTING, READING, SENDING, SHARING
from benchmarks.peers.figures import COLUMNS
from benchmarks.peers.registry import PEERS
from benchmarks.rows import Table
from benchmarks.scale.days import growths_table, pages_table, tenths_table
from benchmarks.scale.market import market_table
from benchmarks.scale.opening import alerts_table, groups_table
from benchmarks.scale.sizes import FULL
from tests.docs.pages import ROOT, rows
from tests.soak.figures import LIMITS

ROWS = rows((ROOT / "docs" / "performance.md").read_text())
TABLE = [row for row in ROWS if "engine" in row]
SCALE = (
    tenths_table([], FULL),
    growths_table({}),
    pages_table({}, {}, 1, 1),
    market_table([], FULL),
    groups_table("", {}, 1.0),
    alerts_table({}),
)


def test_table_of_engines_has_the_benchmarks_columns() -> None:
    assert TABLE
    assert all(tuple(row) == COLUMNS for row in TABLE)


def test_table_of_engines_has_each_engine_once() -> None:
    assert [row["engine"] for row in TABLE] == [peer.name for peer in PEERS]


@pytest.mark.parametrize("table", SCALE, ids=lambda table: table.columns[0])
def test_tables_of_scale_have_its_columns(table: Table) -> None:
    assert [row for row in ROWS if tuple(row) == table.columns]


def test_tables_of_choices_have_each_of_them() -> None:
    assert [row["how"] for row in ROWS if "how" in row] == [*SENDING, *READING, *COMMITTING, *SHARING]


def test_table_of_the_soak_has_what_must_not_grow() -> None:
    told = {row["what"].split(":")[0] for row in ROWS if "last two fifths" in row}
    assert told == set(LIMITS)
