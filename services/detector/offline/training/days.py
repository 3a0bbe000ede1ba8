"""Sorts what sources yield into sessions, on disk: only one day is in memory at a time."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from services.common.errors import TapewatchError
from services.detector.engine.columns import trading_days
from services.sources.base import Source
from services.sources.columns import COLUMNS

MOST_DAY_TRADES = 20_000_000
"""Trades of all symbols on one day; a day is injected into as a whole, with about 1 kB for each trade."""

OnProgress = Callable[[str, float, float], None]
"""Called with what is being done, how much of it is, and of how much."""


@dataclass(frozen=True)
class SessionDay:
    """A day's trades of all symbols.

    Parameters
    ----------
    day
        `YYYY-MM-DD` in the exchange's time zone.
    folder
        Where its parts are.
    trades
        How many there are.
    """

    day: str
    folder: Path
    trades: int

    def frame(self) -> pl.DataFrame:
        """Return the trades as the sources yield them, and `json`, their messages, in the sources' order."""
        return pl.concat([pl.read_parquet(path) for path in sorted(self.folder.glob("*.parquet"))])


def spool_days(
    sources: Sequence[Source], time_zone: str, folder: Path, on_progress: OnProgress
) -> list[SessionDay]:
    """Write the trades of sources into a folder for each day, and return the days in their order.

    Parameters
    ----------
    sources
        Where the trades come from.
    time_zone
        The exchange's.
    folder
        An empty one.
    on_progress
        Called after each chunk.

    Raises
    ------
    TapewatchError
        There are no trades, or more on one day than can be held.
    """
    trades: dict[str, int] = {}
    part = 0
    for source in sources:
        for chunk in source.chunks():
            found = chunk.trades
            frame = found.select(*COLUMNS, *(name for name in ("ts_recv",) if name in found.columns))
            frame = frame.with_columns(json=pl.Series(source.to_json(found), dtype=pl.Binary))
            days = trading_days(frame["ts_event"].to_numpy(), time_zone)
            for number in np.unique(days).tolist():
                day = str(np.datetime64(number, "D"))
                own = frame.filter(pl.Series(days == number))
                path = folder / day / f"{part:08d}.parquet"
                path.parent.mkdir(exist_ok=True)
                own.write_parquet(path, compression="lz4")
                trades[day] = trades.get(day, 0) + len(own)
                if trades[day] > MOST_DAY_TRADES:
                    raise TapewatchError(
                        f"{day} has more than {MOST_DAY_TRADES:,} trades, too many to train on as a whole.",
                        "Give fewer symbols: a range of the index with --symbol, or a part of the files.",
                    )
            part += 1
            on_progress(f"reading {source.name}", chunk.position, source.size or 0)
    if not trades:
        raise TapewatchError("There are no trades to learn from.", "Name other files, or another range.")
    return [SessionDay(day, folder / day, trades[day]) for day in sorted(trades)]
