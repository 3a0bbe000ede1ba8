import resource
import signal
from collections.abc import Iterator
from pathlib import Path

import duckdb
import polars as pl
import pytest

from services.common.errors import TapewatchError
from services.export import partition
from services.export.index import State
from services.export.partition import Page, exported_state, write_partition
from services.sources.exported.columns import SCHEMA
from services.sources.files import open_source
from tests.samples import trade_json


def at(number: int, trade_id: str, **changes: object) -> bytes:
    return trade_json(number, trade_id=trade_id, **changes)


def write(path: Path, *pages: list[bytes]) -> partition.Written:
    numbered = [[(document, 7) for document in page] for page in pages]
    return write_partition(path, path.with_name("unfinished"), numbered, lambda _: None)


def read(path: Path) -> list[bytes]:
    source = open_source(path)
    return [value for chunk in source.chunks() for value in source.to_json(chunk.trades)]


def test_a_partition_is_read_back_as_the_messages_that_it_was_written_from(tmp_path: Path) -> None:
    pages = [[trade_json(number) for number in range(20)], [trade_json(number) for number in range(20, 30)]]
    written = write(tmp_path / "trades.parquet", *pages)
    assert (written.trades, written.rejected) == (30, 0)
    assert read(tmp_path / "trades.parquet") == [value for page in pages for value in page]
    assert exported_state(tmp_path / "trades.parquet") == State(30, 210)
    assert [path.name for path in tmp_path.iterdir()] == ["trades.parquet"]


def test_prints_of_one_time_and_sequence_are_in_the_order_of_their_numbers_whatever_the_pages(
    tmp_path: Path,
) -> None:
    same = [at(1, name, sequence=5) for name in ("a", "a-2", "a-9", "a-10", "b-11")]
    first, last = at(0, "z"), at(2, "0")
    paths = [tmp_path / f"{number}.parquet" for number in range(3)]
    write(paths[0], [first, *same, last])
    write(paths[1], [first, *reversed(same)], [last])
    write(paths[2], [first, same[3]], [same[0]], [same[4], same[1]], [same[2], last])
    assert read(paths[0]) == [first, *same, last]
    assert paths[0].read_bytes() == paths[1].read_bytes() == paths[2].read_bytes()


def test_an_error_while_reading_leaves_the_file_that_was_there_and_is_told_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "trades.parquet"
    write(path, [trade_json(1)])
    before = path.read_bytes()

    def pages() -> Iterator[Page]:
        yield [(trade_json(2), 1)]
        raise TapewatchError("Elasticsearch does not answer.", "Start it.")

    with pytest.raises(TapewatchError, match=r"^Elasticsearch does not answer\. Start it\.$"):
        write_partition(path, tmp_path / "unfinished", pages(), lambda _: None)
    assert path.read_bytes() == before


def test_a_full_disk_is_an_error_with_its_fix_and_leaves_no_partition(tmp_path: Path) -> None:
    path = tmp_path / "trades.parquet"
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_000, limits[1]))
    try:
        with pytest.raises(TapewatchError, match=r"trades\.parquet cannot be written: .*disk's space"):
            write(path, [trade_json(number) for number in range(30)])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)
    assert not path.exists()


def test_a_file_cut_short_counts_as_missing_and_a_foreign_one_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "trades.parquet"
    write(path, [trade_json(1)])
    path.write_bytes(path.read_bytes()[:-20])
    assert exported_state(path) is None
    assert exported_state(tmp_path / "none") is None
    pl.DataFrame({"a": [1]}).write_parquet(path)
    with pytest.raises(TapewatchError, match="holds something else than exported trades"):
        exported_state(path)


def test_nothing_that_is_a_trade_gives_no_error_and_what_is_none_is_counted(tmp_path: Path) -> None:
    path = tmp_path / "trades.parquet"
    written = write(path, [trade_json(1), trade_json(2, side="X")])
    assert (written.trades, written.rejected) == (1, 1)
    assert written.first_rejected is not None
    assert written.first_rejected.line == 2
    assert exported_state(path) == State(2, 14)  # it is unchanged as long as the index has both
    assert not write(tmp_path / "none.parquet").trades
    assert not (tmp_path / "none.parquet").exists()


def test_row_groups_are_of_one_size_and_duckdb_reads_exact_numbers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(partition, "ROW_GROUP_ROWS", 16)
    path = tmp_path / "trades.parquet"
    write(path, *[[trade_json(10 * page + number, price=0.1) for number in range(10)] for page in range(5)])
    groups = duckdb.execute(
        "select distinct row_group_id, row_group_num_rows from parquet_metadata(?) order by 1", [str(path)]
    ).fetchall()
    assert [rows for _, rows in groups] == [16, 16, 16, 2]
    [(total, kind)] = (
        duckdb.read_parquet(str(path)).aggregate("sum(price), typeof(any_value(price))").fetchall()
    )
    assert (str(total), kind) == ("5.000000000000000000", "DECIMAL(38,18)")
    assert pl.read_parquet(path).schema == SCHEMA
