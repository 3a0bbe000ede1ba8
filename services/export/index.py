"""Which trades are indexed, by day and symbol, and their documents."""

import datetime as dt
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from services.common.elastic.client import Elasticsearch
from services.common.elastic.errors import explain_errors
from services.common.elastic.paging import TAPE_ORDER, read_pages
from services.contracts.indices import TRADES_INDEX_PREFIX, TRADES_INDICES

PAGE_DOCUMENTS = 10_000
PAGE_SYMBOLS = 1_000
ANY_NUMBER = 1 << 62


@dataclass(frozen=True)
class Range:
    """What to export.

    Parameters
    ----------
    start, end
        Days (UTC), the end not included; None for no limit.
    symbols
        Only these; none for all.
    """

    start: dt.date | None
    end: dt.date | None
    symbols: tuple[str, ...] = ()

    @property
    def flags(self) -> str:
        """The command's flags that choose it."""
        symbols = ("--symbols", ",".join(self.symbols)) if self.symbols else ()
        given = [(flag, day) for flag, day in (("--from", self.start), ("--to", self.end)) if day]
        return shlex.join([*(str(part) for pair in given for part in pair), *symbols])

    @property
    def period(self) -> str:
        """Its days for a sentence, with a space before them; nothing where they have no limit."""
        start, end = (f" from {self.start}" if self.start else "", f" before {self.end}" if self.end else "")
        return start + end

    def query(self, day: dt.date | None = None, symbol: str | None = None) -> dict[str, Any]:
        """Return the query for it, or for one of its days or symbols."""
        start, end = (self.start, self.end) if day is None else (day, day + dt.timedelta(days=1))
        times = {name: f"{date}T00:00:00Z" for name, date in (("gte", start), ("lt", end)) if date}
        symbols = self.symbols if symbol is None else (symbol,)
        filters: list[dict[str, Any]] = [{"range": {"@timestamp": times}}] if times else []
        if symbols:
            filters.append({"terms": {"symbol": list(symbols)}})
        return {"bool": {"filter": filters}}


@dataclass(frozen=True)
class State:
    """What tells whether a symbol's day has changed in the index.

    Parameters
    ----------
    trades
        How many documents it has.
    changes
        The sum of their sequence numbers, which every change of one raises.
    """

    trades: int
    changes: int


def indexed_days(client: Elasticsearch, wanted: Range) -> dict[dt.date, int]:
    """Return the number of indexed trades of each day that has any, the earliest first.

    Raises
    ------
    TapewatchError
        Elasticsearch does not answer, or rejects the request.
    """
    days = {"date_histogram": {"field": "@timestamp", "calendar_interval": "day", "min_doc_count": 1}}
    with explain_errors(client):
        answer = client.search(
            index=TRADES_INDICES,
            query=wanted.query(),
            aggs={"days": days},
            size=0,
            track_total_hits=False,
            allow_partial_search_results=False,
        )
    buckets = answer.get("aggregations", {}).get("days", {}).get("buckets", [])
    epoch = dt.date(1970, 1, 1)
    return {epoch + dt.timedelta(milliseconds=bucket["key"]): int(bucket["doc_count"]) for bucket in buckets}


def indexed_symbols(client: Elasticsearch, wanted: Range, day: dt.date) -> Iterator[tuple[str, State]]:
    """Yield a day's symbols in the order of their bytes, with what they have in the index.

    Raises
    ------
    TapewatchError
        Elasticsearch does not answer, or rejects the request.
    """
    composite: dict[str, Any] = {
        "size": PAGE_SYMBOLS,
        "sources": [{"symbol": {"terms": {"field": "symbol"}}}],
    }
    while True:
        with explain_errors(client):
            answer = client.search(
                index=_index(day),
                query=wanted.query(day),
                aggs={
                    "symbols": {"composite": composite, "aggs": {"changes": {"sum": {"field": "_seq_no"}}}}
                },
                size=0,
                track_total_hits=False,
                allow_partial_search_results=False,
            )
        if "aggregations" not in answer:
            return  # retention has deleted the day meanwhile
        found = answer["aggregations"]["symbols"]
        for bucket in found["buckets"]:
            state = State(int(bucket["doc_count"]), int(bucket["changes"]["value"]))
            yield bucket["key"]["symbol"], state
        if "after_key" not in found:
            return
        composite = composite | {"after": found["after_key"]}


def missing_symbols(client: Elasticsearch, wanted: Range) -> list[str]:
    """Return those of the symbols that have no trade in the range.

    Raises
    ------
    TapewatchError
        Elasticsearch does not answer, or rejects the request.
    """
    by_symbol = {"terms": {"field": "symbol", "size": max(len(wanted.symbols), 1)}}
    with explain_errors(client):
        answer = client.search(
            index=TRADES_INDICES, query=wanted.query(), aggs={"symbols": by_symbol}, size=0
        )
    found = {bucket["key"] for bucket in answer["aggregations"]["symbols"]["buckets"]}
    return [symbol for symbol in wanted.symbols if symbol not in found]


def documents(
    client: Elasticsearch, wanted: Range, day: dt.date, symbol: str
) -> Iterator[Sequence[tuple[bytes, int]]]:
    """Yield the trades of a symbol's day in pages, in the order of the tape, as they are at one moment.

    Parameters
    ----------
    client
        One that leaves documents as they are: `RawDocuments`.
    wanted, day, symbol
        Which trades.

    Returns
    -------
    iterator of sequences
        Each trade's JSON and its sequence number in the index.

    Raises
    ------
    TapewatchError
        Elasticsearch does not answer, or rejects the request.
    """
    query = wanted.query(day, symbol)
    pages = read_pages(client, _index(day), query, TAPE_ORDER, ANY_NUMBER, PAGE_DOCUMENTS, with_seq_no=True)
    for hits in pages:
        yield [(bytes(hit["_source"]), hit["_seq_no"]) for hit in hits]


def _index(day: dt.date) -> str:
    """Return the pattern of a day's index: another one that is just being made cannot be searched yet."""
    return f"{TRADES_INDEX_PREFIX}{day:%Y.%m.%d}*"
