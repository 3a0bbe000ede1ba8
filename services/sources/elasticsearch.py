"""Trades that are already indexed, read again in the order in which the detector saw them."""

import datetime as dt
import hashlib
from collections.abc import Iterator
from decimal import Decimal, localcontext

import orjson
import polars as pl

from services.common.elastic.client import Elasticsearch
from services.common.elastic.errors import explain_errors
from services.common.elastic.paging import TAPE_ORDER, Sort, read_pages
from services.common.errors import TapewatchError
from services.contracts.indices import TRADES_INDEX_PREFIX
from services.contracts.trade import NotATradeError, Trade, decode_trade
from services.sources.base import Chunk, Cursor, RejectedRow, Source
from services.sources.columns import COLUMNS, PRICE_SCALE
from services.sources.encode import Encoding

PAGE_DOCUMENTS = 10_000
INDICES = f"{TRADES_INDEX_PREFIX}*"
MOST_PRICE = 9e9
"""As units of 1e-9 it is still an integer of 64 bits."""
_DIGITS, _DECIMALS = 38, 18
"""Of sizes with decimals."""


class IndexRange(Source):
    """A range of the indexed trades, read at one point in time, whatever is indexed meanwhile.

    Parameters
    ----------
    client
        Client of the cluster.
    start, end
        Event times, UTC; the end is not included.
    symbol
        One symbol, or None for all.
    order
        What they are sorted by.

    Raises
    ------
    TapewatchError
        Elasticsearch does not answer, or has no trades there.
    """

    encoding = Encoding("elasticsearch")

    def __init__(
        self,
        client: Elasticsearch,
        start: dt.datetime,
        end: dt.datetime,
        symbol: str | None,
        order: Sort = TAPE_ORDER,
    ) -> None:
        self._client = client
        self._order = order
        times = {"gte": f"{start:%Y-%m-%dT%H:%M:%S}Z", "lt": f"{end:%Y-%m-%dT%H:%M:%S}Z"}
        filters: list[dict[str, object]] = [{"range": {"@timestamp": times}}]
        if symbol is not None:
            filters.append({"term": {"symbol": symbol}})
        self._query = {"bool": {"filter": filters}}
        self.name = f"{symbol or 'all symbols'} from {times['gte']} to {times['lt']}"
        with explain_errors(client):
            self.size: int = client.count(index=INDICES, query=self._query)["count"]
        if self.size == 0:
            raise TapewatchError(
                f"No indexed trades for {self.name}.", "Widen the range, or index those trades first."
            )

    def count_with(self, field: str) -> int:
        """Return how many of them have a field.

        Raises
        ------
        TapewatchError
            Elasticsearch does not answer, or rejects the request.
        """
        query = {"bool": {"filter": [self._query, {"exists": {"field": field}}]}}
        with explain_errors(self._client):
            return int(self._client.count(index=INDICES, query=query)["count"])

    @property
    def identity(self) -> str:
        """See `Source.identity`: the range."""
        return hashlib.sha256(self.name.encode()).hexdigest()

    def chunks(self, after: Cursor | None = None) -> Iterator[Chunk]:
        """See `Source.chunks`; the frames have the documents themselves in the column `document`.

        The cursor is the number of documents read, which is of use only while nothing is indexed.
        """
        read = 0
        for hits in read_pages(self._client, INDICES, self._query, self._order, self.size, PAGE_DOCUMENTS):
            first_line = read + 1
            read += len(hits)
            if not isinstance(after, int) or read > after:
                trades, rejected = _decoded([orjson.dumps(hit["_source"]) for hit in hits], first_line)
                yield Chunk(trades, rejected, read, read)

    def to_json(self, trades: pl.DataFrame) -> list[bytes]:
        """Return the documents, which have all that the trades' messages had."""
        return trades["document"].to_list()


def _decoded(documents: list[bytes], first_line: int) -> tuple[pl.DataFrame, list[RejectedRow]]:
    """Convert documents; what the live detector would reject is rejected here, too."""
    kept: list[tuple[int, bytes, Trade]] = []
    rejected = []
    for line, document in enumerate(documents, first_line):
        try:
            trade = decode_trade(document)
            if abs(trade.price) > MOST_PRICE:
                raise NotATradeError(f"the price is out of range ({trade.price})")
        except NotATradeError as error:
            rejected.append(RejectedRow(line, document, str(error)))
        else:
            kept.append((line, document, trade))
    trades = [trade for _, _, trade in kept]
    times = pl.Series([trade.timestamp for trade in trades], dtype=pl.String)
    frame = pl.DataFrame(
        {
            "line": [line for line, _, _ in kept],
            "ts_event": times.str.to_datetime("%Y-%m-%dT%H:%M:%S%.fZ", time_unit="ns").cast(pl.Int64),
            "trade_id": [trade.trade_id for trade in trades],
            "symbol": [trade.symbol for trade in trades],
            "price": [round(trade.price * PRICE_SCALE) for trade in trades],
            "size": _sizes(trades),
            "side": [trade.side for trade in trades],
            "sequence": [trade.sequence for trade in trades],
            "document": [document for _, document, _ in kept],
        },
        schema_overrides={name: kind for name, kind in COLUMNS.items() if name != "size"},
    )
    return frame, rejected


def _sizes(trades: list[Trade]) -> pl.Series:
    """Return the sizes as integers where all are whole, else as decimals."""
    if all(trade.size == int(trade.size) for trade in trades):
        return pl.Series([int(trade.size) for trade in trades], dtype=pl.Int64)
    with localcontext(prec=_DIGITS):
        sizes = [Decimal(repr(trade.size)).quantize(Decimal(1).scaleb(-_DECIMALS)) for trade in trades]
    return pl.Series(sizes, dtype=pl.Decimal(_DIGITS, _DECIMALS))
