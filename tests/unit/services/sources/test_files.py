from pathlib import Path

import pytest

from services.common.errors import TapewatchError
from services.sources.files import expand_names, open_sources
from services.sources.options import FileOptions
from tests.samples import row, write_csv


def test_files_come_in_the_order_of_their_first_trade(tmp_path: Path) -> None:
    later = write_csv(tmp_path / "a.csv", [row(1, ts_event="2024-12-03T14:30:00.000000000Z")])
    earlier = write_csv(tmp_path / "b.csv.zst", [row(1, ts_event="2024-12-02T14:30:00.000000000Z")])
    empty = write_csv(tmp_path / "0.csv", [])
    sources = open_sources([str(tmp_path / "*")])
    assert [source.path for source in sources] == [earlier, later, empty]


def test_file_named_twice_is_taken_once(tmp_path: Path) -> None:
    path = write_csv(tmp_path / "a.csv", [row(1)])
    assert expand_names([str(path), str(tmp_path / "*.csv")]) == [path]


def test_a_glob_may_begin_at_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    paths = [write_csv(tmp_path / f"{name}.csv", [row(1)]) for name in "ab"]
    assert expand_names(["~/*.csv"]) == paths
    assert expand_names(["~/a.csv"]) == paths[:1]


@pytest.mark.parametrize("name", ["nothing.csv", "no*.csv"])
def test_name_that_fits_no_file_is_an_error(tmp_path: Path, name: str) -> None:
    with pytest.raises(TapewatchError, match="File not found"):
        open_sources([str(tmp_path / name)])


def test_folder_is_an_error_that_shows_the_glob(tmp_path: Path) -> None:
    with pytest.raises(TapewatchError, match=r"\*\.csv\.zst"):
        open_sources([str(tmp_path)])


def test_one_wrong_file_among_good_ones_fails_all(tmp_path: Path) -> None:
    good = write_csv(tmp_path / "a.csv", [row(1)])
    wrong = tmp_path / "b.csv"
    wrong.write_text("hello\n")
    with pytest.raises(TapewatchError, match="not a file of trades"):
        open_sources([str(good), str(wrong)])


def test_symbology_for_a_file_that_takes_none_is_an_error(tmp_path: Path) -> None:
    path = write_csv(tmp_path / "a.csv", [row(1)])
    with pytest.raises(TapewatchError, match="takes no --symbology"):
        open_sources([str(path)], FileOptions(symbology=tmp_path / "symbology.json"))


def test_empty_file_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "a.csv").touch()
    with pytest.raises(TapewatchError, match="is empty"):
        open_sources([str(tmp_path / "a.csv")])


def test_file_of_which_nothing_is_a_trade_fails_with_the_first_reason(tmp_path: Path) -> None:
    good = write_csv(tmp_path / "a.csv", [row(1)])
    wrong = write_csv(tmp_path / "b.csv", [row(1, size="many"), row(2, side="X")])
    with pytest.raises(
        TapewatchError, match=r"Nothing in b.csv is a trade: 2 of 2 rows .* line 2: size is not a"
    ):
        open_sources([str(good), str(wrong)])


def test_an_option_is_taken_by_the_files_that_need_it(tmp_path: Path) -> None:
    whole = write_csv(tmp_path / "a.csv", [row(n, price=str(95 + n)) for n in range(3)])
    bars = tmp_path / "bars.csv"
    bars.write_text("symbol,timestamp,open,high,low,close,volume\nA,2026-01-02T14:31:00Z,9,9,9,9,5\n")
    sources = open_sources([str(whole), str(bars)], FileOptions(prices="decimal"))
    assert {source.name for source in sources} == {"a.csv", "bars.csv"}
    with pytest.raises(TapewatchError, match="takes no --prices: that is for Databento's CSV"):
        open_sources([str(bars)], FileOptions(prices="decimal"))


@pytest.mark.parametrize("header", ["hello,you", "ts_event,price,symbol"])
def test_unknown_columns_lead_to_a_mapping(tmp_path: Path, header: str) -> None:
    path = tmp_path / "a.csv"
    path.write_text(f"{header}\n1,2\n")
    with pytest.raises(TapewatchError, match="is not a file of trades") as caught:
        open_sources([str(path)])
    assert f"tapewatch inspect {path}" in caught.value.hint
