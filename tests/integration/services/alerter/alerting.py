"""Runs `tapewatch alert`, and reads back what it has decided."""

import contextlib
import datetime as dt
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import orjson
from confluent_kafka import Consumer, KafkaException, Message, TopicPartition

from infra.embedded.stack import EmbeddedStack
from services.alerter.deciding.decider import Decider
from services.alerter.rules.reading import load_rules
from services.alerter.seen import NotAnAnomalyError, read_retracted, read_seen
from services.common.kafka.clients import new_admin, new_consumer, new_producer
from services.contracts.alert import Alert, decode_alert
from services.contracts.components import ALERTER, DETECTOR
from services.contracts.iso_time import iso_ns
from services.contracts.tape_clock import read_clock
from tests.integration.pipeline import READ_TIMEOUT_S, addresses, ends, read_topic, started, wait_for
from tests.narrow import key_of

READS = ("anomalies", "corrections")


@contextmanager
def alerter(
    stack: EmbeddedStack, log: Path, instance: str = "alerter", **env: str
) -> Iterator[subprocess.Popen[bytes]]:
    """Run an alerter in the background until the end of the block; it has its partitions at the beginning."""
    env = addresses(stack) | {"TAPEWATCH_INSTANCE": instance} | env
    with started(log, "alert", **env) as process:
        wait_for(log, '"assigned"', process)
        yield process


def committed(stack: EmbeddedStack, group: str, *topics: str) -> dict[tuple[str, int], TopicPartition]:
    """Return a group's offsets with their metadata."""
    consumer: Consumer = new_consumer(stack.kafka_connection, group)
    places = [TopicPartition(p.topic, p.partition) for topic in topics for p in ends(stack, topic)]
    found = consumer.committed(places, READ_TIMEOUT_S)
    consumer.close()
    return {(place.topic, place.partition): place for place in found}


def forget_group(stack: EmbeddedStack, group: str) -> None:
    """Forget a group's offsets, as if nobody had ever been in it."""
    admin = new_admin(stack.kafka_connection)
    [deleted] = admin.delete_consumer_groups([group]).values()
    with contextlib.suppress(KafkaException):  # it has none
        deleted.result(20)


def is_decided(stack: EmbeddedStack) -> bool:
    """Tell whether everything that is now in the topics was taken."""
    done = committed(stack, ALERTER.group, *READS)
    return all(
        done[end.topic, end.partition].offset >= end.offset for topic in READS for end in ends(stack, topic)
    )


def clocks(stack: EmbeddedStack) -> dict[int, int]:
    """Return the clocks that detectors have committed, by partition."""
    found = committed(stack, DETECTOR.group, "trades")
    return {number: read_clock(place.metadata).ns for (_, number), place in found.items()}


def revisions(stack: EmbeddedStack, suffix: str) -> list[Alert]:
    """Return the topic's revisions of the symbols with this ending; fail if a number is missing or twice."""
    own = []
    for message in read_topic(stack, "alerts"):
        with contextlib.suppress(msgspec.MsgspecError):  # other tests write what is none
            own.append(decode_alert(message.value() or b""))
    own = [alert for alert in own if alert.symbol.endswith(suffix)]
    last: dict[str, int] = {}
    for alert in own:
        assert alert.revision == last.get(alert.alert_id, 0) + 1, alert
        last[alert.alert_id] = alert.revision
    return own


def undisturbed(stack: EmbeddedStack, suffix: str) -> list[Alert]:
    """Return what one decider makes of the topic, with each partition's clock of now at its end."""
    rules = load_rules()
    deciders: dict[int, Decider] = {number: Decider(rules) for number in clocks(stack)}
    found: list[Alert] = []
    for message in read_topic(stack, "anomalies"):
        if not key_of(message).decode().endswith(suffix):
            continue
        decider = deciders[message.partition()]
        value = message.value()
        try:
            if value is None:
                gone = read_retracted(message.key(), message.headers())
                found += decider.retraction(gone.symbol, gone.trade_id, gone.clock_ns)
            else:
                found += decider.anomaly(read_seen(value, message.headers()))
        except NotAnAnomalyError:
            continue
    for number, clock_ns in clocks(stack).items():
        found += deciders[number].clock(clock_ns)
    return found


