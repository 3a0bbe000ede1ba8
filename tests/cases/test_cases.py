"""Files that people had, in the folder `../shared/cases`: each ends as it should, or says why it cannot."""

import re
from pathlib import Path

import pytest

from services.sources.files import open_sources
from tests.cases.backtest import run
from tests.samples import REAL_DATA

CASES = REAL_DATA.parent / "cases"

pytestmark = pytest.mark.skipif(not CASES.is_dir(), reason="the folder ../shared/cases is not here")


@pytest.mark.parametrize(
    "name",
    [
        "01_pandas_to_csv.csv",
        "03_pandas_default_index.csv",
        "04_whole_point_prices.csv",
        "06_quoted.csv",
        "10_cr_only.csv",
        "19_size_float.csv",
        "20_fractional_size.csv",
        "30_iso_offset.csv",
        "40_gz.csv.gz",
        "46_skippable_first_pzstd.csv.zst",
        "47_long31.csv.zst",
        "61_ts_out.dbn",
        "84_one_stamp_ahead.csv",
        "86_sequence_zero.csv",
        "91_excel_stripped_zeros.csv",
        "base.csv",
    ],
)
def test_sixty_trades_are_read_and_the_one_off_the_market_is_found(name: str, tmp_path: Path) -> None:
    result = run([CASES / name], tmp_path)
    assert (result.trades, result.rejected) == (60, 0)
    [anomaly] = result.anomalies
    assert anomaly["price"] == pytest.approx(6485 if name.startswith("04") else 108.09, abs=1)


def test_sixty_trades_without_sequences_have_sixty_ids() -> None:
    [source] = open_sources([str(CASES / "86_sequence_zero.csv")])
    assert len({name for chunk in source.chunks() for name in chunk.trades["trade_id"]}) == 60


def test_prices_through_zero_are_no_errors(tmp_path: Path) -> None:
    result = run([CASES / "80_price_through_zero.csv"], tmp_path)
    assert (result.trades, result.rejected) == (120, 0)
    assert len(result.anomalies) <= 2
    assert not re.search(r"\b(inf|nan)\b", str(result.anomalies))


def test_options_that_bounce_between_bid_and_ask_are_nothing_critical(tmp_path: Path) -> None:
    result = run([CASES / "82_option_chain.csv"], tmp_path)
    assert (result.trades, result.rejected) == (300, 0)
    assert len(result.anomalies) <= 6
    assert {anomaly["severity"] for anomaly in result.anomalies} <= {"info", "low", "medium"}


def test_print_off_the_market_of_a_currency_pair_is_found(tmp_path: Path) -> None:
    result = run([CASES / "88_fx.csv"], tmp_path)
    assert (result.trades, result.rejected) == (200, 0)
    [source] = open_sources([str(CASES / "88_fx.csv")])
    [chunk] = source.chunks()
    prices = chunk.trades["price"]
    far = int((prices - prices.median()).abs().arg_max() or 0)
    assert chunk.trades["trade_id"][far] in {anomaly["trade_id"] for anomaly in result.anomalies}


def test_newest_first_says_how_many_went_unjudged(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    result = run([CASES / "22_newest_first.csv"], tmp_path)
    assert result.trades == 60
    assert re.search(r"(?s)59.*(not|un)\s*judged.*[Ss]ort|[Ss]ort.*59", capfd.readouterr().err)
