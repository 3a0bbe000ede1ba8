"""Trades that are indexed already, read again in the order in which the detector saw them."""

import datetime as dt
from collections.abc import Iterator

import orjson

from services.common.elastic.client import Elasticsearch
from services.common.elastic.errors import explain_errors
from services.common.elastic.paging import TAPE_ORDER, read_pages
from services.common.errors import TapewatchError
from services.contracts.indices import TRADES_INDEX_PREFIX
from services.detector.offline.backtest.run import Piece, decode_piece

PAGE_DOCUMENTS = 10_000
INDICES = f"{TRADES_INDEX_PREFIX}*"


class IndexRange:
    """A range of the indexed trades, read at one point in time, whatever is indexed meanwhile.

    Parameters
    ----------
    client
        Of the cluster.
    start, end
        Event times, UTC; the end is not included.
    symbol
        One symbol, or None for all.

    Raises
    ------
    TapewatchError
        Elasticsearch does not answer, or has no trades there.
    """

    def __init__(
        self, client: Elasticsearch, start: dt.datetime, end: dt.datetime, symbol: str | None
    ) -> None:
        self._client = client
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
                f"No trade is indexed for {self.name}.", "Widen the range, or index those trades first."
            )

    def pieces(self, time_zone: str) -> Iterator[Piece]:
        """See `backtest.Input`."""
        pages = read_pages(self._client, INDICES, self._query, TAPE_ORDER, self.size, PAGE_DOCUMENTS)
        read = 0
        for hits in pages:
            read += len(hits)
            yield decode_piece([orjson.dumps(hit["_source"]) for hit in hits], 0, read, time_zone)
