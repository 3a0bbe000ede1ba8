"""What a peer is: an engine in an environment of its own that does one small job on Kafka.

The job: read trades as JSON, publish those larger than a threshold as JSON, exactly once.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import ClassVar

from confluent_kafka.admin import AdminClient, NewTopic

from benchmarks.peers.comparing import Key, Rows, trade_rows
from benchmarks.peers.program import Program
from benchmarks.surroundings import PROJECT
from benchmarks.topics import await_topics
from services.common.kafka.records import Record
from services.contracts.topics import DEFAULT_PARTITIONS


class Purpose(Enum):
    """What an engine is set for; most have one best setting for each."""

    RATE = "rate"
    """To work off a full topic."""
    LIVE = "live"
    """To publish each trade soon after it came, and to resume soon after a kill."""


@dataclass(frozen=True)
class Job:
    """A peer's work.

    Parameters
    ----------
    bootstrap
        Bootstrap servers of Kafka.
    group
        Consumer group, which no earlier job had.
    source, sink
        Topics to read from and to publish to; both exist.
    threshold_shares
        Trades with a larger size are published.
    folder
        Folder of the job's own, which stays the same when the engine is started again.
    purpose
        What to set the engine for.
    """

    bootstrap: str
    group: str
    source: str
    sink: str
    threshold_shares: int
    folder: Path
    purpose: Purpose


@dataclass(frozen=True)
class Command:
    """How an engine is started.

    Parameters
    ----------
    arguments
        The program and its arguments.
    env
        The whole environment.
    """

    arguments: Sequence[str]
    env: Mapping[str, str]


class Peer(ABC):
    """An engine.

    Attributes
    ----------
    name
        Its name and version, as the table shows them.
    publishes_trades
        Whether its output is the trades above the threshold.
    """

    name: ClassVar[str]
    publishes_trades: ClassVar[bool] = True

    @abstractmethod
    def set_up(self) -> None:
        """Install what it needs, unless it is installed.

        Raises
        ------
        TapewatchError
            It cannot be set up here; says why.
        """

    @abstractmethod
    def command(self, job: Job) -> Command:
        """Return how to start the engine with a job, or again with a job that it was killed at."""

    def places(self, run: str) -> tuple[str, str]:
        """Return the consumer group and the output topic of a run."""
        return run, run

    def clear(self, admin: AdminClient, job: Job) -> None:
        """Make the job's output topic, and forget what an earlier run left."""
        for created in admin.create_topics([NewTopic(job.sink, DEFAULT_PARTITIONS)]).values():
            created.result()
        await_topics(admin, [job.sink])

    def start(self, job: Job, log_file: Path) -> Program:
        """Start the engine with a job, or again with a job that it was killed at."""
        command = self.command(job)
        return Program(command.arguments, command.env, log_file, PROJECT)

    def rows(self, records: Sequence[Record]) -> list[tuple[Key, Mapping[str, object]]]:
        """Return what is to be compared of the output's records, each with what names it."""
        return trade_rows(records)

    def wanted(self, job: Job, large: Sequence[Record], log_file: Path) -> Rows:  # noqa: ARG002
        """Return what the output has to be, by what names it.

        Parameters
        ----------
        job
            The job, whose engine has ended.
        large
            The trades above the threshold, of the whole input topic.
        log_file
            File that an engine started for this appends to.
        """
        return dict(trade_rows(large))
