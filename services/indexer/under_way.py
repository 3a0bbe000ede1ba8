"""Batches on their way to Elasticsearch: in order where it matters, side by side where it does not.

No document is under way twice: two versions of one, sent by two connections or in parts, could arrive in the
wrong order. So a batch is about a target once at most, and waits for those under way that are about one of
its own.
"""

import time
from collections import Counter, deque
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field

from confluent_kafka import Message

from services.common.contracts import ANOMALIES_TOPIC
from services.common.kafka import Partition
from services.indexer.background import in_background, is_done
from services.indexer.bulk import Refused
from services.indexer.documents import Document

CONNECTIONS = 3
MAX_BATCH_DOCUMENTS = 5_000
MAX_BATCH_BYTES = 8 << 20
FLUSH_AFTER_S = 0.5
"""A partial batch waits that long for more."""

Offsets = dict[Partition, int]
"""The next offset to read, by partition."""


@dataclass
class Batch:
    """Messages and what each asks for."""

    messages: list[Message] = field(default_factory=list)
    documents: list[Document] = field(default_factory=list)
    targets: set[bytes] = field(default_factory=set)
    size_bytes: int = 0
    retractions: int = 0
    _began_s: float = 0.0

    def add(self, message: Message, document: Document) -> None:
        """Take one more."""
        if not self.documents:
            self._began_s = time.monotonic()
        self.messages.append(message)
        self.documents.append(document)
        self.targets.add(document.target)
        self.size_bytes += len(document.source or b"")
        self.retractions += document.source is None

    def takes(self, document: Document) -> bool:
        """Whether there is room, and nothing about the same target."""
        return (
            document.target not in self.targets
            and len(self.documents) < MAX_BATCH_DOCUMENTS
            and (not self.documents or self.size_bytes + len(document.source or b"") <= MAX_BATCH_BYTES)
        )

    @property
    def room(self) -> int:
        """How many more documents it takes."""
        return MAX_BATCH_DOCUMENTS - len(self.documents)

    @property
    def is_due(self) -> bool:
        """Whether it is full, or has waited long enough for more."""
        return bool(self.documents) and (
            self.room == 0
            or self.size_bytes >= MAX_BATCH_BYTES
            or time.monotonic() - self._began_s >= FLUSH_AFTER_S
        )

    @property
    def offsets(self) -> Offsets:
        """The offsets behind its messages; they come in order, so a partition's last one counts."""
        return {(message.topic(), message.partition()): message.offset() + 1 for message in self.messages}


@dataclass(frozen=True)
class Arrived:
    """A batch that Elasticsearch has answered."""

    refused: list[tuple[Message, str]]
    """What it will never take, and why."""
    indexed: Counter[str]
    """Documents, by topic."""
    retractions: int
    offsets: Offsets
    """To be committed now."""
    last_source: bytes | None


@dataclass
class _Sent:
    batch: Batch
    offsets: Offsets
    answer: Future[list[Refused]]
    is_ours: bool = True


class UnderWay:
    """The batches under way, in the order in which they were read.

    Parameters
    ----------
    send
        Indexes documents and returns those refused for good; called in threads.
    """

    def __init__(self, send: Callable[[list[Document]], list[Refused]]) -> None:
        self._send = send
        self._sent: deque[_Sent] = deque()

    def __bool__(self) -> bool:
        return bool(self._sent)

    @property
    def has_ours(self) -> bool:
        """Whether any of them is still to be committed."""
        return any(sent.is_ours for sent in self._sent)

    def takes(self, batch: Batch) -> bool:
        """Whether a batch may go now."""
        return len(self._sent) < CONNECTIONS and all(
            batch.targets.isdisjoint(sent.batch.targets) for sent in self._sent
        )

    def send(self, batch: Batch, offsets: Offsets) -> None:
        """Send a batch; `offsets` are to be committed when it has arrived."""
        self._sent.append(_Sent(batch, offsets, in_background(self._send, batch.documents)))

    def oldest_is_done(self, within_s: float) -> bool:
        """Wait for the oldest one's answer; returns whether it is there."""
        return is_done(self._sent[0].answer, within_s)

    def take_oldest(self) -> Arrived | None:
        """Take the oldest one out; None if its messages were handed away meanwhile.

        Raises
        ------
        StoppedError, TapewatchError
            As `BulkSender.send`.
        """
        sent = self._sent.popleft()
        refused = sent.answer.result()
        if not sent.is_ours:
            return None
        batch = sent.batch
        indexed = Counter(message.topic() for message in batch.messages)
        indexed[ANOMALIES_TOPIC] -= batch.retractions
        retractions = batch.retractions
        for item in refused:
            if batch.documents[item.at].source is None:
                retractions -= 1
            else:
                indexed[batch.messages[item.at].topic()] -= 1
        letters = [(batch.messages[item.at], item.error) for item in refused]
        return Arrived(letters, +indexed, retractions, sent.offsets, batch.documents[-1].source)

    def disown(self) -> None:
        """Go on waiting for all, as they may still change documents, but for no commit."""
        for sent in self._sent:
            sent.is_ours = False
