"""A running stream of synthetic trades, as if from a market that is open now, with labelled anomalies.

The stream is generated in stretches, each as a day is (`trades.py`, `anomalies.py`), but at an even pace,
since it runs at any hour; each begins at the prices at which the one before ended. A stretch is generated
ahead, in a thread, while its predecessor runs. A trade is handed over when the clock has reached its time of
receipt.

Whatever was interrupted is not taken up again: after a restart a new stretch begins at the present, at the
last published prices. So there is no trade of the time in which the stream did not run, and none is double.
"""

import datetime as dt
import hashlib
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np
import polars as pl

from services.sources.base import Chunk, Cursor, Source
from services.sources.databento.schema import ENCODING
from services.sources.encode import Encoding
from services.sources.synthetic.anomalies import inject_anomalies, plan_anomalies
from services.sources.synthetic.day import merged_frames
from services.sources.synthetic.label_file import LabelFile
from services.sources.synthetic.trades import (
    NEW_YORK,
    NS_PER_S,
    Bools,
    Ints,
    even_pace,
    generate_stretch,
    symbol_name,
)

STRETCH_MINUTES = 60
"""Long enough for the kind `stale`, whose prices are up to half an hour old."""

STRETCH_TRADES = 300_000
"""A fast stream has shorter stretches, so that one is in memory and soon generated."""

FIRST_MINUTES = 1
"""The first stretch is short, so that the stream begins at once."""

TICK_S = 0.1
MOST_CHUNK_TRADES = 10_000
_NUMBER_NS = 1_000
"""Trades are numbered by the microsecond, so that numbers rise over restarts and midnights as well."""


@dataclass(frozen=True)
class StreamConfig:
    """Options of a stream.

    Parameters
    ----------
    seed
        At least 0.
    per_s
        Trades a second on average, above 0.
    symbols
        Number of symbols, at least 1.
    anomaly_rate
        Anomalies per trade, 0 to 0.2; a burst counts as one anomaly.
    """

    seed: int = 7
    per_s: float = 20.0
    symbols: int = 5
    anomaly_rate: float = 0.0005

    @property
    def stretch_minutes(self) -> int:
        """Length of a stretch."""
        return max(1, min(STRETCH_MINUTES, int(STRETCH_TRADES / (60 * self.per_s))))


class StreamCursor(msgspec.Struct, frozen=True):
    """How far a stream was published.

    Parameters
    ----------
    stretch
        Number of the stretch that is running.
    time_ns, sequence
        Those of the last trade.
    event
        Number of the last anomaly.
    prices
        The last price of each symbol that is no anomaly, in units of 1e-9 dollar.
    labels, labels_bytes
        The file of labels, and how long it is.
    """

    labels: str
    labels_bytes: int
    stretch: int = 0
    time_ns: int = 0
    sequence: int = 0
    event: int = 0
    prices: dict[str, int] = msgspec.field(default_factory=dict)


@dataclass(frozen=True)
class Stretch:
    """A generated stretch.

    Parameters
    ----------
    number
        From 1.
    end_ns
        Where the next one begins.
    trades
        Those of `generate_day` with `trade_id` and `line`, in the order of time.
    recv_ns
        Their times of receipt, shape (n,).
    is_injected
        Which are anomalies, shape (n,).
    labels
        Those of `generate_day`, a row for each anomalous trade, with `number`, that of the anomaly.
    """

    number: int
    end_ns: int
    trades: pl.DataFrame
    recv_ns: Ints
    is_injected: Bools
    labels: pl.DataFrame


