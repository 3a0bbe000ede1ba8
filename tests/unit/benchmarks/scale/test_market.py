"""A day that is dealt out to a market."""

import numpy as np
import polars as pl
import pytest

from benchmarks.scale.market import HOT, market_of, with_symbols
from services.sources.synthetic.day import DayConfig, generate_day, readable


@pytest.mark.parametrize(("trades", "symbols"), [(20_000, 8_000), (8_000, 8_000), (500, 3)])
def test_each_symbol_of_a_market_has_a_trade(trades: int, symbols: int) -> None:
    assert np.array_equal(np.unique(market_of(trades, symbols)), np.arange(symbols))


def test_most_symbols_of_a_market_have_a_few_prints() -> None:
    prints = np.bincount(market_of(100_000, 8_000))
    assert np.median(prints) < 5
    assert prints.max() > 5_000


def test_a_dealt_day_keeps_its_trades_and_has_other_symbols() -> None:
    frame, _ = generate_day(DayConfig(trades=300, symbols=1))
    numbers = np.arange(len(frame)) % 3
    tape = with_symbols(frame, numbers, ["A", "B", HOT])
    assert tape["symbol"].to_list()[:4] == ["A", "B", HOT, "A"]
    assert tape.columns == frame.columns
    assert tape.schema == frame.schema
    assert (
        tape.group_by("symbol").agg(pl.col("instrument_id").n_unique())["instrument_id"].to_list() == [1] * 3
    )
    assert tape.drop("symbol", "instrument_id").equals(frame.drop("symbol", "instrument_id"))
    assert readable(tape).height == len(frame)
