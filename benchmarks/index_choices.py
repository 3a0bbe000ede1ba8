"""The choices of `infra/elasticsearch/` against their alternatives: `python -m benchmarks.index_choices`.

Each variant changes one thing about the index that `tapewatch setup` gives to a day of trades. A turn indexes
the day into every variant, one after the other, and the next turn does so in the opposite order; then every
query is run on all variants in turns. Figures are medians. Beside trades a second the table has the processor
time that Elasticsearch itself took for a trade, which depends much less on the machine's other load. Disk
space is that of one segment, so that it does not depend on when merges happened.
"""

import argparse
import copy
import os
import signal
import statistics
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson
from rich import box
from rich.console import Console
from rich.table import Table

from benchmarks.surroundings import generated_day, note, real_day
from infra.embedded.ports import free_port
from infra.embedded.stack import EmbeddedStack, StackConfig
from infra.setup.templates import set_up_templates
from services.common.elastic.client import Elasticsearch, new_client
from services.sources.files import open_source
from services.sources.synthetic.day import DayConfig

TURNS = 3
WARM_UPS = 3
"""Days indexed before anything counts."""
QUERY_ROUNDS = 15
BULK_DOCUMENTS = 5_000
CONNECTIONS = 4
CHOSEN = "as chosen"
WIDTH_OF_A_FILE = 400
MANY_SYMBOLS = DayConfig(trades=200_000, symbols=50)
HEADERS = {"content-type": "application/x-ndjson", "accept": "application/json"}

_UNSORTED = ("ts_recv", "publisher_id", "instrument_id", "action", "depth", "flags", "ts_in_delta", "rtype")
_UNSEARCHED = (*_UNSORTED, "sequence")

Change = Callable[[dict[str, Any], dict[str, Any]], None]
"""Changes the settings of an index, and the properties of its mapping."""


@dataclass
class Variant:
    """One way to store a day, and its measurements."""

    name: str
    change: Change
    rates: list[float] = field(default_factory=list)
    """Trades a second, by turn."""
    cpu_us: list[float] = field(default_factory=list)
    """Elasticsearch's processor time for a trade, by turn."""
    bytes_a_trade: float = 0.0
    query_ms: dict[str, list[float]] = field(default_factory=dict)
    """Milliseconds by query, one number for each round."""

    @property
    def index(self) -> str:
        """Name of its index."""
        return f"choice-{self.name.lower().replace(' ', '-').replace(',', '')}"


@dataclass(frozen=True)
class Day:
    """A day of trades, ready to be sent."""

    title: str
    bodies: list[bytes]
    """Bodies of bulk requests."""
    trades: int
    symbol: str
    """The symbol with the most trades."""
    trade_id: str
    """Id of the trade in the middle of the day."""
    start: str
    """Start of an hour in the middle of the day."""
    end: str


def variants() -> list[Variant]:
    """Return the chosen settings, and their alternatives."""

    def sort(*fields: str) -> Change:
        return lambda settings, _: settings.update(
            {"sort.field": list(fields), "sort.order": ["asc"] * len(fields)}
        )

    def settings(**values: object) -> Change:
        return lambda chosen, _: chosen.update({name.replace("__", "."): v for name, v in values.items()})

    def fields(names: tuple[str, ...], **values: object) -> Change:
        def change(_: dict[str, Any], properties: dict[str, Any]) -> None:
            for name in names:
                properties[name] |= values

        return change

    return [
        Variant(CHOSEN, lambda _settings, _properties: None),
        Variant("ordered by time", sort("@timestamp")),
        Variant("ordered by symbol, time", sort("symbol", "@timestamp")),
        Variant("every field indexed", fields(_UNSEARCHED, index=True)),
        Variant("unsearched fields in _source only", fields(_UNSORTED, doc_values=False)),
        Variant("trade_id not indexed", fields(("trade_id",), index=False)),
        Variant("DEFLATE", settings(codec="legacy_best_compression")),
        Variant("2 shards", settings(number_of_shards=2)),
        Variant("refreshed every 5 s", settings(refresh_interval="5s")),
    ]


