"""Raises feed events for what should be printing and is not, by the wall clock."""

import datetime as dt
import time
from collections.abc import Callable
from concurrent.futures import Future
from itertools import islice

import structlog
from confluent_kafka import KafkaException, TopicPartition

from services.common.exchange_calendar import ExchangeCalendar
from services.common.kafka.clients import REQUEST_TIMEOUT_S, new_consumer
from services.common.kafka.connection import KafkaConnection
from services.common.kafka.end_offsets import watermarks
from services.common.process.background import in_background
from services.contracts.components import DETECTOR
from services.contracts.feed_event import FeedEvent
from services.contracts.iso_time import iso_utc
from services.contracts.topics import TRADES_TOPIC
from services.contracts.trade import Trade
from services.detector.engine.columns import nanoseconds
from services.detector.live.partition import JudgedTrades
from services.detector.live.selftest import metrics
from services.detector.watchdog.partitions import StalledPartitions
from services.detector.watchdog.prints import MOST_SYMBOLS, PrintWatchdog, Silent

ARRIVE_S = 1.0
"""What comes within such a time is one arrival."""

LOOK_S = 10.0
"""How often it looks for what is silent."""

ASK_S = 60.0
"""How often the broker is asked how far the group has come."""

LIVE_S = 300.0
"""A tape is live while its newest print is at most so old; a replay of the past says nothing of now."""

SAMPLED = 256
"""Trades of a batch whose venues are looked at."""


class LiveWatchdog:
    """Notices what does not print, and partitions that nobody works off.

    Parameters
    ----------
    exchange
        Whose calendar says when the market is open.
    offsets
        Asks for the group's committed offsets and the ends of the partitions.
    clock
        The wall clock, in seconds since 1970.
    """

    def __init__(
        self,
        exchange: str,
        offsets: Callable[[], tuple[dict[int, int], dict[int, int]]],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._log = structlog.get_logger()
        self._calendar = ExchangeCalendar(exchange)
        self._offsets = offsets
        self._clock = clock
        self._prints = PrintWatchdog()
        self._partitions = StalledPartitions()
        self._venues: dict[str, str] = {}
        self._is_live = False
        self._arrived: set[str] = set()
        self._arrive_s = self._look_s = 0.0
        self._ask_s = clock() + ASK_S
        self._open_until = (0.0, False)
        self._answer: Future[tuple[dict[int, int], dict[int, int]]] | None = None
        self.stalled: list[int] = []
        """Partitions that nobody works off."""

    def observe(self, batch: JudgedTrades) -> None:
        """Note what has come."""
        if not batch.trades:
            return
        self._arrived.update([session.symbol for session in batch.sessions])
        now_s = self._clock()
        if now_s < self._arrive_s:
            return
        self._arrive_s = now_s + ARRIVE_S
        arrived, self._arrived = self._arrived, set()
        newest_s = int(nanoseconds([batch.trades[-1].timestamp])[0]) / 1e9
        self._is_live = now_s - newest_s <= LIVE_S
        if not self._is_live:
            self._prints.pause(now_s)
            return
        step = max(len(batch.trades) // SAMPLED, 1)
        if len(self._venues) > MOST_SYMBOLS:
            self._venues.clear()
        self._venues.update((trade.symbol, _venue(trade)) for trade in islice(batch.trades, 0, None, step))
        usual = _venue(batch.trades[-1])
        symbols = [(symbol, self._venues.get(symbol, usual)) for symbol in arrived]
        self._prints.arrive(symbols, now_s, self._is_open(now_s))

    def look(self, is_reading: bool) -> list[FeedEvent]:
        """Return what has fallen silent since the last call; cheap, and mostly nothing.

        Parameters
        ----------
        is_reading
            Whether the detector has partitions and reads them: else nothing can be known.
        """
        now_s = self._clock()
        self._ask(now_s)
        if now_s < self._look_s:
            return []
        self._look_s = now_s + LOOK_S
        if not is_reading:
            self._prints.pause(now_s)
        silent = self._prints.silent(now_s, self._is_open(now_s)) if self._is_live else []
        metrics.SILENT_SYMBOLS.set(self._prints.count())
        for one in silent:
            self._log.warning("silent", venue=one.venue, symbol=one.symbol, reason=one.reason)
        return [_event(one, now_s) for one in silent]

    def _ask(self, now_s: float) -> None:
        """Ask the broker in a thread, and take its answer when it has come."""
        if self._answer is not None and self._answer.done():
            answer, self._answer = self._answer, None
            if answer.exception() is None:
                stalled = self._partitions.update(*answer.result(), now_s)
                if new := sorted(set(stalled) - set(self.stalled)):
                    self._log.error("nobody works off partitions of trades", partitions=new)
                self.stalled = stalled
                metrics.STALLED_PARTITIONS.set(len(stalled))
        if self._answer is None and now_s >= self._ask_s:
            self._ask_s = now_s + ASK_S
            self._answer = in_background(self._offsets)

    def _is_open(self, now_s: float) -> bool:
        until_s, is_open = self._open_until
        if now_s >= until_s:
            is_open = self._calendar.is_open(int(now_s * 1e9))
            self._open_until = (now_s - now_s % 60 + 60, is_open)
        return is_open


class GroupOffsets:
    """Asks the broker how far the detector's group has come, with clients of its own that join no group.

    Parameters
    ----------
    kafka
        Connection to Kafka.
    """

    def __init__(self, kafka: KafkaConnection) -> None:
        self._kafka = kafka

    def __call__(self) -> tuple[dict[int, int], dict[int, int]]:
        """Return committed offsets and ends, by partition; raises KafkaException without an answer."""
        client = new_consumer(self._kafka, DETECTOR.group)
        try:
            topic = client.list_topics(TRADES_TOPIC, timeout=REQUEST_TIMEOUT_S).topics[TRADES_TOPIC]
            asked = [TopicPartition(TRADES_TOPIC, number) for number in topic.partitions]
            committed = client.committed(asked, timeout=REQUEST_TIMEOUT_S)
            ends = {place.partition: watermarks(client, place) for place in asked}
        finally:
            client.close()
        if any(place.error for place in committed):
            raise KafkaException(next(place.error for place in committed if place.error))
        return (
            {place.partition: place.offset for place in committed},
            {number: end if end > first else 0 for number, (first, end) in ends.items()},
        )


def _venue(trade: Trade) -> str:
    return trade.venue or f"publisher {trade.publisher_id}"


def _event(silent: Silent, now_s: float) -> FeedEvent:
    return FeedEvent(
        timestamp=iso_utc(dt.datetime.fromtimestamp(now_s, dt.UTC)),
        venue=silent.venue,
        event="silent",
        symbol=silent.symbol,
        reason=silent.reason,
    )
