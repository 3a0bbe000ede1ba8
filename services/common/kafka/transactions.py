"""Kafka transactions that survive a broker's outage, an abort and a zombie's return.

A call that timed out is repeated, the same call: committing after a timed-out sending of offsets would not
end. An error that the client calls abortable ends in an abort; a fatal one in a new client of the same name,
which fences the old one off. In both cases the user of this class reads again what was committed last.
"""

import threading
import time
from collections import deque
from collections.abc import Callable
from typing import NoReturn

import structlog
from confluent_kafka import KafkaException, Producer, TopicPartition

from services.common.errors import TapewatchError
from services.common.kafka.clients import new_producer
from services.common.process.readiness import WaitingLog
from services.common.process.shutdown import Stop

TRANSACTION_TIMEOUT_MS = 10_000
"""An abandoned transaction holds up every reader until then."""

CALL_TIMEOUT_S = 2.0
"""Of one call; short, as a stop is looked for between two."""

STUCK_S = TRANSACTION_TIMEOUT_MS / 1000 + 2.0
"""What has not succeeded by then may never do, and its transaction is over anyway: a new client is better."""

MAX_FENCINGS = 3
FENCINGS_WITHIN_S = 60.0
"""A client that is fenced so often has a living rival of the same name."""

GroupMetadata = object
"""What `Consumer.consumer_group_metadata` returns."""


class TransactionAbortedError(Exception):
    """The transaction came to nothing; what was committed before it stands.

    Attributes
    ----------
    fenced
        Whether this client's name went to another, or its transaction ran out of time; it has to be opened
        again before the next transaction.
    """

    def __init__(self, reason: str, fenced: bool) -> None:
        super().__init__(reason)
        self.fenced = fenced


class _StuckError(Exception):
    """A call of the client does not come back."""


class StoppedWaitingError(Exception):
    """A stop came while the broker was away; the open transaction is left to end by its time limit."""


