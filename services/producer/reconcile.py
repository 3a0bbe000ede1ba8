"""`tapewatch reconcile`: the venue's own record of a day against what was published of it.

What is missing is published under the same ids, marked `reconciled`: it is indexed, not judged live. What
differs is reported and stays as it is. A second run finds nothing missing.

A day may have millions of prints: of a published one only its id and a number for its values are kept, of the
venue's record a page at a time, and what is missing is published as soon as it fills a transaction.
"""

import asyncio
import datetime as dt
import time
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field

import polars as pl
import structlog
from confluent_kafka import KafkaException, TopicPartition

from services.common.config.settings import Settings
from services.common.errors import TapewatchError
from services.common.kafka.clients import READS_ONLY, new_consumer
from services.common.kafka.connection import KafkaConnection, kafka_connection
from services.common.kafka.preflight import wait_for_safe_topics
from services.common.kafka.reading import partition_numbers, read_to_end
from services.common.kafka.transactions import StoppedWaitingError, TransactionAbortedError, Transactions
from services.common.observability.health import Health
from services.common.process.shutdown import Stop
from services.contracts.correction import Correction, encode_correction
from services.contracts.topics import CORRECTIONS_TOPIC, TRADES_TOPIC
from services.contracts.trade import NotATradeError, Trade, decode_trade
from services.sources.base import Source
from services.sources.feeds.day import pages_of_day
from services.sources.feeds.history import History, HistoryUnavailableError
from services.sources.feeds.messages import Print
from services.sources.feeds.trade_text import Times
from services.sources.feeds.venue import Venue

TOPICS = [TRADES_TOPIC, CORRECTIONS_TOPIC]
AT_ONCE = 20_000
MISSING_CODE, DIFFERENT_CODE = 3, 4
"""Exit codes: something was missing and is published now; something differs, which nobody but a person can
judge."""

OFFSET_TIMEOUT_S = 10.0
SETTLED_NS = 10 * 60 * 10**9
"""So long after a day's end its last prints are published."""

CLOCK_NS = 3600 * 10**9
"""The broker's clock may be behind the venue's by less."""


@dataclass
class SymbolReport:
    """What was found of a symbol.

    Parameters
    ----------
    symbol
        The symbol.
    of_venue, published
        How many prints the venue's record and the topic have.
    missing
        How many of its prints the topic lacks.
    different
        Ids of prints whose price or size differ.
    unknown
        Ids of published prints that the venue's record lacks.
    corrections
        How many corrections of prints it has.
    unread
        Rows of it that cannot be read: how many.
    problem
        Why it could not be had; empty if it could.
    """

    symbol: str
    of_venue: int = 0
    published: int = 0
    missing: int = 0
    different: list[str] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)
    corrections: int = 0
    unread: int = 0
    problem: str = ""

    @property
    def is_doubtful(self) -> bool:
        """Whether a person has to look at it."""
        return bool(self.different or self.unknown or self.unread or self.problem)


class Comparison:
    """A symbol's published trades, against the venue's record, whose prints come in any order.

    Parameters
    ----------
    symbol
        The symbol.
    """

    def __init__(self, symbol: str) -> None:
        self.report = SymbolReport(symbol)
        self.number: int | None = None
        """The venue's number of any published trade; None without one."""
        self._values: dict[str, int | None] = {}  # by id; None once the venue's record was seen to have it

    def add_published(self, trade: Trade) -> None:
        """Add a trade of the topic; all of them come before the first print of the venue's record."""
        if self.number is None:
            self.number = trade.sequence
        self._values[trade.trade_id] = _values_of(trade)
        self.report.published = len(self._values)

    def is_missing(self, one: Print) -> bool:
        """Compare a print of the venue's record; returns whether it has to be published."""
        if one.trade_id not in self._values:
            self._values[one.trade_id] = None
            self.report.of_venue += 1
            self.report.missing += 1
            return True
        published = self._values[one.trade_id]
        if published is not None:
            self._values[one.trade_id] = None
            self.report.of_venue += 1
            if published != _values_of(decode_trade(one.value)):
                self.report.different.append(one.trade_id)
        return False

    def finish(self) -> None:
        """Say that the venue's record is complete: what it has not had, it lacks."""
        report = self.report
        report.unknown = sorted(trade_id for trade_id, values in self._values.items() if values is not None)
        self._values.clear()
        structlog.get_logger().info(
            "compared",
            symbol=report.symbol,
            of_venue=report.of_venue,
            published=report.published,
            missing=report.missing,
            different=len(report.different),
            unknown=len(report.unknown),
        )