CLOCK_FIELDS = {"sending", "is_missed", "decided_at", "links", "trades"}


def by_key(alerts: list[Alert]) -> dict[tuple[str, int], dict[str, Any]]:
    """Return revisions by id and number, without what depends on the clock."""
    found = {(alert.alert_id, alert.revision): msgspec.to_builtins(alert) for alert in alerts}
    assert len(found) == len(alerts)
    return {
        key: {name: value for name, value in fields.items() if name not in CLOCK_FIELDS}
        for key, fields in found.items()
    }


@dataclass
class Tape:
    """Trades and anomalies of one symbol that happen now, as a producer and a detector would write them."""

    stack: EmbeddedStack
    symbol: str
    now_ns: int

    def trade(self, number: int, seconds: float = 0.0) -> bytes:
        """Return a trade, so many seconds after the tape's time."""
        return orjson.dumps(
            {
                "@timestamp": iso_ns(self.now_ns + round(seconds * 1e9)),
                "trade_id": f"{self.symbol}-{number}",
                "symbol": self.symbol,
                "price": 100.0 + number,
                "size": 10,
                "side": "B",
                "source": "databento",
                "sequence": number,
            }
        )

    def publish_trades(self, count: int) -> list[tuple[int, int]]:
        """Publish trades, a millisecond apart; returns the partition and offset of each."""
        places: list[tuple[int, int]] = []
        producer = new_producer(self.stack.kafka_connection, **{"delivery.report.only.error": False})
        for number in range(count):
            producer.produce(
                "trades",
                key=self.symbol.encode(),
                value=self.trade(number, number / 1e3),
                on_delivery=lambda _, message: places.append(place_of(message)),
            )
        assert producer.flush(10) == 0
        return sorted(places)

    def anomaly(self, number: int, seconds: float = 0.0, **changes: object) -> bytes:
        """Return an anomaly of a trade."""
        detection = {
            "detector": "off_market_price",
            "label": "Off-Market Price",
            "score": 0.8,
            "value": 110.0,
            "expected": 100.0,
            "threshold": 101.0,
            "reason": "price $110.00 is far from the others",
        }
        fields = {
            "anomalies": ["Off-Market Price"],
            "score": 0.8,
            "severity": "high",
            "message": "Price $110.00 is far from the others.",
            "detections": [detection],
            "contributions": {},
            "features": {},
            "session": f"{dt.datetime.now(dt.UTC):%Y-%m-%d}",
            "model": {"name": "tapewatch", "version": "1", "profile": "p"},
        }
        return orjson.dumps(orjson.loads(self.trade(number, seconds)) | fields | changes)

    def publish_anomaly(self, number: int, seconds: float = 0.0, **headers: str) -> int:
        """Publish an anomaly of trade `number`; returns its partition."""
        given = {
            "tape_clock": str(self.now_ns + round(seconds * 1e9)),
            "trade_time": str(self.now_ns // 10**6),
        }
        return publish(self.stack, "anomalies", self.symbol, self.anomaly(number, seconds), given | headers)


def place_of(message: Message) -> tuple[int, int]:
    """Return partition and offset of a message that was delivered."""
    number, offset = message.partition(), message.offset()
    assert number is not None
    assert offset is not None
    return number, offset


def publish(
    stack: EmbeddedStack, topic: str, symbol: str, value: bytes | None, headers: dict[str, str]
) -> int:
    """Publish one message under a symbol; returns the partition that it went to."""
    numbers: list[int] = []
    producer = new_producer(stack.kafka_connection, **{"delivery.report.only.error": False})
    producer.produce(
        topic,
        key=symbol.encode(),
        value=value,
        headers={**headers},
        on_delivery=lambda _, message: numbers.append(place_of(message)[0]),
    )
    assert producer.flush(10) == 0
    return numbers[0]
