"""A symbol's day of trades, read from Elasticsearch in the order in which the detector saw them."""

import datetime as dt
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from services.common.elastic.client import Elasticsearch
from services.common.elastic.errors import explain_errors
from services.common.elastic.paging import TAPE_ORDER, read_values
from services.common.errors import TapewatchError
from services.contracts.indices import TRADES_INDICES
from services.contracts.trade import Trade
from services.detector.engine.columns import TradeColumns, to_columns

__all__ = [
    "MAX_TRADES",
    "IndexedDay",
    "OnProgress",
    "TradeColumns",
    "count_trades",
    "read_pieces",
    "read_trades",
]

MAX_TRADES = 2_000_000
"""Maximum number of trades of a day; more would take minutes and over 100 MB."""

READ_TIMEOUT_S = 60.0
"""Timeout for a page of trades; longer than for other queries, because this one sorts."""

ELIGIBILITY = ("price_eligible", "anchor_eligible", "volume_eligible")
"""Fields of a trade that are true where they are absent."""

OnProgress = Callable[[int, int], None]
"""Called with the number of trades done and their total number."""

Origin = tuple[str | None, str | None]
"""`source` and `venue` of a trade."""


@dataclass(frozen=True)
class IndexedDay:
    """A symbol's trades of a day; n of them.

    Parameters
    ----------
    columns
        As the engine takes them; each `identity` is that of the trade's place, `0`, `1`, ….
    origin
        Where each is from, as a place in `origins`, int32, shape (n,).
    origins
        Different pairs of `source` and `venue`.
    """

    columns: TradeColumns
    origin: np.ndarray
    origins: list[Origin]


def count_trades(
    client: Elasticsearch, symbol: str, start: dt.datetime, end: dt.datetime, most: int = MAX_TRADES
) -> int:
    """Count the trades that `read_trades` would read.

    Raises
    ------
    TapewatchError
        If Elasticsearch does not answer, or the day has no trades or more than `most`.
    """
    with explain_errors(client):
        answer = client.count(index=TRADES_INDICES, query=_query(symbol, start, end), ignore_unavailable=True)
    trades = int(answer["count"])
    if trades == 0:
        raise TapewatchError(f"No trade of {symbol} is indexed on this day.", "Choose another day or symbol.")
    if trades > most:
        raise TapewatchError(
            f"{symbol} has {trades:,} trades on this day; this page reads at most {most:,}.",
            "Choose another day or symbol, or run `tapewatch backtest` and `tapewatch tune` on files.",
        )
    return trades


def read_trades(
    client: Elasticsearch,
    symbol: str,
    start: dt.datetime,
    end: dt.datetime,
    trades: int,
    time_zone: str,
    on_progress: OnProgress,
) -> IndexedDay:
    """Read a symbol's trades in the order in which the detector saw them, like `IndexRange`.

    Parameters
    ----------
    client
        Client of the cluster.
    symbol, start, end
        Symbol and time range of the trades; the end is exclusive.
    trades
        Maximum number of trades to read, from `count_trades`.
    time_zone
        The exchange's time zone.
    on_progress
        Called after each page.

    Raises
    ------
    TapewatchError
        If Elasticsearch does not answer or rejects the request, or the trades were deleted meanwhile.
    """
    pieces: list[TradeColumns] = []
    origin: list[int] = []
    origins: dict[Origin, int] = {}
    done = 0
    for piece, places in read_pieces(client, symbol, start, end, trades, time_zone):
        origin += [origins.setdefault(place, len(origins)) for place in places]
        pieces.append(piece)
        done += len(piece)
        on_progress(done, trades)
    if not pieces:
        raise TapewatchError(f"The trades of {symbol} on this day have been deleted.", "Choose another day.")
    arrays = [field.name for field in fields(TradeColumns) if field.name != "symbol"]
    columns = TradeColumns(
        symbol=[symbol] * done,
        **{name: np.concatenate([getattr(piece, name) for piece in pieces]) for name in arrays},
    )
    return IndexedDay(columns, np.array(origin, np.int32), list(origins))


def read_pieces(
    client: Elasticsearch,
    symbol: str,
    start: dt.datetime,
    end: dt.datetime,
    trades: int,
    time_zone: str,
    first: int = 0,
) -> Iterator[tuple[TradeColumns, list[Origin]]]:
    """Read the same trades page by page, each with its `source` and `venue`.

    Parameters
    ----------
    client, symbol, start, end, trades, time_zone
        As in `read_trades`.
    first
        The number of the first trade, which is its `identity`.

    Raises
    ------
    TapewatchError
        If Elasticsearch does not answer or rejects the request.
    """
    pages = read_values(
        client.options(request_timeout=READ_TIMEOUT_S),
        TRADES_INDICES,
        _query(symbol, start, end),
        TAPE_ORDER,
        (
            {"price": "asc"},
            {"size": {"order": "asc", "numeric_type": "double"}},
            {"side": "asc"},
            {"publisher_id": {"order": "asc", "unmapped_type": "long", "missing": 0}},
            {"venue": {"order": "asc", "unmapped_type": "keyword"}},
            *({name: {"order": "asc", "unmapped_type": "boolean", "missing": 1}} for name in ELIGIBILITY),
            {"kind": {"order": "asc", "unmapped_type": "keyword"}},
            {"source": {"order": "asc", "unmapped_type": "keyword"}},
        ),
        trades,
    )
    for page in pages:
        found = [
            Trade(
                time,
                trade_id=str(number),  # each document is one trade
                symbol=symbol,
                price=price,
                size=size,
                side=side,
                sequence=sequence or 0,
                publisher_id=publisher or 0,
                venue=venue,
                kind=kind or "trade",
                price_eligible=bool(eligible[0]),
                anchor_eligible=bool(eligible[1]),
                volume_eligible=bool(eligible[2]),
            )
            for number, (
                time,
                sequence,
                price,
                size,
                side,
                publisher,
                venue,
                *eligible,
                kind,
                _,
            ) in enumerate(page, first)
        ]
        first += len(page)
        yield to_columns(found, time_zone), [(row[-1], row[6]) for row in page]


def _query(symbol: str, start: dt.datetime, end: dt.datetime) -> dict[str, Any]:
    times = {"gte": start.isoformat(), "lt": end.isoformat()}
    return {"bool": {"filter": [{"term": {"symbol": symbol}}, {"range": {"@timestamp": times}}]}}