def main() -> int:
    """Measure and print a table for each day; see `--help`."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.index_choices", description=__doc__)
    parser.add_argument("--turns", type=int, default=TURNS, metavar="N", help="how often each day is indexed")
    turns = parser.parse_args().turns
    # A SIGTERM ends the servers in order, as Ctrl-C does.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    console = Console(highlight=False, width=None if sys.stdout.isatty() else WIDTH_OF_A_FILE)
    console.print(f"{os.cpu_count()} cores, Python {sys.version.split()[0]}\n")
    real = real_day()
    paths = {"a real day, one symbol": real} if real else {}
    paths[f"a generated day, {MANY_SYMBOLS.symbols} symbols"] = generated_day(MANY_SYMBOLS)
    with _running_elasticsearch() as client:
        for title, path in paths.items():
            day = _read(title, path)
            _print(console, day, _measure(client, day, turns))
    return 0


@contextmanager
def _running_elasticsearch() -> Iterator[Elasticsearch]:
    """Run the embedded Elasticsearch with Tapewatch's templates, and nothing else beside it."""
    config = StackConfig(kafka_port=free_port(), elasticsearch_port=free_port())
    with EmbeddedStack(config, report=note) as stack:
        stack.kafka.stop()  # it would only take processor time from what is measured
        with new_client(stack.elasticsearch_url, CONNECTIONS) as client:
            set_up_templates(client)
            yield client


def _read(title: str, path: Path) -> Day:
    """Read a day into bulk bodies, as the producer and the indexer would make them."""
    names: list[str] = []
    values: list[bytes] = []
    symbols: Counter[str] = Counter()
    source = open_source(path)
    for chunk in source.chunks():
        names += chunk.trades["trade_id"].to_list()
        values += source.to_json(chunk.trades)
        symbols.update(chunk.trades["symbol"].to_list())
    bodies = []
    for start in range(0, len(values), BULK_DOCUMENTS):
        batch = slice(start, start + BULK_DOCUMENTS)
        lines = [
            b'{"index":{"_id":"%s"}}\n%s\n' % (name.encode(), value)
            for name, value in zip(names[batch], values[batch], strict=True)
        ]
        bodies.append(b"".join(lines))
    middle = len(values) // 2
    hour = orjson.loads(values[middle])["@timestamp"][:13]
    ((symbol, _),) = symbols.most_common(1)
    span = (f"{hour}:00:00Z", f"{hour}:59:59.999999999Z")
    return Day(title, bodies, len(values), symbol, names[middle], *span)


def _measure(client: Elasticsearch, day: Day, turns: int) -> list[Variant]:
    """Index the day into all variants in turns, then run the queries on each, in turns too."""
    chosen = client.indices.simulate_index_template(name="trades-2000.01.01")["template"]
    compared = [
        variant
        for variant in variants()
        if variant.name == CHOSEN or _composed(chosen, variant) != _composed(chosen, variants()[0])
    ]
    for _ in range(WARM_UPS):
        _index(client, day, compared[0], chosen)
    for turn in range(turns):
        note(f"{day.title}: turn {turn + 1} of {turns}, {len(compared)} variants")
        for variant in compared if turn % 2 == 0 else reversed(compared):
            rate, cpu_us = _index(client, day, variant, chosen)
            variant.rates.append(rate)
            variant.cpu_us.append(cpu_us)
    for variant in compared:
        client.indices.forcemerge(index=variant.index, max_num_segments=1)
        client.indices.flush(index=variant.index)
        stats = client.indices.stats(index=variant.index, metric="store")
        variant.bytes_a_trade = stats["_all"]["primaries"]["store"]["size_in_bytes"] / day.trades
    for number in range(QUERY_ROUNDS + 1):
        for variant in compared:
            for name, query in _queries(day).items():
                began_s = time.perf_counter()
                client.search(index=variant.index, request_cache=False, **query)
                if number:  # the first round warms up
                    took_ms = (time.perf_counter() - began_s) * 1000
                    variant.query_ms.setdefault(name, []).append(took_ms)
    for variant in compared:
        client.indices.delete(index=variant.index)
    return compared


