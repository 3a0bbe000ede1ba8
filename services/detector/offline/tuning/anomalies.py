"""The anomalies of a symbol's day by a profile, as the live detector publishes them."""

import datetime as dt
from collections.abc import Callable
from typing import Any

import numpy as np
import orjson

from services.common.errors import TapewatchError
from services.contracts.anomaly import anomaly_json
from services.detector.engine.batch import SIDE_CODES
from services.detector.engine.engine import Engine
from services.detector.engine.growth import Prints
from services.detector.offline.backtest.every_revision import Published
from services.detector.offline.tuning.day import PIECE_TRADES
from services.detector.offline.tuning.indexed_day import IndexedDay, OnProgress
from services.detector.profiles.profile import Profile

MAX_PUBLISHED = 20_000
"""Maximum number of anomalies and revisions of a day; they would take some 50 MB."""

_SIDES = {number: side for side, number in SIDE_CODES.items()}


def find_anomalies(
    day: IndexedDay, profile: Profile, symbol: str, on_progress: OnProgress
) -> list[Published]:
    """Return every revision of a day's anomalies, in order.

    They have the fields that alerts depend on, under ids that are only places of trades.

    Parameters
    ----------
    day
        The symbol's trades.
    profile
        What counts as unusual.
    symbol
        The symbol.
    on_progress
        Called after each piece of trades.

    Raises
    ------
    TapewatchError
        There are more than `MAX_PUBLISHED`.
    """
    engine = Engine(profile)
    now = dt.datetime.now(dt.UTC)
    found: list[Published] = []
    trades = len(day.columns)
    for start in range(0, trades, PIECE_TRADES):
        piece = day.columns[start : start + PIECE_TRADES]
        prints = Prints(_trade_id_from(start), _trade_json_from(start, day, symbol))
        for at, anomaly, origin in engine.detect_columns(piece, prints):
            found.append(Published(anomaly_json(origin, anomaly, now), int(piece.event_ns[at])))
        if len(found) > MAX_PUBLISHED:
            raise TapewatchError(
                f"These thresholds flag more than {MAX_PUBLISHED:,} trades, or grow them so often.",
                "Choose higher ones.",
            )
        on_progress(start + len(piece), trades)
    return found


def _trade_id_from(start: int) -> Callable[[int], str]:
    return lambda at: str(start + at)


def _trade_json_from(start: int, day: IndexedDay, symbol: str) -> Callable[[int], bytes]:
    def trade_json(at: int) -> bytes:
        place = start + at
        columns = day.columns
        source, venue = day.origins[int(day.origin[place])]
        fields: dict[str, Any] = {
            "@timestamp": f"{np.datetime64(int(columns.event_ns[place]), 'ns')}Z",
            "trade_id": str(place),
            "symbol": symbol,
            "price": float(columns.price[place]),
            "size": float(columns.size[place]),
            "side": _SIDES[int(columns.side[place])],
            "source": source,
            "venue": venue,
        }
        return orjson.dumps({name: value for name, value in fields.items() if value is not None})

    return trade_json
