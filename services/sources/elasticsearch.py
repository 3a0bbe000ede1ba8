"""Trades that are indexed already, read again in the order in which the detector saw them."""

import datetime as dt
from collections.abc import Iterator

import orjson
from elasticsearch import ApiError, Elasticsearch, TransportError

from services.common.errors import TapewatchError
from services.contracts.indices import TRADES_INDEX_PREFIX
from services.detector.offline.backtest.run import Piece, decode_piece

PAGE_DOCUMENTS = 10_000
KEEP_ALIVE = "2m"


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
        try:
            self.size: int = client.count(index=f"{TRADES_INDEX_PREFIX}*", query=self._query)["count"]
        except (ApiError, TransportError) as error:
            raise TapewatchError(
                f"Elasticsearch does not tell its trades: {error}.", "Run `tapewatch doctor`."
            ) from error
        if self.size == 0:
            raise TapewatchError(
                f"No trade is indexed for {self.name}.", "Widen the range, or index those trades first."
            )

    def pieces(self, time_zone: str) -> Iterator[Piece]:
        """See `backtest.Input`."""
        point = self._client.open_point_in_time(index=f"{TRADES_INDEX_PREFIX}*", keep_alive=KEEP_ALIVE)["id"]
        after: list[object] | None = None
        read = 0
        try:
            while read < self.size:
                hits = self._client.search(
                    pit={"id": point, "keep_alive": KEEP_ALIVE},
                    query=self._query,
                    # Nanoseconds as text: as numbers of JavaScript's kind they would lose digits.
                    sort=[
                        {"@timestamp": {"order": "asc", "format": "strict_date_optional_time_nanos"}},
                        {"sequence": {"order": "asc", "missing": 0, "unmapped_type": "long"}},
                        {"_shard_doc": "asc"},
                    ],
                    search_after=after,
                    size=PAGE_DOCUMENTS,
                    track_total_hits=False,
                )["hits"]["hits"]
                if not hits:
                    return
                after = hits[-1]["sort"]
                read += len(hits)
                yield decode_piece([orjson.dumps(hit["_source"]) for hit in hits], 0, read, time_zone)
        finally:
            self._client.close_point_in_time(id=point)