def _flat(settings: dict[str, Any], parent: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in settings.items():
        flat |= _flat(value, f"{parent}{key}.") if isinstance(value, dict) else {f"{parent}{key}": value}
    return flat


def _composed(chosen: dict[str, Any], variant: Variant) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return a variant's settings, by full name, and its mapping."""
    settings = _flat(chosen["settings"]["index"])
    mappings = copy.deepcopy(chosen["mappings"])
    variant.change(settings, mappings["properties"])
    return settings, mappings


def _index(client: Elasticsearch, day: Day, variant: Variant, chosen: dict[str, Any]) -> tuple[float, float]:
    """Index the day into a new index, until everything is acknowledged and searchable.

    Returns
    -------
    tuple
        Trades a second, and microseconds of Elasticsearch's processor time for a trade.
    """
    settings, mappings = _composed(chosen, variant)
    client.options(ignore_status=404).indices.delete(index=variant.index)
    client.indices.create(index=variant.index, settings=settings, mappings=mappings)

    def send(body: bytes) -> None:
        answer = client.perform_request(
            "POST",
            f"/{variant.index}/_bulk",
            params={"filter_path": "errors"},
            headers=HEADERS,
            body=body,
        )
        if answer.body["errors"]:
            raise RuntimeError(f"{variant.name}: Elasticsearch rejected documents")

    began_s, began_cpu_ms = time.perf_counter(), _cpu_ms(client)
    with ThreadPoolExecutor(CONNECTIONS) as threads:
        list(threads.map(send, day.bodies))
    client.indices.refresh(index=variant.index)
    rate = day.trades / (time.perf_counter() - began_s)
    return rate, (_cpu_ms(client) - began_cpu_ms) * 1000 / day.trades


def _cpu_ms(client: Elasticsearch) -> int:
    (node,) = client.nodes.stats(metric="process")["nodes"].values()
    return int(node["process"]["cpu"]["total_in_millis"])


def _queries(day: Day) -> dict[str, dict[str, Any]]:
    """Return the most frequent queries of the dashboard and Kibana."""
    of_symbol = {"term": {"symbol": day.symbol}}
    within_hour = {"range": {"@timestamp": {"gte": day.start, "lte": day.end}}}
    newest = [{"@timestamp": "desc"}, {"sequence": "desc"}]
    prices = {
        "low": {"min": {"field": "price"}},
        "high": {"max": {"field": "price"}},
        "sides": {"terms": {"field": "side"}, "aggs": {"shares": {"sum": {"field": "size"}}}},
        "last": {
            "top_hits": {"size": 1, "_source": False, "docvalue_fields": ["price"], "sort": newest},
        },
    }

    def over_time(filters: list[dict[str, Any]], interval: str) -> dict[str, Any]:
        histogram = {"field": "@timestamp", "fixed_interval": interval, "min_doc_count": 1}
        return {
            "query": {"bool": {"filter": filters}},
            "aggs": {"time": {"date_histogram": histogram, "aggs": prices}},
            "size": 0,
        }

    return {
        "prices of a symbol, 1 h": over_time([of_symbol, within_hour], "10s"),
        "prices of a symbol, day": over_time([of_symbol], "2m"),
        "trades by symbol": {"aggs": {"symbols": {"terms": {"field": "symbol", "size": 1000}}}, "size": 0},
        "newest 100 of all": {"sort": newest, "size": 100, "track_total_hits": False},
        "newest 100 of a symbol": {
            "query": of_symbol,
            "sort": newest,
            "size": 100,
            "track_total_hits": False,
        },
        "one trade_id": {"query": {"term": {"trade_id": day.trade_id}}},
        "size above 20,000": {"query": {"range": {"size": {"gt": 20_000}}}},
    }


def _print(console: Console, day: Day, measured: list[Variant]) -> None:
    """Print the table: for people on a terminal, Markdown elsewhere, as the page has it."""
    table = Table(box=box.ROUNDED if sys.stdout.isatty() else box.MARKDOWN)
    table.add_column(f"{day.title} ({day.trades:,} trades)")
    queries = [f"{name}, ms" for name in measured[0].query_ms]
    for title in ("bytes a trade", "CPU µs a trade", "trades/s", *queries):
        table.add_column(title, justify="right")
    for variant in measured:
        table.add_row(
            variant.name,
            f"{variant.bytes_a_trade:.1f}",
            f"{statistics.median(variant.cpu_us):.1f}",
            f"{statistics.median(variant.rates):,.0f}",
            *(f"{statistics.median(times):.1f}" for times in variant.query_ms.values()),
        )
    console.print(table)
    console.print()


if __name__ == "__main__":
    sys.exit(main())
