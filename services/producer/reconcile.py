"""`tapewatch reconcile`: the venue's own record of a day against what was published of it.

What is missing is published under the same ids, marked `reconciled`: it is indexed, not judged live. What
differs is reported and stays as it is. A second run finds nothing missing.
"""

import asyncio
import datetime as dt
import time
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
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
from services.sources.feeds.messages import Page, Print
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
        Prints that the topic lacks.
    different
        Ids of prints whose price or size differ.
    unknown
        Ids of published prints that the venue's record lacks.
    corrections
        What the venue's record says of corrected prints.
    unread
        Rows of it that cannot be read: how many.
    problem
        Why it could not be had; empty if it could.
    """

    symbol: str
    of_venue: int = 0
    published: int = 0
    missing: list[Print] = field(default_factory=list)
    different: list[str] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)
    corrections: list[Correction] = field(default_factory=list)
    unread: int = 0
    problem: str = ""

    @property
    def is_doubtful(self) -> bool:
        """Whether a person has to look at it."""
        return bool(self.different or self.unknown or self.unread or self.problem)


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
    published = published_trades(kafka, venue, start_ns, end_ns, stop)
    try:
        reports = asyncio.run(_compare(venue, published, start_ns, end_ns, file, stop))
    except StoppedWaitingError:
        return 128 + (stop.signal or 0), []
    if stop.requested:
        return 128 + (stop.signal or 0), reports
    try:
        _publish(kafka, venue.name, reports, stop)
    except StoppedWaitingError:
        return 128 + (stop.signal or 0), reports
    if any(report.is_doubtful for report in reports):
        return DIFFERENT_CODE, reports
    return (MISSING_CODE if any(report.missing for report in reports) else 0), reports


def published_trades(
    kafka: KafkaConnection, venue: Venue, start_ns: int, end_ns: int, stop: Stop
) -> dict[str, dict[str, Trade]]:
    """Return the venue's trades of a day in the topic, by symbol and id.

    Parameters
    ----------
    kafka
        Connection to Kafka.
    venue
        The venue; its symbols are read.
    start_ns, end_ns
        The day, as in `pages_of_day`.
    stop
        Ends the reading.
    """
    found: dict[str, dict[str, Trade]] = {symbol: {} for symbol in venue.symbols}
    keys = {symbol.encode() for symbol in venue.symbols}
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
            found[trade.symbol][trade.trade_id] = trade
    return found


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
    published: Mapping[str, Mapping[str, Trade]],
    start_ns: int,
    end_ns: int,
    file: Source | None,
    stop: Stop,
) -> list[SymbolReport]:
    async def nap(seconds: float) -> None:
        ends_s = time.monotonic() + seconds
        while (left_s := ends_s - time.monotonic()) > 0:
            if stop.requested:
                raise StoppedWaitingError
            await asyncio.sleep(min(left_s, 0.2))

    history = History(venue, nap)
    in_file = None if file is None else prints_of(file, venue.symbols, start_ns, end_ns)
    reports: list[SymbolReport] = []
    for symbol in venue.symbols:
        known = published[symbol]
        number = next((trade.sequence for trade in known.values()), None)
        report = SymbolReport(symbol, published=len(known))
        of_venue: dict[str, Print] = {}
        pages = pages_of_day(venue, history, symbol, start_ns, end_ns, number)
        if in_file is not None:
            of_venue, pages = in_file[symbol], _no_pages()
        try:
            async for page in pages:
                _add(report, of_venue, page, start_ns, end_ns)
                if stop.requested:
                    return reports
        except (HistoryUnavailableError, ValueError) as error:
            report.problem = str(error)
            reports.append(report)
            continue
        report.of_venue = len(of_venue)
        report.missing = [one for trade_id, one in of_venue.items() if trade_id not in known]
        report.unknown = sorted(known.keys() - of_venue.keys())
        report.different = [
            trade_id
            for trade_id, one in of_venue.items()
            if trade_id in known and _differs(decode_trade(one.value), known[trade_id])
        ]
        structlog.get_logger().info(
            "compared",
            symbol=symbol,
            of_venue=report.of_venue,
            published=report.published,
            missing=len(report.missing),
            different=len(report.different),
            unknown=len(report.unknown),
        )
        reports.append(report)
    return reports


def _add(report: SymbolReport, of_venue: dict[str, Print], page: Page, start_ns: int, end_ns: int) -> None:
    of_venue |= {one.trade_id: one for one in page.prints if start_ns <= one.tape_ns < end_ns}
    report.corrections += page.corrections
    report.unread += len(page.bad)


async def _no_pages() -> AsyncIterator[Page]:
    pages: tuple[Page, ...] = ()
    for page in pages:
        yield page


def prints_of(
    file: Source, symbols: Sequence[str], start_ns: int, end_ns: int
) -> dict[str, dict[str, Print]]:
    """Return a file's prints of a day, by symbol and id; parameters as in `pages_of_day`."""
    found: dict[str, dict[str, Print]] = {symbol: {} for symbol in symbols}
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
            found[symbol][trade_id] = Print(symbol, trade_id, at_ns, 0, value)
    return found


def _differs(one: Trade, other: Trade) -> bool:
    return (one.price, one.size, one.side) != (other.price, other.size, other.side)


def _publish(kafka: KafkaConnection, feed: str, reports: Iterable[SymbolReport], stop: Stop) -> None:
    """Publish what is missing, and corrections, which have the same ids however often they come."""
    messages = [
        (TRADES_TOPIC, one.symbol.encode(), reconciled(one.value))
        for report in reports
        for one in report.missing
    ]
    messages += [
        (CORRECTIONS_TOPIC, one.symbol.encode(), encode_correction(one))
        for report in reports
        for one in report.corrections
    ]
    if not messages:
        return
    transactions = Transactions(kafka, f"tapewatch-reconcile-{feed}", stop, lambda: None)
    for first in range(0, len(messages), AT_ONCE):
        part = messages[first : first + AT_ONCE]
        try:
            transactions.begin()
            try:
                for topic, key, value in part:
                    transactions.producer.produce(topic, key=key, value=value)
            except (KafkaException, BufferError) as error:
                transactions.abort(str(error))
            transactions.commit()
        except TransactionAbortedError as error:
            raise TapewatchError(
                f"Kafka did not take what was missing: {error}.",
                "Run the same command again: it publishes only what is still missing.",
            ) from error


def reconciled(value: bytes) -> bytes:
    """Return a trade's message with the mark of one that came by reconciliation."""
    return value[:-1] + b',"reconciled":true}'
