"""The day that is replayed, and what an undisturbed run makes of it."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import orjson

from infra.embedded.stack import EmbeddedStack
from services.common.errors import TapewatchError
from services.producer.sources import open_source
from services.producer.trade_ids import TradeIds
from services.producer.trade_json import to_json
from tests.chaos.verify import Trade
from tests.integration.pipeline import tapewatch


@dataclass(frozen=True)
class Day:
    """A file of trades.

    Parameters
    ----------
    path
        The file.
    trades
        All of them, in its order, as the producer writes them.
    event_ns
        The time until which each waits, int64, shape (n,), not falling.
    """

    path: Path
    trades: list[Trade]
    event_ns: np.ndarray


def read_day(path: Path) -> Day:
    """Read a file as the producer does.

    Raises
    ------
    TapewatchError
        The file is not trades, or has rows that are not, or a trade twice: what a run should leave is not
        known then.
    """
    ids = TradeIds()
    trades: list[Trade] = []
    times: list[np.ndarray] = []
    bad_rows = 0
    for chunk in open_source(path).chunks():
        names = ids.name(chunk.trades)
        values = to_json(chunk.trades, names)
        trades += map(Trade, names.to_list(), chunk.trades["symbol"].to_list(), values)
        times.append(chunk.trades["ts_event"].to_numpy())
        bad_rows += len(chunk.bad_rows)
    if bad_rows or len({trade.trade_id for trade in trades}) < len(trades):
        raise TapewatchError(f"{path} has bad rows, or a trade twice.", "Choose a clean day.")
    return Day(path, trades, np.maximum.accumulate(np.concatenate(times)))


def reference_anomalies(stack: EmbeddedStack, day: Day, output: Path) -> dict[str, dict[str, Any]]:
    """Return a backtest's anomalies by `trade_id`; `output` keeps them."""
    tapewatch(stack, "backtest", str(day.path), "--output", str(output))
    lines = [orjson.loads(line) for line in output.read_bytes().splitlines()]
    return {line["trade_id"]: line for line in lines}
