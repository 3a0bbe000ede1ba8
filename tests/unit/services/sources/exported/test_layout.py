import datetime as dt
from pathlib import Path
from urllib.parse import unquote

import duckdb
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.common.errors import TapewatchError
from services.sources.exported.layout import escaped, partition_path

DAY = dt.date(2026, 3, 2)
SYMBOLS = ["NVDA", "BRK/B", "A%2FB", "^VIX", "..", "a:b*c?d", "x=y", "[Q]", "é {1}", "0123", "TRUE", "a\nb"]


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20))
def test_any_symbol_is_one_folder_and_comes_back(symbol: str) -> None:
    path = partition_path(Path("out"), DAY, symbol)
    assert path.parts[:2] == ("out", "day=2026-03-02")
    assert len(path.parts) == 4
    assert "\0" not in str(path)
    assert unquote(path.parts[2].removeprefix("symbol=")) == symbol


def test_names_are_those_of_hive() -> None:
    assert escaped("BRK/B 100%") == "BRK%2FB 100%25"
    assert escaped("__HIVE_DEFAULT_PARTITION__") == "%5F_HIVE_DEFAULT_PARTITION__"


def test_a_symbol_that_is_too_long_for_a_folder_is_an_error() -> None:
    assert partition_path(Path("out"), DAY, "A" * 248)
    with pytest.raises(TapewatchError, match=r"The symbol A{40}… is too long .* 256 bytes"):
        partition_path(Path("out"), DAY, "A" * 249)


def test_duckdb_and_polars_read_the_symbol_from_the_folders_name(tmp_path: Path) -> None:
    for symbol in SYMBOLS:
        path = partition_path(tmp_path, DAY, symbol)
        path.parent.mkdir(parents=True)
        pl.DataFrame({"symbol": [symbol]}).write_parquet(path)
    everything = f"{tmp_path}/*/*/*.parquet"
    by_duckdb = duckdb.read_parquet(everything, hive_partitioning=True).select("symbol", "day")
    by_polars = pl.scan_parquet(everything, hive_partitioning=True).collect()
    expected = sorted((symbol, DAY) for symbol in SYMBOLS)
    assert sorted(by_duckdb.fetchall()) == expected
    assert sorted(by_polars.select("symbol", "day").rows()) == expected
