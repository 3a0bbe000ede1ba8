"""Withdraws anomalies before a new epoch finds them again: a null value that names the trade.

A message in `anomalies` with a null value and the headers `trade_id` and `timestamp` says that this trade is
not flagged any more. Anomalies carry the offset of their trade in the header `trade_offset`; those whose
trade the topic `trades` does not have any more cannot be found again, so they stay.
"""

from collections.abc import Iterator

import msgspec
from confluent_kafka import Producer, TopicPartition

from services.common.kafka.connection import KafkaConnection
from services.common.kafka.reading import read_to_end
from services.common.process.shutdown import Stop
from services.contracts.anomaly import JUDGED_AGAIN, TAPE_CLOCK, TRADE_OFFSET
from services.contracts.retraction import TRADE_ID, retraction_headers
from services.contracts.topics import ANOMALIES_TOPIC


class _Anomaly(msgspec.Struct, gc=False):
    timestamp: str = msgspec.field(name="@timestamp")
    trade_id: str


_decoder = msgspec.json.Decoder(_Anomaly)

StandingAnomaly = tuple[bytes | None, str, str]
"""Key, `trade_id` and event time of an anomaly in the topic."""


def standing_anomalies(
    kafka: KafkaConnection, number: int, until: int, beginning: int, stop: Stop
) -> Iterator[StandingAnomaly]:
    """Yield key, `trade_id` and event time of each anomaly that a partition has before an offset.

    Parameters
    ----------
    kafka
        Connection to Kafka.
    number
        The partition.
    until
        Its offset to end before.
    beginning
        The first offset that the same partition of `trades` still has.
    stop
        Ends the reading early.
    """
    standing: dict[str, tuple[bytes | None, str]] = {}
    for message in read_to_end(kafka, [TopicPartition(ANOMALIES_TOPIC, number, 0)], stop):
        if message.offset() >= until:
            break
        headers = dict(message.headers() or [])
        value = message.value()
        if value is None:
            standing.pop((headers.get(TRADE_ID) or b"").decode(errors="replace"), None)
        elif _trade_offset(headers) >= beginning:
            try:
                anomaly = _decoder.decode(value)
            except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
                continue  # a foreign message, which the indexer has rejected
            standing[anomaly.trade_id] = (message.key(), anomaly.timestamp)
    for trade_id, (key, timestamp) in standing.items():
        yield key, trade_id, timestamp


def _trade_offset(headers: dict[str, bytes | None]) -> int:
    """Return the offset of an anomaly's trade; 0 if it was written by another program."""
    try:
        return int(headers.get(TRADE_OFFSET) or 0)
    except ValueError:
        return 0


def publish_retraction(
    producer: Producer, number: int, key: bytes | None, trade_id: str, timestamp: str, clock_ns: int
) -> None:
    """Publish the withdrawal of an anomaly, after it in the same partition; the tape's clock is a header."""
    headers: dict[str, str | bytes | None] = {
        **retraction_headers(trade_id, timestamp),
        TAPE_CLOCK: str(clock_ns),
        JUDGED_AGAIN: "1",
    }
    producer.produce(ANOMALIES_TOPIC, value=None, key=key, headers=headers, partition=number)
