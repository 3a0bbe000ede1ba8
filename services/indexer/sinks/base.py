"""What a sink is: the target into which the indexer writes the records of topics.

The runner reads, gathers batches, and has a sink write them. Only the sink knows how the target stores them.
There are two kinds: one whose offsets are in Kafka, which must take a batch twice, and one that keeps the
offsets itself, in the transaction of what it stores.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from services.common.config.settings import Settings
from services.common.kafka.connection import KafkaConnection
from services.common.kafka.consumer_loop import NotRestoredError
from services.common.kafka.end_offsets import Partition
from services.common.kafka.records import Record
from services.common.observability.health import Health
from services.common.process.shutdown import Stop
from services.contracts.topics import ANOMALIES_TOPIC, TRADES_TOPIC

Entry = tuple[bytes, bytes | None]
"""What one record asks a sink to do: its target, and the content.

The target is what the record is about, and known by: two records with equal targets are never in one batch,
nor in flight at the same time, so the later one wins. The content is what to put there; None to remove what
is there. A plain tuple, as there are a hundred thousand of them a second.
"""


class RejectedRecordError(ValueError):
    """A record that a sink can never store; the message is the reason."""


class StoppedError(Exception):
    """A stop was requested while entries waited for a retry; they must not be committed."""


@dataclass(frozen=True)
class Rejected:
    """An entry that can never be written as it is.

    Parameters
    ----------
    at
        The entry's index in the batch.
    reason
        The reason, as the store reports it.
    """

    at: int
    reason: str


class Sink(ABC):
    """A store that records are written to; derive from one of its two kinds below.

    Parameters
    ----------
    settings
        Addresses of the servers.
    stop
        Ends waits, see `write`.
    """

    title: ClassVar[str]
    """Name of the store, for display."""

    topics: ClassVar[tuple[str, ...]] = (TRADES_TOPIC, ANOMALIES_TOPIC)
    """Topics that it reads."""

    connections: ClassVar[int] = 1
    """How many batches it writes at the same time, each in a thread of its own."""

    @abstractmethod
    def __init__(self, settings: Settings, stop: Stop) -> None: ...

    @abstractmethod
    def prepare(self, record: Record, /) -> Entry:
        """Return a record's target and content; called for every record, so it must be fast and do no I/O.

        Raises
        ------
        RejectedRecordError
            If the record can never be written; it becomes a dead letter.
        """

    def wait_until_ready(self, health: Health) -> bool:  # noqa: ARG002
        """Wait until the store is available, then check that it is set up correctly.

        Parameters
        ----------
        health
            Gets the reason for the wait meanwhile.

        Returns
        -------
        bool
            False if a stop was requested first.

        Raises
        ------
        TapewatchError
            If the store is not set up, or would lose records.
        """
        return True


class IdempotentSink(Sink):
    """A store in which writing a batch twice has the same result as writing it once.

    The offsets are in Kafka, committed after the acknowledgement, so a restart writes again what was written
    and not committed.
    """

    @abstractmethod
    def write(self, entries: list[Entry], is_wanted: Callable[[], bool]) -> list[Rejected]:
        """Write a batch; return when each entry is stored safely or rejected permanently. Called in threads.

        Retries temporary failures for as long as it takes.

        Parameters
        ----------
        entries
            The entries, each with a different target.
        is_wanted
            To be called before each retry: another instance may have taken over the work, and a late retry
            would undo its changes.

        Raises
        ------
        StoppedError
            If a stop was requested while entries waited for a retry.
        TapewatchError
            If nothing can be written, and retries would not help.
        """


class NotNowError(NotRestoredError):
    """The store does not answer now; it is to be asked again a moment later."""


class TransactionalSink(Sink):
    """A store that keeps the offsets itself, in the transaction of what it stores.

    So what is stored and how far the topics were read can never differ. Kafka gets the same offsets
    afterwards, for tools that show a group's lag; nothing resumes from there.
    """

    @abstractmethod
    def claim(
        self, partitions: Sequence[Partition], kafka: KafkaConnection
    ) -> Mapping[Partition, int | None]:
        """Take partitions over, and return the next offset of each; None where nothing was stored of it.

        From then on, no instance that had one of them before can store anything of it.

        Parameters
        ----------
        partitions
            All that this instance has now.
        kafka
            Where they are.

        Raises
        ------
        NotNowError
            The store does not answer.
        KafkaException
            The broker does not answer.
        TapewatchError
            The topics are not those whose offsets the store has.
        """

    @abstractmethod
    def write(
        self,
        records: Sequence[Record],
        entries: Sequence[Entry],
        offsets: Mapping[Partition, int],
        is_wanted: Callable[[], bool],
        publish: Callable[[list[Rejected]], bool],
    ) -> list[Rejected]:
        """Write a batch and the offsets behind it, in one transaction. Called in threads, one at a time.

        Retries temporary failures for as long as it takes.

        Parameters
        ----------
        records, entries
            The records and what each asks for; both may be empty, where only offsets have to be stored.
        offsets
            The next offset of each partition.
        is_wanted
            To be called before each retry; once it says no, nothing more may be stored.
        publish
            To be called before the transaction is committed: it returns when the dead letters of these
            entries are safe, and those of all that was rejected before the batch. If it returns False, the
            batch is no longer wanted, and must not be committed.

        Raises
        ------
        StoppedError, TapewatchError
            As `IdempotentSink.write`.
        """
