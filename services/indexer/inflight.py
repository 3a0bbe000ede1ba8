"""Batches in flight to the sink: in order where it matters, side by side where it does not.

No target is in flight twice: two versions of one, sent by two connections or in parts, could arrive in the
wrong order. So a batch is about a target once at most, and waits for those in flight that are about one of
its own.
"""

import threading
import time
from collections import Counter, deque
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import cast

from confluent_kafka import Message

from services.common.kafka.records import Record
from services.common.process.background import in_background
from services.indexer.batch import Batch, Offsets
from services.indexer.keeping.base import OffsetKeeper
from services.indexer.sinks.base import Rejected


@dataclass(frozen=True)
class Acknowledged:
    """A batch that the sink has answered.

    Parameters
    ----------
    rejected
        What it will never take, and why.
    written
        Records written, by topic.
    removed
        Records that removed something.
    offsets
        To be committed now.
    last
        The last record of the batch; None if it has only offsets.
    """

    rejected: list[tuple[Record, str]]
    written: Counter[str]
    removed: int
    offsets: Offsets
    last: Record | None


def _count_topics(records: list[Record]) -> Counter[str]:
    # The client's own method, as any function around it would cost twice as much for every record.
    return cast("Counter[str]", Counter(map(Message.topic, cast("list[Message]", records))))


@dataclass
class _Sent:
    batch: Batch
    offsets: Offsets
    is_owned: bool = True
    sent_at_s: float = field(default_factory=time.monotonic)
    answer: Future[list[Rejected]] = field(init=False)


class InFlight:
    """The batches in flight, in the order in which they were read.

    Parameters
    ----------
    keeper
        Writes them; called in threads.
    connections
        How many may be written at the same time.
    """

    def __init__(self, keeper: OffsetKeeper, connections: int) -> None:
        self._keeper = keeper
        self._connections = connections
        self._most = 2 * connections
        """Maximum number of batches that are being sent or wait for an older one's answer."""
        self._sent: deque[_Sent] = deque()
        self._answered = threading.Event()

    def __bool__(self) -> bool:
        return bool(self._sent)

    @property
    def has_owned(self) -> bool:
        """Whether any of them is still to be committed."""
        return any(sent.is_owned for sent in self._sent)

    def accepts(self, batch: Batch) -> bool:
        """Whether a batch may go now."""
        return (
            sum(not sent.answer.done() for sent in self._sent) < self._connections
            and len(self._sent) < self._most
            and all(batch.targets.isdisjoint(sent.batch.targets) for sent in self._sent)
        )

    def send(self, batch: Batch, offsets: Offsets) -> None:
        """Send a batch; `offsets` are to be committed when it is acknowledged."""
        sent = _Sent(batch, offsets)
        sent.answer = in_background(self._keeper.write, batch, offsets, lambda: sent.is_owned)
        sent.answer.add_done_callback(lambda _: self._answered.set())
        self._sent.append(sent)

    def count(self) -> Counter[str]:
        """Return how many records wait for an answer, by topic."""
        return Counter(record.topic() for sent in self._sent for record in sent.batch.records)

    def wait(self, within_s: float) -> None:
        """Wait until a batch has been answered since the last call."""
        self._answered.wait(within_s)
        self._answered.clear()

    @property
    def unanswered_s(self) -> float:
        """How long the sink has owed the oldest one's answer, in seconds; 0 if it owes none."""
        if not self._sent or self._sent[0].answer.done():
            return 0.0
        return time.monotonic() - self._sent[0].sent_at_s

    @property
    def oldest_is_done(self) -> bool:
        """Whether the oldest one's answer is there."""
        return bool(self._sent) and self._sent[0].answer.done()

    def take_oldest(self) -> Acknowledged | None:
        """Take the oldest one out; None if its partitions were handed over meanwhile.

        Raises
        ------
        StoppedError, TapewatchError
            As `Sink.write`.
        """
        sent = self._sent.popleft()
        rejected = sent.answer.result()
        if not sent.is_owned:
            return None
        batch = sent.batch
        rejected_at = {item.at for item in rejected}
        written = _count_topics(batch.records)
        removed = 0
        if rejected or batch.removals:
            for at, (record, (_, content)) in enumerate(zip(batch.records, batch.entries, strict=True)):
                if at in rejected_at or content is None:
                    written[record.topic()] -= 1
                    removed += at not in rejected_at
        letters = [(batch.records[item.at], item.reason) for item in rejected]
        last = batch.records[-1] if batch.records else None
        return Acknowledged(letters, +written, removed, sent.offsets, last)

    def abandon(self) -> None:
        """Keep waiting for all, as they may still be written, but neither commit nor repeat any."""
        for sent in self._sent:
            sent.is_owned = False