class Transactions:
    """A transactional producer.

    Parameters
    ----------
    bootstrap
        Where Kafka is.
    name
        The transactional id: the same over restarts, so that a restart ends what its forerunner left open.
    stop
        Ends the waiting for a broker that is away.
    beat
        Called now and then meanwhile, as by `Health.beat`.
    config
        librdkafka's own settings beside those of `new_producer`.

    Attributes
    ----------
    producer
        What messages are handed to between `begin` and `commit`; another object after `open`.
    """

    producer: Producer

    def __init__(
        self, bootstrap: str, name: str, stop: Stop, beat: Callable[[], None], **config: object
    ) -> None:
        self._bootstrap = bootstrap
        self._name = name
        self._stop = stop
        self._beat = beat
        self._config = config
        self._log = structlog.get_logger()
        self._fenced_s: deque[float] = deque(maxlen=MAX_FENCINGS)
        self.open()

    def open(self) -> None:
        """Become the one client of this name; an older one is fenced, its open transaction aborted.

        Raises
        ------
        TapewatchError
            It was fenced so often of late that another one of this name must be at work.
        StoppedWaitingError
            See there; so do the other methods.
        """
        fenced_s = self._fenced_s
        if len(fenced_s) == MAX_FENCINGS and time.monotonic() - fenced_s[0] < FENCINGS_WITHIN_S:
            raise TapewatchError(
                f"Another process works under the same name, {self._name}; Kafka lets only one commit.",
                "Give each its own TAPEWATCH_INSTANCE.",
            )
        while True:
            self._make_client()
            try:
                self._repeat(lambda: self.producer.init_transactions(CALL_TIMEOUT_S))
            except (KafkaException, _StuckError) as error:
                # A newer one of this name was opened at the same moment, or the coordinator moved.
                self._log.warning("transactions not opened, trying again", error=str(error))
                self._stop.wait(1.0)
                self._raise_if_overdue()
            else:
                return

    def _make_client(self) -> None:
        left = [self.__dict__.pop("producer", None)]
        # A client that is stuck may take its time to go; nobody waits for it.
        threading.Thread(target=left.clear, daemon=True).start()
        self.producer = new_producer(
            self._bootstrap,
            **{
                "transactional.id": self._name,
                "transaction.timeout.ms": TRANSACTION_TIMEOUT_MS,
                "message.timeout.ms": TRANSACTION_TIMEOUT_MS,
            },
            **self._config,
        )

    def begin(self) -> None:
        """Begin a transaction.

        Raises
        ------
        TransactionAbortedError
            The client was fenced meanwhile.
        """
        try:
            self.producer.begin_transaction()
        except KafkaException as error:
            self.fail(error)

    def commit(self, offsets: list[TopicPartition] | None = None, group: GroupMetadata | None = None) -> None:
        """Commit what was produced since `begin`, and the offsets with it.

        Parameters
        ----------
        offsets
            The next ones to read, of a consumer's partitions.
        group
            That consumer's membership: of an earlier generation, the transaction is refused.

        Raises
        ------
        TransactionAbortedError
            Nothing of it was committed.
        """
        try:
            if offsets:
                self._repeat(lambda: self._send_offsets(offsets, group))
            self._repeat(lambda: self.producer.commit_transaction(CALL_TIMEOUT_S))
        except KafkaException as error:
            self.fail(error)
        except _StuckError as error:
            raise TransactionAbortedError(str(error), fenced=True) from error

    def _send_offsets(self, offsets: list[TopicPartition], group: GroupMetadata | None) -> None:
        """Send offsets, but not for ever.

        This one call ignores its time limit: after a broker's restart it may wait for an event that has
        passed (librdkafka's issues 5456 and 5511). It is left behind then, with its client.
        """
        producer = self.producer
        failures: list[KafkaException] = []

        def send() -> None:
            try:
                producer.send_offsets_to_transaction(offsets, group, CALL_TIMEOUT_S)
            except KafkaException as error:
                failures.append(error)

        thread = threading.Thread(target=send, daemon=True)
        thread.start()
        deadline_s = time.monotonic() + STUCK_S
        while thread.is_alive():
            self._beat()
            thread.join(0.5)
            if thread.is_alive() and time.monotonic() >= deadline_s:
                raise _StuckError("the client did not come back from sending offsets")
            self._raise_if_overdue()
        if failures:
            raise failures[0]

    def abort(self, reason: str) -> NoReturn:
        """End the open transaction without a trace.

        Raises
        ------
        TransactionAbortedError
            Always.
        """
        raise TransactionAbortedError(reason, fenced=not self._end())

    def fail(self, cause: KafkaException) -> NoReturn:
        """End the open transaction without a trace, as the client reported an error.

        Raises
        ------
        TransactionAbortedError
            Always.
        """
        error = cause.args[0]
        if error.fatal():
            self._fenced_s.append(time.monotonic())
        is_good = error.txn_requires_abort() and not error.fatal() and self._end()
        raise TransactionAbortedError(error.str(), fenced=not is_good) from cause

    def _end(self) -> bool:
        """Abort the open transaction; returns whether this client is still good."""
        try:
            self._repeat(lambda: self.producer.abort_transaction(CALL_TIMEOUT_S))
        except (KafkaException, _StuckError) as error:
            self._log.warning("abort failed", error=str(error))
            return False
        return True

    def _repeat(self, call: Callable[[], None]) -> None:
        """Make a call, and the same again while the broker does not answer, but not for ever."""
        waiting = WaitingLog(f"Kafka at {self._bootstrap}")
        deadline_s = time.monotonic() + STUCK_S
        while True:
            self._beat()
            began_s = time.monotonic()
            try:
                call()
            except KafkaException as error:
                if not error.args[0].retriable():
                    raise
                waiting.note(error)
                self._raise_if_overdue()
                if time.monotonic() >= deadline_s:
                    raise _StuckError(f"no answer within {STUCK_S:.0f} s: {error.args[0].str()}") from error
                self._stop.wait(max(0.0, 0.1 - (time.monotonic() - began_s)))
            else:
                return

    def _raise_if_overdue(self) -> None:
        if self._stop.overdue:
            raise StoppedWaitingError
