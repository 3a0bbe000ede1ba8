"""Kafka transactions that survive a broker's outage, an abort and the return of a zombie.

A call that timed out is repeated unchanged: a commit after offsets whose sending timed out would hang. An
error that the client calls abortable ends in an abort; a fatal one in a new client with the same id, which
fences the old one. In both cases the caller reads again from the last commit.
"""

import math
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import NoReturn

import structlog
from confluent_kafka import KafkaError, KafkaException, Producer, TopicPartition

from services.common.errors import TapewatchError
from services.common.kafka.authorization import denied
from services.common.kafka.clients import new_producer
from services.common.kafka.connection import KafkaConnection
from services.common.process.readiness import ThrottledWarning
from services.common.process.shutdown import Stop

TRANSACTION_TIMEOUT_MS = 10_000
"""An abandoned transaction blocks every reader for so long."""

CALL_TIMEOUT_S = 2.0
"""Time limit of one call; short, as a stop is checked for between two calls."""

RETRY_MS = 5
"""Until a request is repeated that the broker is not ready for; doubled each time. The first request of a
transaction is one while the broker still ends the transaction before: with librdkafka's 100 ms, one result in
thirty of a detector that commits 170 times a second would be that late."""

STUCK_S = TRANSACTION_TIMEOUT_MS / 1000 + 2.0
"""A call that takes longer may never succeed, and its transaction has expired: a new client is better."""

MAX_FENCINGS = 6
MAX_FENCINGS_PAUSED = 3
FENCINGS_WITHIN_S = 60.0
"""A client that is fenced so often competes with another one that uses the same id. One that was fenced after
it had committed nothing for `PAUSED_AFTER_S` gives up sooner: it may have been paused and replaced."""

PAUSED_AFTER_S = TRANSACTION_TIMEOUT_MS / 1000

GroupMetadata = object
"""What `Consumer.consumer_group_metadata` returns."""


class TransactionAbortedError(Exception):
    """The transaction was aborted; earlier commits stand.

    Attributes
    ----------
    fenced
        Whether another client took over this id, or the transaction timed out; the client must be opened
        again before the next transaction.
    """

    def __init__(self, reason: str, fenced: bool) -> None:
        super().__init__(reason)
        self.fenced = fenced


class _StuckError(Exception):
    """A call of the client does not return."""


class StoppedWaitingError(Exception):
    """A stop came while the broker was unavailable; the open transaction is left to time out."""


