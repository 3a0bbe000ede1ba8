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
    """A record that a sink can never take; says why."""


class StoppedError(Exception):
    """A stop came while entries waited to be written again; nothing of them may be committed."""


@dataclass(frozen=True)
class Rejected:
    """An entry that can never be written as it is.

    Parameters
    ----------
    at
        Its place in the batch.
    reason
        Why, in the words of what lies behind the sink.
    """

    at: int
    reason: str


class Sink(ABC):
    """One target that records are written to.

    Parameters
    ----------
    settings
        Where everything is.
    stop
        Ends waiting, see `write`.
    """

    title: ClassVar[str]
    """Name of the target, for people."""

    topics: ClassVar[tuple[str, ...]] = (TRADES_TOPIC, ANOMALIES_TOPIC)
    """Topics that it reads."""

    connections: ClassVar[int] = 1
    """How many batches it writes at the same time, each in a thread of its own."""

    @abstractmethod
    def __init__(self, settings: Settings, stop: Stop) -> None: ...

    @abstractmethod
    def prepare(self, record: Record, /) -> Entry:
        """Say what a record asks for; called for each one, so it is quick and asks nobody.

        Raises
        ------
        RejectedRecordError
            It can never be written; it becomes a dead letter.
        """

    @abstractmethod
    def write(self, entries: list[Entry], is_wanted: Callable[[], bool]) -> list[Rejected]:
        """Write a batch; return when each entry is safe, or rejected for good. Called in threads.

        What fails for now is tried again here, for as long as it takes. A batch may come again after a
        restart, so writing it twice must be as writing it once.

        Parameters
        ----------
        entries
            Each about another target.
        is_wanted
            To be asked before anything is tried again: another instance may have taken the work over, and a
            late repetition would undo what that has done.

        Raises
        ------
        StoppedError
            See there.
        TapewatchError
            Nothing can be written, and no repetition would change that.
        """

    def wait_until_ready(self, health: Health) -> bool:  # noqa: ARG002
        """Wait for what lies behind, then check that all is set up as it has to be.

        Parameters
        ----------
        health
            Told meanwhile that the service waits, and for what.

        Returns
        -------
        bool
            False if a stop came first.

        Raises
        ------
        TapewatchError
            It is not set up, or would lose records.
        """
        return True
