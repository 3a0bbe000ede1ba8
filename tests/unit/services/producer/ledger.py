"""Kafka as the publisher sees it, in memory: only what is committed stays."""

from collections.abc import Iterator
from typing import Any, NoReturn

import msgspec
from confluent_kafka import KafkaError, KafkaException

from services.common.kafka.connection import KafkaConnection
from services.common.kafka.transactions import TransactionAbortedError
from services.contracts.topics import DEAD_LETTERS_TOPIC, PROGRESS_TOPIC, TRADES_TOPIC
from services.producer.progress import Progress


class Ledger:
    """The topics, and faults that calls raise.

    Parameters
    ----------
    faults
        What goes wrong with each call: `full` (the client's queue, unless it is empty), `refused` (by the
        broker), `aborted`, or None.
    """

    def __init__(self, faults: Iterator[str | None]) -> None:
        self._faults = faults
        self._open: list[tuple[str, Any, Any]] = []
        self.committed: list[tuple[str, Any, Any]] = []
        self.commits = 0
        self.producer = self

    def transactions(self, *_: object) -> "Ledger":
        """Take the place of `Transactions`."""
        return self

    def load_progress(self, _kafka: KafkaConnection, key: str, _stop: object) -> Progress | None:
        """Take the place of `progress.load_progress`."""
        found = [
            value for topic, at, value in self.committed if (topic, at) == (PROGRESS_TOPIC, key.encode())
        ]
        return msgspec.json.decode(found[-1], type=Progress) if found else None

    def open(self) -> None:
        """No other producer is active."""

    def begin(self) -> None:
        assert not self._open

    def commit(self) -> None:
        if next(self._faults, None) == "aborted":
            self.abort("aborted")
        self.committed += self._open
        self._open = []
        self.commits += 1

    def abort(self, reason: str) -> NoReturn:
        self._open = []
        raise TransactionAbortedError(reason, fenced=False)

    def fail(self, cause: KafkaException) -> NoReturn:
        self.abort(str(cause))

    def produce(self, topic: str, *, value: bytes, key: bytes | None = None, headers: Any = None) -> None:  # noqa: ANN401
        if next(self._faults, None) == "full" and self._open:
            raise BufferError("Local: Queue full")
        self._open.append((topic, key or headers, value))

    def produce_batch(self, topic: str, messages: list[dict[str, Any]]) -> int:
        if next(self._faults, None) == "refused":
            messages[0]["_error"] = KafkaError(KafkaError.MSG_SIZE_TOO_LARGE)
            return len(messages) - 1
        self._open += [(topic, message["key"], message["value"]) for message in messages]
        return len(messages)

    def poll(self, timeout_s: float) -> None:
        """Nothing to serve."""

    @property
    def trades(self) -> list[bytes]:
        """The committed trades."""
        return [value for topic, _, value in self.committed if topic == TRADES_TOPIC]

    @property
    def rejected(self) -> list[bytes]:
        """The committed rejected rows."""
        return [value for topic, _, value in self.committed if topic == DEAD_LETTERS_TOPIC]

    def progress(self, key: str) -> Progress:
        """The latest progress record of a source."""
        found = self.load_progress(KafkaConnection("nowhere:1"), key, None)
        assert found is not None
        return found