class Transactions:
    """A transactional producer.

    Parameters
    ----------
    kafka
        Connection to Kafka.
    name
        The transactional id: the same after a restart, which then aborts what the previous run left open.
    stop
        Ends the waiting for an unavailable broker.
    beat
        Called regularly during the wait, such as `Health.beat`.
    config
        librdkafka settings in addition to those of `new_producer`.

    Attributes
    ----------
    producer
        Takes the messages between `begin` and `commit`; a new object after `open`.
    """

    producer: Producer

    def __init__(
        self, kafka: KafkaConnection, name: str, stop: Stop, beat: Callable[[], None], **config: object
    ) -> None:
        self._kafka = kafka
        self._name = name
        self._stop = stop
        self._beat = beat
        self._config = config
        self._log = structlog.get_logger()
        self._fenced_s: deque[float] = deque(maxlen=MAX_FENCINGS)
        self._fenced_paused_s = -math.inf
        """When it was last fenced after a pause."""
        self._committed_s = time.monotonic()
        self.open()

    def open(self) -> None:
        """Become the only client with this id; an older one is fenced, its open transaction aborted.

        Raises
        ------
        TapewatchError
            It was fenced so often recently that another process must be using the same id, or Kafka denies
            the user this id.
        StoppedWaitingError
            See there; so do the other methods.
        """
        since_s = time.monotonic() - FENCINGS_WITHIN_S
        most = MAX_FENCINGS_PAUSED if self._fenced_paused_s > since_s else MAX_FENCINGS
        if sum(at_s > since_s for at_s in self._fenced_s) >= most:
            raise TapewatchError(
                f"Another process uses the transactional id {self._name}; "
                "Kafka allows one active producer per id.",
                "Give each process its own TAPEWATCH_INSTANCE.",
            )
        while True:
            self._make_client()
            with suppress(KafkaException):
                # Else, without a connection yet, the client looks for its coordinator half a second later.
                self.producer.list_topics(timeout=CALL_TIMEOUT_S)
            try:
                self._repeat(lambda: self.producer.init_transactions(CALL_TIMEOUT_S))
            except (KafkaException, _StuckError) as error:
                if isinstance(error, KafkaException) and (refusal := denied(error.args[0])):
                    raise refusal from error
                # A newer client with this id was opened at the same moment, or the coordinator moved.
                self._log.warning("transactions could not be initialized; trying again", error=str(error))
                self._stop.wait(1.0)
                self._raise_if_grace_expired()
            else:
                return

    def _make_client(self) -> None:
        left = [self.__dict__.pop("producer", None)]
        # A stuck client may take its time to close; do not wait for it.
        threading.Thread(target=left.clear, daemon=True).start()
        self.producer = new_producer(
            self._kafka,
            **{
                "transactional.id": self._name,
                "transaction.timeout.ms": TRANSACTION_TIMEOUT_MS,
                "message.timeout.ms": TRANSACTION_TIMEOUT_MS,
                "retry.backoff.ms": RETRY_MS,
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
            That consumer's membership; if it is of an earlier generation, the transaction is rejected.

        Raises
        ------
        TransactionAbortedError
            Nothing was committed.
        """
        try:
            if offsets:
                self._repeat(lambda: self._send_offsets(offsets, group))
            self._repeat(lambda: self.producer.commit_transaction(CALL_TIMEOUT_S))
            self._committed_s = time.monotonic()
        except KafkaException as error:
            self.fail(error)
        except _StuckError as error:
            raise TransactionAbortedError(str(error), fenced=True) from error

    def _send_offsets(self, offsets: list[TopicPartition], group: GroupMetadata | None) -> None:
        """Send offsets, but not for ever.

        This one call ignores its time limit: after a broker's restart it may wait for an event that has
        passed (librdkafka's issues 5456 and 5511). The call is abandoned then, with its client.
        """
        producer = self.producer
        failures: list[KafkaException] = []

        def send() -> None:
            try:
                producer.send_offsets_to_transaction(offsets, group, CALL_TIMEOUT_S)
            except KafkaException as error:
                # With its traceback it would hold this frame, and so the client, until garbage is collected.
                failures.append(error.with_traceback(None))

        thread = threading.Thread(target=send, daemon=True)
        thread.start()
        deadline_s = time.monotonic() + STUCK_S
        while thread.is_alive():
            self._beat()
            thread.join(0.5)
            if thread.is_alive() and time.monotonic() >= deadline_s:
                raise _StuckError("the client did not return from sending offsets")
            self._raise_if_grace_expired()
        if failures:
            raise failures.pop()

    def abort(self, reason: str) -> NoReturn:
        """Abort the open transaction.

        Raises
        ------
        TransactionAbortedError
            Always.
        """
        raise TransactionAbortedError(reason, fenced=not self._end())

    def fail(self, cause: KafkaException) -> NoReturn:
        """Abort the open transaction, as the client reported an error.

        Raises
        ------
        TransactionAbortedError
            Always.
        """
        error = cause.args[0]
        if error.fatal() or error.code() == KafkaError._FATAL:
            now_s = time.monotonic()
            self._fenced_s.append(now_s)
            if now_s - self._committed_s > PAUSED_AFTER_S:
                self._fenced_paused_s = now_s
        is_usable = error.txn_requires_abort() and not error.fatal() and self._end()
        raise TransactionAbortedError(error.str(), fenced=not is_usable) from cause

    def _end(self) -> bool:
        """Abort the open transaction; returns whether this client is still usable."""
        try:
            self._repeat(lambda: self.producer.abort_transaction(CALL_TIMEOUT_S))
        except (KafkaException, _StuckError) as error:
            self._log.warning("abort failed", error=str(error))
            return False
        return True

    def _repeat(self, call: Callable[[], None]) -> None:
        """Make a call, and repeat it while the broker does not answer, but not for ever."""
        waiting = ThrottledWarning(f"Kafka at {self._kafka}")
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
                self._raise_if_grace_expired()
                if time.monotonic() >= deadline_s:
                    raise _StuckError(f"no answer within {STUCK_S:.0f} s: {error.args[0].str()}") from error
                self._stop.wait(max(0.0, 0.1 - (time.monotonic() - began_s)))
            else:
                return

    def _raise_if_grace_expired(self) -> None:
        if self._stop.grace_expired:
            raise StoppedWaitingError
