"""Batches on their way to Elasticsearch: in order where it matters, side by side where it does not.

No document is under way twice: two versions of one, sent by two connections or in parts, could arrive in the
wrong order. So a batch is about a target once at most, and waits for those under way that are about one of
its own.
"""

import threading
import time
from collections import Counter, deque
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field

from confluent_kafka import Message

from services.common.kafka.offsets import Partition
from services.common.process.background import in_background
from services.contracts.topics import ANOMALIES_TOPIC
from services.indexer.sinks.elasticsearch.bulk import Refused
from services.indexer.sinks.elasticsearch.documents import Document

CONNECTIONS = 4
MAX_UNDER_WAY = 2 * CONNECTIONS
"""So many batches may wait for an older one's answer, with those that are being sent."""

MAX_BATCH_DOCUMENTS = 5_000
MAX_BATCH_BYTES = 8 << 20
FLUSH_AFTER_S = 0.5
"""A partial batch waits that long for more."""

Send = Callable[[list[Document], Callable[[], bool]], list[Refused]]

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

    def add(self, message: Message, document: Document) -> bool:
        """Take one more; returns False if there is no room for it, or something about the same target."""
        target, source = document
        targets = self.targets
        size_bytes = self.size_bytes + len(source or b"")
        if not targets:
            self._began_s = time.monotonic()
        elif target in targets or len(targets) >= MAX_BATCH_DOCUMENTS or size_bytes > MAX_BATCH_BYTES:
            return False
        targets.add(target)
        self.messages.append(message)
        self.documents.append(document)
        self.size_bytes = size_bytes
        if source is None:
            self.retractions += 1
        return True

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
    is_ours: bool = True
    answer: Future[list[Refused]] = field(init=False)


class UnderWay:
    """The batches under way, in the order in which they were read.

    Parameters
    ----------
    send
        Indexes documents and returns those refused for good, as `BulkSender.send`; called in threads.
    """

    def __init__(self, send: Send) -> None:
        self._send = send
        self._sent: deque[_Sent] = deque()
        self._answered = threading.Event()

    def __bool__(self) -> bool:
        return bool(self._sent)

    @property
    def has_ours(self) -> bool:
        """Whether any of them is still to be committed."""
        return any(sent.is_ours for sent in self._sent)

    def takes(self, batch: Batch) -> bool:
        """Whether a batch may go now."""
        return (
            sum(not sent.answer.done() for sent in self._sent) < CONNECTIONS
            and len(self._sent) < MAX_UNDER_WAY
            and all(batch.targets.isdisjoint(sent.batch.targets) for sent in self._sent)
        )

    def send(self, batch: Batch, offsets: Offsets) -> None:
        """Send a batch; `offsets` are to be committed when it has arrived."""
        sent = _Sent(batch, offsets)
        sent.answer = in_background(self._send, batch.documents, lambda: sent.is_ours)
        sent.answer.add_done_callback(lambda _: self._answered.set())
        self._sent.append(sent)

    def count(self) -> Counter[str]:
        """Return how many messages wait for an answer, by topic."""
        return Counter(message.topic() for sent in self._sent for message in sent.batch.messages)

    def wait(self, within_s: float) -> None:
        """Wait until a batch has been answered since the last call."""
        self._answered.wait(within_s)
        self._answered.clear()

    @property
    def oldest_is_done(self) -> bool:
        """Whether the oldest one's answer is there."""
        return bool(self._sent) and self._sent[0].answer.done()

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
        indexed = Counter(map(Message.topic, batch.messages))
        indexed[ANOMALIES_TOPIC] -= batch.retractions
        retractions = batch.retractions
        for item in refused:
            _, source = batch.documents[item.at]
            if source is None:
                retractions -= 1
            else:
                indexed[batch.messages[item.at].topic()] -= 1
        letters = [(batch.messages[item.at], item.error) for item in refused]
        _, last_source = batch.documents[-1]
        return Arrived(letters, +indexed, retractions, sent.offsets, last_source)

    def disown(self) -> None:
        """Go on waiting for all, as they may still change documents, but for no commit and no repetition."""
        for sent in self._sent:
            sent.is_ours = False