def _values_of(trade: Trade) -> int:
    """Return a number that stands for what a venue and the topic may differ in."""
    return hash(f"{trade.price!r} {float(trade.size)!r} {trade.side}")


class MissingPublisher:
    """Publishes what is missing, and corrections, which have the same ids however often they come.

    Parameters
    ----------
    kafka
        Connection to Kafka.
    feed
        The feed's name.
    stop
        Ends the waiting for an unavailable broker.
    """

    def __init__(self, kafka: KafkaConnection, feed: str, stop: Stop) -> None:
        self._kafka = kafka
        self._name = f"tapewatch-reconcile-{feed}"
        self._stop = stop
        self._messages: list[tuple[str, bytes, bytes]] = []
        self._transactions: Transactions | None = None

    def trade(self, one: Print) -> None:
        """Add a trade; raises as `flush`."""
        self._add(TRADES_TOPIC, one.symbol, reconciled(one.value))

    def correction(self, one: Correction) -> None:
        """Add a correction; raises as `flush`."""
        self._add(CORRECTIONS_TOPIC, one.symbol, encode_correction(one))

    def _add(self, topic: str, symbol: str, value: bytes) -> None:
        self._messages.append((topic, symbol.encode(), value))
        if len(self._messages) >= AT_ONCE:
            self.flush()

    def flush(self) -> None:
        """Publish what was added and is not published yet.

        Raises
        ------
        TapewatchError
            Kafka does not take it.
        StoppedWaitingError
            A stop came while the broker was unavailable.
        """
        if not self._messages:
            return
        if self._transactions is None:
            self._transactions = Transactions(self._kafka, self._name, self._stop, lambda: None)
        transactions = self._transactions
        try:
            transactions.begin()
            try:
                for topic, key, value in self._messages:
                    transactions.producer.produce(topic, key=key, value=value)
            except (KafkaException, BufferError) as error:
                transactions.abort(str(error))
            transactions.commit()
        except TransactionAbortedError as error:
            raise TapewatchError(
                f"Kafka did not take what was missing: {error}.",
                "Run the same command again: it publishes only what is still missing.",
            ) from error
        self._messages.clear()


def run_reconcile(
    venue: Venue, settings: Settings, day: dt.date, file: Source | None = None
) -> tuple[int, list[SymbolReport]]:
    """Reconcile a day.

    Parameters
    ----------
    venue
        The venue, with the symbols.
    settings
        Where Kafka is.
    day
        The day in UTC, or of the venue's own zone where it has one.
    file
        The venue's file of the day, to be taken for its record; None for its history.

    Returns
    -------
    tuple
        The exit code: 0 if nothing was missing or different, else `MISSING_CODE` or `DIFFERENT_CODE`, or 128
        + signal after a stop; and what was found.

    Raises
    ------
    TapewatchError
        The day is not over, or a topic is missing.
    """
    kafka = kafka_connection(settings)
    stop = Stop()
    health = Health()
    if not wait_for_safe_topics(kafka, TOPICS, stop, health):
        return 128 + (stop.signal or 0), []
    start_ns, end_ns = venue.day_ns(day)
    if time.time_ns() < end_ns + SETTLED_NS:
        raise TapewatchError(
            f"{day} is not over at {venue.name}, so its record is not complete.",
            f"Reconcile it {SETTLED_NS // 60_000_000_000} minutes after its end, or a day before it.",
        )
    comparisons = {symbol: Comparison(symbol) for symbol in venue.symbols}
    publisher = MissingPublisher(kafka, venue.name, stop)
    reports: list[SymbolReport] = []
    try:
        _read_published(kafka, venue, comparisons, start_ns, end_ns, stop)
        if file is None:
            asyncio.run(_compare(venue, comparisons, publisher, start_ns, end_ns, stop, reports))
        else:
            _compare_file(file, comparisons, publisher, start_ns, end_ns, stop, reports)
        if not stop.requested:
            publisher.flush()
    except StoppedWaitingError:
        return 128 + (stop.signal or 0), reports
    if stop.requested:
        return 128 + (stop.signal or 0), reports
    if any(report.is_doubtful for report in reports):
        return DIFFERENT_CODE, reports
    return (MISSING_CODE if any(report.missing for report in reports) else 0), reports


