"""The table of engines in performance.md has the columns and rows that the benchmark prints."""

from benchmarks.peers.figures import COLUMNS
from benchmarks.peers.registry import PEERS
from tests.docs.pages import ROOT, rows

TABLE = [row for row in rows((ROOT / "docs" / "performance.md").read_text()) if "engine" in row]


def test_table_of_engines_has_the_benchmarks_columns() -> None:
    assert TABLE
    assert all(tuple(row) == COLUMNS for row in TABLE)


def test_table_of_engines_has_each_engine_once() -> None:
    assert [row["engine"] for row in TABLE] == [peer.name for peer in PEERS]