class SyntheticStream(Source):
    """The stream; a Kafka has one at a time, since all share the symbols' names.

    Parameters
    ----------
    config
        Its options; they may be others after a restart.
    labels
        Gets the labels.
    now_ns
        The clock, ns since 1970.
    sleep
        Waits so many seconds.
    """

    name = "generated stream"
    encoding = Encoding("generated", ENCODING.fields, ENCODING.times)

    def __init__(
        self,
        config: StreamConfig,
        labels: LabelFile,
        now_ns: Callable[[], int] = time.time_ns,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        self._config = config
        self._labels = labels
        self._now_ns = now_ns
        self._sleep = sleep

    @property
    def identity(self) -> str:
        """See `Source`: always the same, so that a second stream takes over from the first one."""
        return hashlib.sha256(b"tapewatch: the generated stream").hexdigest()

    def chunks(self, after: Cursor | None = None) -> Iterator[Chunk]:
        """See `Source`; it never ends."""
        cursor = self._resumed(after)
        yield Chunk(pl.DataFrame({"symbol": []}), [], to_json_value(cursor))
        with ThreadPoolExecutor(1) as generating:
            begin_ns = max(self._now_ns(), cursor.time_ns + 1)
            ahead = generating.submit(self._generate, FIRST_MINUTES, begin_ns, cursor)
            while True:
                stretch = ahead.result()
                at_its_end = advanced(cursor, stretch, stretch.trades, stretch.labels)
                ahead = generating.submit(
                    self._generate, self._config.stretch_minutes, stretch.end_ns, at_its_end
                )
                for trades, labels in self._due(stretch):
                    if len(trades):
                        cursor = advanced(cursor, stretch, trades, labels)
                    if len(labels):
                        length = self._labels.append(labels.drop("number"))
                        cursor = msgspec.structs.replace(cursor, labels_bytes=length)
                    yield Chunk(trades, [], to_json_value(cursor))

    def _resumed(self, after: Cursor | None) -> StreamCursor:
        """Return where to begin, with the file of labels as it was then."""
        path = str(self._labels.path)
        if after is None:
            return StreamCursor(path, self._labels.begin(None))
        known = msgspec.convert(after, StreamCursor)
        length = self._labels.begin(known.labels_bytes if known.labels == path else None)
        return msgspec.structs.replace(known, labels=path, labels_bytes=length)

    def _due(self, stretch: Stretch) -> Iterator[tuple[pl.DataFrame, pl.DataFrame]]:
        """Yield what is due, with its labels, each tenth of a second, also nothing; ends with the stretch."""
        is_labelled = np.cumsum(stretch.is_injected)
        begin = 0
        while begin < len(stretch.trades):
            end = int(np.searchsorted(stretch.recv_ns, self._now_ns(), side="right"))
            end = max(begin, min(end, begin + MOST_CHUNK_TRADES))
            first, last = (int(is_labelled[at - 1]) if at else 0 for at in (begin, end))
            yield stretch.trades[begin:end], stretch.labels[first:last]
            if end < begin + MOST_CHUNK_TRADES:
                self._sleep(TICK_S)
            begin = end

    def _generate(self, minutes: int, start_ns: int, before: StreamCursor) -> Stretch:
        """Generate the stretch after another one, of which `before` is the end."""
        config = self._config
        number = before.stretch + 1
        pace = even_pace(start_ns, minutes)
        end_ns = start_ns + pace.minutes * 60 * NS_PER_S
        rows = round(config.per_s * 60 * pace.minutes)
        rng = np.random.default_rng([config.seed, number])
        plan = plan_anomalies(rng, rows, config.anomaly_rate)
        codes = {symbol_name(code): code for code in range(config.symbols)}
        start_nanos = {codes[name]: price for name, price in before.prices.items() if name in codes}
        normal = generate_stretch(
            pace, [config.seed, number], max(0, rows - plan.rows), config.symbols, start_nanos
        )
        day = dt.datetime.fromtimestamp(start_ns / 1e9, NEW_YORK).date()
        injected = inject_anomalies(rng, normal, plan, day)

        def numbers(ts_event_ns: Ints, starts_event: Bools) -> Ints:  # noqa: ARG001 - the time is enough
            return rising(ts_event_ns // _NUMBER_NS, before.sequence)

        trades, labels = merged_frames(rng, normal, injected, config.symbols, numbers)
        trades = trades.with_columns(
            trade_id=pl.format(
                "{}-{}-{}-{}",
                "publisher_id",
                "instrument_id",
                pl.from_epoch("ts_event", time_unit="ns").dt.strftime("%Y%m%d"),
                "sequence",
            ),
            line=pl.col("sequence"),
        ).with_columns(is_injected=pl.col("trade_id").is_in(labels["trade_id"].implode()))
        ordinal = labels["event_id"].str.extract(r"(\d+)$").cast(pl.Int64) + before.event
        labels = labels.with_columns(
            number=ordinal, event_id=pl.format("{}-{}", "kind", ordinal.cast(pl.String).str.zfill(4))
        )
        return Stretch(
            number, end_ns, trades, trades["ts_recv"].to_numpy(), trades["is_injected"].to_numpy(), labels
        )


def advanced(
    cursor: StreamCursor, stretch: Stretch, trades: pl.DataFrame, labels: pl.DataFrame
) -> StreamCursor:
    """Return how far the stream is when a part of a stretch is published; the labels' file is the same."""
    if trades.is_empty():
        return msgspec.structs.replace(cursor, stretch=stretch.number)
    usual = trades.filter(~pl.col("is_injected")).group_by("symbol").agg(pl.col("price").last())
    return msgspec.structs.replace(
        cursor,
        stretch=stretch.number,
        time_ns=int(trades["ts_event"][-1]),
        sequence=int(trades["sequence"][-1]),
        event=max([cursor.event, *labels["number"]]),
        prices=cursor.prices | dict(usual.iter_rows()),
    )


def rising(numbers: Ints, after: int) -> Ints:
    """Raise numbers, shape (n,), as little as needed for each to be above the one before, and `after`."""
    places = np.arange(len(numbers))
    raised: Ints = np.maximum.accumulate(np.maximum(numbers - places, after + 1)) + places
    return raised


def to_json_value(cursor: StreamCursor) -> dict[str, Any]:
    """Return a cursor as the producer keeps it."""
    return msgspec.structs.asdict(cursor)
