from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from services.common.errors import TapewatchError
from services.detector.detectors.checks import part
from services.detector.engine.columns import TradeColumns
from services.detector.features.registry import NAMES
from services.detector.offline.features.extract import FeatureExtraction
from services.detector.offline.features.run import SCHEMA, run_features
from services.detector.profiles.profile import load_profile
from services.sources.base import Chunk, Source
from services.sources.files import open_sources
from services.sources.synthetic.day import DayConfig, write_day
from tests.samples import row, write_csv
from tests.unit.services.detector.features.sessions import session


@pytest.fixture(scope="module")
def day(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("day")
    write_day(DayConfig(trades=3_000, symbols=2), folder / "day.csv.zst", folder / "labels.csv")
    return folder / "day.csv.zst"


def table(sources: Sequence[Source] | Path, output: Path) -> pl.DataFrame:
    """Run the command on one input and return what it has written."""
    opened = open_sources([str(sources)]) if isinstance(sources, Path) else sources
    assert run_features(opened, output, None) == 0
    [written] = output.iterdir()
    return pl.read_parquet(written)


def extracted(columns: TradeColumns, cuts: list[int]) -> list[tuple[float, bytes]]:
    """Return how late each trade is, and its features' bits, of columns that come in batches."""
    extraction = FeatureExtraction(load_profile(None))
    found = []
    for start, stop in pairwise([0, *cuts, len(columns)]):
        for one in extraction.extract(columns[start:stop]):
            found += list(zip(one.late_s.tolist(), (values.tobytes() for values in one.values), strict=True))
    return found


def test_each_trade_has_a_row_with_every_feature(
    day: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = table(day, tmp_path / "made" / "out")
    assert dict(found.schema) == SCHEMA
    assert len(found) == 3_000
    assert found["trade_id"].n_unique() == 3_000
    assert "day.parquet: 3,000 rows" in capsys.readouterr().err.replace("\n", "")
    assert pl.read_parquet_metadata(tmp_path / "made/out/day.parquet")["profile"] == load_profile(None).hash
    of_trades = [name for name in NAMES if not name.startswith("bar_")]
    assert [name for name in of_trades if found[name].null_count() == len(found)] == []
    assert found.select(pl.col(NAMES).is_nan().any()).row(0) == (False,) * len(NAMES)


def test_where_the_file_is_cut_into_chunks_changes_no_bit(
    day: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = table(day, tmp_path / "whole")
    [source] = open_sources([str(day)])
    chunks = list(source.chunks())
    sliced = [
        Chunk(chunk.trades[start : start + 277], [], None)
        for chunk in chunks
        for start in range(0, len(chunk.trades), 277)
    ]
    monkeypatch.setattr(source, "chunks", lambda: iter(sliced))
    assert table([source], tmp_path / "cut").equals(whole)


def test_late_trades_are_measured_and_change_nothing() -> None:
    columns = session("AAA", 300, 4)
    columns = part(columns, [at for at in range(300) if at != 225])  # not the wrong stamp
    rest = [at for at in range(len(columns)) if at != 100]
    late = [*rest[:103], 100, *rest[103:]]
    expected = extracted(part(columns, rest), [])
    found = extracted(part(columns, late), [50, 104, 200])
    assert found[103][0] > 0
    assert found[:103] + found[104:] == expected
    assert sum(one[0] > 0 for one in found) == 1


def test_repeated_trades_have_no_row() -> None:
    columns = session("AAA", 100, 4)
    twice = part(columns, [*range(100), *range(40, 60)])
    assert len(extracted(twice, [])) == 100


def test_bars_have_the_features_of_bars_alone(tmp_path: Path) -> None:
    lines = [
        f"NVDA,2024-12-02T15:{n:02}:00Z,{100 + n},{102 + n},{99 + n},{101 + n},{500 + n}" for n in range(30)
    ]
    (tmp_path / "bars.csv").write_text(
        "symbol,timestamp,open,high,low,close,volume\n" + "\n".join([*lines, ""])
    )
    found = table(tmp_path / "bars.csv", tmp_path / "out")
    assert found["kind"].to_list() == ["bar"] * 30
    last = found.row(29, named=True)
    assert last["bar_range_ratio"] == 3 / 130
    assert last["bar_return"] == np.log(130) - np.log(129)
    assert last["return_1"] is None
    assert found["since_open_min"][0] == 30.0


def test_rows_that_are_no_trades_are_counted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write_csv(tmp_path / "a.csv", [row(1), row(2, price="x"), row(3)])
    assert len(table(path, tmp_path / "out")) == 2
    assert "1 rows of the input are no trades" in capsys.readouterr().err.replace("\n", "")


def test_two_inputs_of_one_name_are_refused_before_anything_is_read(tmp_path: Path) -> None:
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        write_csv(tmp_path / folder / "a.csv", [row(1)])
    sources = open_sources([str(tmp_path / "one/a.csv"), str(tmp_path / "two/a.csv")])
    with pytest.raises(TapewatchError, match="2 of the inputs"):
        run_features(sources, tmp_path / "out", None)
    assert not (tmp_path / "out").exists()


def test_a_file_in_place_of_the_folder_is_an_error(day: Path, tmp_path: Path) -> None:
    (tmp_path / "out").write_text("")
    with pytest.raises(TapewatchError, match="cannot be made"):
        run_features(open_sources([str(day)]), tmp_path / "out", None)


def test_nothing_is_left_behind_by_a_source_that_fails(
    day: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    [source] = open_sources([str(day)])
    first = next(iter(source.chunks()))

    def fails() -> Iterator[Chunk]:
        yield first
        raise TapewatchError("The disk is gone.", "Find it.")

    monkeypatch.setattr(source, "chunks", fails)
    with pytest.raises(TapewatchError, match="The disk is gone"):
        run_features([source], tmp_path / "out", None)
    assert list((tmp_path / "out").iterdir()) == []
