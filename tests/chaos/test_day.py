from pathlib import Path

import orjson
import pytest

from tests.chaos.day import ROWS_PER_LATE_TRADE, Day, read_day, write_night
from tests.chaos.verify import anomalies_index, trades_index

TRADES = 4_000


@pytest.fixture(scope="module")
def night(tmp_path_factory: pytest.TempPathFactory) -> Day:
    path = tmp_path_factory.mktemp("night") / "night.csv"
    write_night(path, TRADES)
    return read_day(path)


def test_night_has_each_symbol_before_and_after_midnight_in_new_york(night: Day) -> None:
    midnight = "2026-04-01T04:00"
    fields = [orjson.loads(trade.value) for trade in night.trades]
    before = {one["symbol"] for one in fields if one["@timestamp"] < midnight}
    after = {one["symbol"] for one in fields if one["@timestamp"] >= midnight}
    assert before == after
    assert len(before) > 1


def test_night_fills_two_indices_of_either_kind(night: Day) -> None:
    fields = [orjson.loads(trade.value) for trade in night.trades]
    assert {trades_index(one) for one in fields} == {"trades-2026.03.31", "trades-2026.04.01"}
    assert {anomalies_index(one) for one in fields} == {"anomalies-2026.03", "anomalies-2026.04"}


def test_nights_trades_out_of_order_are_counted_as_late(night: Day) -> None:
    moved = TRADES // ROWS_PER_LATE_TRADE
    assert 0.5 * moved <= night.late_trades <= moved


def test_trades_in_order_are_not_late(tmp_path: Path, night: Day) -> None:
    header, *rows = night.path.read_text().splitlines()
    path = tmp_path / "start.csv"
    path.write_text("\n".join([header, *rows[:ROWS_PER_LATE_TRADE]]))
    assert read_day(path).late_trades == 0