def _read_published(
    kafka: KafkaConnection,
    venue: Venue,
    comparisons: dict[str, Comparison],
    start_ns: int,
    end_ns: int,
    stop: Stop,
) -> None:
    """Add the venue's trades of a day in the topic."""
    keys = {symbol.encode() for symbol in comparisons}
    source = f'"source":"{venue.source}"'.encode()
    times = Times()
    start, end = times.text(start_ns), times.text(end_ns)
    for record in read_to_end(kafka, _starts(kafka, (start_ns - CLOCK_NS) // 10**6), stop):
        if record.key() not in keys or source not in (record.value() or b""):
            continue
        try:
            trade = decode_trade(record.value())
        except NotATradeError:
            continue
        shown = trade.tape_time or trade.timestamp
        if start <= shown < end:
            comparisons[trade.symbol].add_published(trade)


def _starts(kafka: KafkaConnection, at_ms: int) -> list[TopicPartition]:
    """Return the offsets of the first messages that were appended at a time or later."""
    consumer = new_consumer(kafka, READS_ONLY)
    try:
        wanted = [
            TopicPartition(TRADES_TOPIC, number, at_ms)
            for number in partition_numbers(consumer, TRADES_TOPIC)
        ]
        return [place for place in consumer.offsets_for_times(wanted, OFFSET_TIMEOUT_S) if place.offset >= 0]
    finally:
        consumer.close()


async def _compare(
    venue: Venue,
    comparisons: dict[str, Comparison],
    publisher: MissingPublisher,
    start_ns: int,
    end_ns: int,
    stop: Stop,
    reports: list[SymbolReport],
) -> None:
    """Compare with the venue's history, symbol by symbol."""

    async def nap(seconds: float) -> None:
        ends_s = time.monotonic() + seconds
        while (left_s := ends_s - time.monotonic()) > 0:
            if stop.requested:
                raise StoppedWaitingError
            await asyncio.sleep(min(left_s, 0.2))

    history = History(venue, nap)
    for symbol, comparison in comparisons.items():
        report = comparison.report
        try:
            async for page in pages_of_day(venue, history, symbol, start_ns, end_ns, comparison.number):
                for one in page.prints:
                    if start_ns <= one.tape_ns < end_ns and comparison.is_missing(one):
                        publisher.trade(one)
                for correction in page.corrections:
                    publisher.correction(correction)
                report.corrections += len(page.corrections)
                report.unread += len(page.bad)
                if stop.requested:
                    return
        except (HistoryUnavailableError, ValueError) as error:
            report.problem = str(error)
        else:
            comparison.finish()
        reports.append(report)


def _compare_file(
    file: Source,
    comparisons: dict[str, Comparison],
    publisher: MissingPublisher,
    start_ns: int,
    end_ns: int,
    stop: Stop,
    reports: list[SymbolReport],
) -> None:
    """Compare with the venue's file of the day."""
    for one in prints_of(file, comparisons.keys(), start_ns, end_ns):
        if comparisons[one.symbol].is_missing(one):
            publisher.trade(one)
        if stop.requested:
            return
    for comparison in comparisons.values():
        comparison.finish()
        reports.append(comparison.report)


def prints_of(file: Source, symbols: Collection[str], start_ns: int, end_ns: int) -> Iterator[Print]:
    """Yield a file's prints of a day; parameters as in `pages_of_day`."""
    for chunk in file.chunks():
        tape_ns = (
            pl.coalesce("tape_time", "ts_event")
            if "tape_time" in chunk.trades.columns
            else pl.col("ts_event")
        )
        trades = chunk.trades.with_columns(tape_ns=tape_ns).filter(
            pl.col("symbol").is_in(list(symbols))
            & pl.col("tape_ns").is_between(start_ns, end_ns, closed="left")
        )
        for row, value in zip(
            trades.select("symbol", "trade_id", "tape_ns").iter_rows(), file.to_json(trades), strict=True
        ):
            symbol, trade_id, at_ns = row
            yield Print(symbol, trade_id, at_ns, 0, value)


def reconciled(value: bytes) -> bytes:
    """Return a trade's message with the mark of one that came by reconciliation."""
    return value[:-1] + b',"reconciled":true}'
