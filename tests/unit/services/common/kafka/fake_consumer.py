"""A stand-in for confluent_kafka's `Consumer`: tests define what the group and the broker do."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from confluent_kafka import KafkaError, KafkaException, Message, TopicPartition

Callback = Callable[["FakeConsumer", list[TopicPartition]], None]


class FakeMessage(Message):
    """A message, equal to others at the same offset.

    Parameters
    ----------
    place
        Topic and partition.
    at
        Offset.
    content
        Value.
    trouble
        What it reports instead of a value.
    """

    def __init__(
        self,
        place: tuple[str | None, int],
        at: int,
        content: bytes | None = b"{}",
        trouble: KafkaError | None = None,
    ) -> None:
        topic, number = place
        super().__init__(
            topic=topic,
            partition=number,
            offset=at,
            key=b"key",
            value=content,
            error=trouble,
            timestamp=(1, 0),
        )
        self.place = place

    def __eq__(self, other: object) -> bool:
        return isinstance(other, FakeMessage) and (self.place, self.offset()) == (other.place, other.offset())

    def __hash__(self) -> int:
        return hash((self.place, self.offset()))


def end_of(topic: str, number: int, offset: int) -> FakeMessage:
    """Return the event for the end of a partition."""
    return FakeMessage((topic, number), offset, None, KafkaError(KafkaError._PARTITION_EOF))


@dataclass
class FakeConsumer:
    """A client; events are queued, and happen in the next `consume`."""

    offsets: dict[tuple[str, int], int] = field(default_factory=dict)
    """Committed."""
    member_id: str = "me"
    config: dict[str, Any] = field(default_factory=dict)
    is_closed: bool = False
    paused: set[tuple[str, int]] = field(default_factory=set)
    is_away: bool = False
    """Whether the broker does not answer."""
    log: dict[tuple[str, int], list[bytes]] = field(default_factory=dict)
    """The topics' messages; `flows` reads them from the assigned offsets."""
    markers: int = 0
    """Number of offsets after each partition's last message that transaction markers occupy."""

    def __post_init__(self) -> None:
        self._events: list[Callable[[], list[FakeMessage]]] = []
        self._assigned: list[TopicPartition] = []
        self._fetched: dict[tuple[str, int], int] = {}
        self.owned: list[TopicPartition] = []
        """Partitions that the group has assigned to this member."""
        self._callbacks: dict[str, Callback] = {}

    # What the group and the broker do.

    def gives(self, *numbers: int, topic: str = "trades") -> None:
        """Let the group assign partitions to this member."""
        self._events.append(lambda: self._give([TopicPartition(topic, number) for number in numbers]))

    def takes(self) -> None:
        """Let the group revoke all partitions."""
        self._events.append(lambda: self._take("on_revoke"))

    def loses(self) -> None:
        """Let the member lose its partitions to others."""
        self._events.append(lambda: self._take("on_lost"))

    def delivers(self, *messages: FakeMessage) -> None:
        """Let messages arrive, if their partitions are assigned by then."""
        self._events.append(lambda: self._read(messages))

    def flows(self, number: int, count: int, topic: str = "trades") -> None:
        """Let the next messages of a partition arrive, and after the last one the event of its end."""
        self._events.append(lambda: self._fetch((topic, number), count))

    def _fetch(self, place: tuple[str, int], count: int) -> list[FakeMessage]:
        if place not in self._fetched or place in self.paused:
            return []
        at = self._fetched[place]
        contents = self.log[place][at : at + count]
        self._fetched[place] = at + len(contents)
        came = [FakeMessage(place, at + n, content) for n, content in enumerate(contents)]
        is_end = self._fetched[place] == len(self.log[place])
        return [*came, end_of(*place, self._fetched[place] + self.markers)] if is_end else came

    def _give(self, partitions: list[TopicPartition]) -> list[FakeMessage]:
        self.owned = partitions
        self._callbacks["on_assign"](self, partitions)
        return []

    def _take(self, callback: str) -> list[FakeMessage]:
        if self.owned:
            owned = self.owned
            if callback == "on_lost":
                self.owned = []
            self._callbacks[callback](self, owned)
            self.owned = []
            self.assign([])
        return []

    def _read(self, messages: tuple[FakeMessage, ...]) -> list[FakeMessage]:
        ours = {(p.topic, p.partition) for p in self._assigned} - self.paused
        return [m for m in messages if m.place in ours or m.place[0] is None]

    # What the client offers.

    def subscribe(self, topics: list[str], **callbacks: Callback) -> None:
        self._callbacks = callbacks

    def consume(self, most: int, timeout_s: float) -> list[FakeMessage]:
        came: list[FakeMessage] = []
        while self._events and len(came) < most:
            came += self._events.pop(0)()
        return came

    def assign(self, partitions: list[TopicPartition]) -> None:
        self._assigned = partitions
        self._fetched = {(p.topic, p.partition): p.offset for p in partitions}

    def assignment(self) -> list[TopicPartition]:
        return list(self._assigned)

    def pause(self, partitions: list[TopicPartition]) -> None:
        self.paused |= {(p.topic, p.partition) for p in partitions}

    def resume(self, partitions: list[TopicPartition]) -> None:
        self.paused -= {(p.topic, p.partition) for p in partitions}

    def committed(self, partitions: list[TopicPartition], timeout: float) -> list[TopicPartition]:
        if self.is_away:
            raise KafkaException(KafkaError(KafkaError._TIMED_OUT))
        return [
            TopicPartition(p.topic, p.partition, self.offsets.get((p.topic, p.partition), -1001))
            for p in partitions
        ]

    def commit(self, offsets: list[TopicPartition], asynchronous: bool) -> None:
        assert asynchronous
        self.offsets |= {(p.topic, p.partition): p.offset for p in offsets}
        self._events.insert(0, lambda: self._answer(offsets))

    def _answer(self, offsets: list[TopicPartition]) -> list[FakeMessage]:
        self.config["on_commit"](None, offsets)
        return []

    def memberid(self) -> str:
        return self.member_id

    def consumer_group_metadata(self) -> object:
        return f"membership of {self.member_id}"

    def get_watermark_offsets(self, partition: TopicPartition, cached: bool) -> tuple[int, int]:
        return 0, 0

    def close(self) -> None:
        self.is_closed = True
