"""What a sink is: the target into which the indexer writes the records of topics.

The runner reads, gathers batches, has a sink write them, and commits the offsets. Only the sink knows how
the target stores them.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

from services.common.config.settings import Settings
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
    """A store that records are written to.

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

    @abstractmethod
    def write(self, entries: list[Entry], is_wanted: Callable[[], bool]) -> list[Rejected]:
        """Write a batch; return when each entry is stored safely or rejected permanently. Called in threads.

        Retries temporary failures for as long as it takes. A batch may be written again after a restart, so
        writing it twice must have the same result as writing it once.

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
