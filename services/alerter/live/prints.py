"""Reads the trades before an anomaly from the topic, for people to see it among them."""

import time
from collections import deque
from typing import NamedTuple

from confluent_kafka import Consumer, KafkaException, TopicPartition

from services.common.kafka.clients import READS_ONLY, new_consumer
from services.common.kafka.connection import KafkaConnection
from services.common.kafka.offsets import Positions
from services.common.kafka.records import Record
from services.contracts.alert import Print
from services.contracts.topics import TRADES_TOPIC
from services.contracts.trade import NotATradeError, decode_trade

MOST_PRINTS = 6
BEFORE_OFFSETS = 2_000
"""So far before the trade the others are looked for, among all symbols of the partition."""

WITHIN_S = 0.2
"""For all that is wanted at once: people are told late rather than without it, but not much later."""


class Wanted(NamedTuple):
    """A trade whose surroundings are shown."""

    alert_id: str
    symbol: str
    number: int
    """Of its partition."""
    offset: int


class PrintsReader:
    """Reads them with a client of its own.

    Parameters
    ----------
    kafka
        Connection to Kafka.
    """

    def __init__(self, kafka: KafkaConnection) -> None:
        self._consumer: Consumer = new_consumer(kafka, READS_ONLY, **{"fetch.wait.max.ms": 10})

    def warm_up(self, numbers: list[int]) -> None:
        """Connect to the brokers of these partitions, which would take most of the first time limit."""
        try:
            for number in numbers:
                self._consumer.get_watermark_offsets(TopicPartition(TRADES_TOPIC, number), WITHIN_S)
        except KafkaException:
            return  # whoever needs the broker says that it is away

    def read(self, wanted: list[Wanted]) -> dict[str, list[Print]]:
        """Return the symbols' last trades up to the wanted ones, by alert, as far as there is time.

        Parameters
        ----------
        wanted
            In the order of their offsets within each partition.
        """
        until_s = time.monotonic() + WITHIN_S
        found: dict[str, list[Print]] = {}
        by_number: dict[int, list[Wanted]] = {}
        for one in wanted:
            by_number.setdefault(one.number, []).append(one)
        try:
            for number, some in by_number.items():
                self._read_partition(number, sorted(some, key=lambda one: one.offset), found, until_s)
            self._consumer.assign([])
        except KafkaException:
            return found
        return found

    def close(self) -> None:
        """Close the client."""
        self._consumer.close()

    def _read_partition(
        self, number: int, wanted: list[Wanted], found: dict[str, list[Print]], until_s: float
    ) -> None:
        by_offset: dict[int, list[Wanted]] = {}
        for one in wanted:
            by_offset.setdefault(one.offset, []).append(one)
        recent: dict[bytes, deque[Record]] = {
            one.symbol.encode(): deque(maxlen=MOST_PRINTS) for one in wanted
        }
        last = wanted[-1].offset
        start = max(wanted[0].offset - BEFORE_OFFSETS, 0)
        self._consumer.assign([TopicPartition(TRADES_TOPIC, number, start)])
        positions = Positions()
        while (left_s := until_s - time.monotonic()) > 0:
            messages = self._consumer.consume(1, left_s)
            messages += self._consumer.consume(BEFORE_OFFSETS, 0.0)
            for record in positions.split(messages):
                prints = recent.get(record.key() or b"")
                if prints is not None:
                    prints.append(record)
                for one in by_offset.get(record.offset(), ()):
                    found[one.alert_id] = _prints(recent[one.symbol.encode()], one.symbol)
                if record.offset() >= last:
                    return


def _prints(records: deque[Record], symbol: str) -> list[Print]:
    prints = []
    for record in records:
        try:
            trade = decode_trade(record.value())
        except NotATradeError:
            continue
        if trade.symbol == symbol:
            prints.append(Print(trade.trade_id, trade.timestamp, trade.price, trade.size, trade.side))
    return prints
