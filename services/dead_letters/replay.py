"""`tapewatch dead-letters replay`: puts messages back where they came from, each noted as it goes."""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from confluent_kafka import KafkaError, KafkaException, Message

from services.common.config.settings import Settings
from services.common.errors import TapewatchError
from services.common.kafka.connection import KafkaConnection, kafka_connection
from services.common.kafka.preflight import wait_for_topics
from services.common.kafka.records import Record
from services.common.kafka.transactions import StoppedWaitingError, TransactionAbortedError, Transactions
from services.common.process.shutdown import Stop
from services.common.terminal import visible
from services.contracts import dead_letter
from services.contracts.topics import (
    ANOMALIES_TOPIC,
    CORRECTIONS_TOPIC,
    DEAD_LETTERS_TOPIC,
    FEED_EVENTS_TOPIC,
    REPLAYS_TOPIC,
    TRADES_TOPIC,
)
from services.dead_letters.letters import History, Letter, LetterId, MessageOrigin, Origins, RowOrigin, State
from services.dead_letters.reading import Reader, StoppedError, check_found, parse_ids
from services.dead_letters.replays import load_history

TRANSACTIONAL_ID = "tapewatch-dead-letters"
_ORIGINS = (TRADES_TOPIC, ANOMALIES_TOPIC, CORRECTIONS_TOPIC, FEED_EVENTS_TOPIC)
"""Topics that a letter may come from, and be put back into."""

ANY_PARTITION = -1
"""Lets the client choose by the key."""
MAX_BATCH_LETTERS = 1_000
MAX_BATCH_BYTES = 8 << 20
"""Largest transaction; far from taking as long as its time limit."""


class Outcome(StrEnum):
    """What is to be done with a letter, in the words of the summary."""

    PUT_BACK = "put back"
    SKIPPED = "skipped"
    DONE_BEFORE = "already put back"
    FAILURE = "rejected again after replay (pass its id to retry)"


@dataclass(frozen=True)
class ReplayDecision:
    """A letter's outcome, and the reason if it is skipped."""

    outcome: Outcome
    reason: str = ""


def decide(letter: Letter, partitions: dict[str, list[int]]) -> ReplayDecision:
    """Say whether a letter can be put back.

    Parameters
    ----------
    letter
        Any one.
    partitions
        Those of each topic that takes messages back.
    """
    match letter.origin:
        case RowOrigin() as row:
            return ReplayDecision(
                Outcome.SKIPPED, f"{row} is not a message; fix the file and publish it again"
            )
        case MessageOrigin(topic=topic, partition=number):
            if topic not in partitions:
                return ReplayDecision(Outcome.SKIPPED, f"nothing can be put back into the topic {topic}")
            if letter.key is None and number not in partitions[topic]:
                return ReplayDecision(Outcome.SKIPPED, f"the topic {topic} has no partition {number}")
            return ReplayDecision(Outcome.PUT_BACK)
        case _:
            return ReplayDecision(Outcome.SKIPPED, "its headers do not say where it came from")


def decide_for_all(letter: Letter, partitions: dict[str, list[int]], history: History) -> ReplayDecision:
    """Say whether `--all` puts a letter back: not a second time, and not what came back from a replay."""
    if letter.replay_of is not None:
        return ReplayDecision(Outcome.FAILURE)
    if history.state(letter) != State.NEW:
        return ReplayDecision(Outcome.DONE_BEFORE)
    return decide(letter, partitions)


def run_replay(settings: Settings, names: list[str], dry_run: bool) -> int:
    """Put letters back.

    Parameters
    ----------
    settings
        Settings that say where Kafka is.
    names
        Ids; none for all letters that are there now and were not put back yet.
    dry_run
        Only say what would be done.

    Returns
    -------
    int
        Exit code: 0, or 128 + signal when a stop came first.

    Raises
    ------
    TapewatchError
        A topic is missing, a letter does not exist (nothing is put back then), or Kafka rejected them.
    """
    kafka = kafka_connection(settings)
    stop = Stop()
    ids = parse_ids(names)
    topics = [DEAD_LETTERS_TOPIC, REPLAYS_TOPIC, *_ORIGINS]
    if not wait_for_topics(kafka, topics, stop):
        return 128 + (stop.signal or 0)
    try:
        _replay(kafka, ids, dry_run, stop)
    except (StoppedError, StoppedWaitingError):
        print("stopped; what was put back is recorded, the rest is unchanged")
        return 128 + (stop.signal or 0)
    return 0


def _replay(kafka: KafkaConnection, ids: list[LetterId], dry_run: bool, stop: Stop) -> None:
    reader = Reader(kafka, stop)
    ends = reader.end_offsets(DEAD_LETTERS_TOPIC)
    partitions = {topic: reader.partitions(topic) for topic in _ORIGINS}
    if ids:
        check_found(ids, {Letter.of(message).id for message in reader.read_letters(ids)})
    # Opened before the notes are read: an earlier replay is fenced and adds none then.
    sender = None if dry_run else Sender(Transactions(kafka, TRANSACTIONAL_ID, stop, lambda: None), print)
    history = None if ids else load_history(reader)
    origins = Origins()
    counts: Counter[Outcome] = Counter()
    for message in reader.read_letters(ids) if ids else _up_to(ends, reader):
        letter = Letter.of(message)
        if history is not None and not origins.is_first(letter):
            continue
        decision = (
            decide(letter, partitions) if history is None else decide_for_all(letter, partitions, history)
        )
        counts[decision.outcome] += 1
        if decision.outcome == Outcome.SKIPPED:
            print(f"{letter.id}  skipped: {visible(decision.reason)}")
        elif decision.outcome == Outcome.PUT_BACK and isinstance(letter.origin, MessageOrigin):
            if sender is None:
                print(f"{letter.id}  would be put back into {letter.origin.topic}")
            else:
                sender.send(letter, letter.origin, message)
    if sender is not None:
        sender.flush()
    print(_summary(counts, dry_run))


def _up_to(ends: dict[int, int], reader: Reader) -> Iterator[Record]:
    """Yield the letters that were there at the start, so that a replay never meets its own failures."""
    return (
        message
        for message in reader.read(DEAD_LETTERS_TOPIC)
        if message.offset() < ends.get(message.partition(), 0)
    )


def _summary(counts: Counter[Outcome], dry_run: bool) -> str:
    done = "would be put back" if dry_run else "put back"
    parts = [f"{counts[Outcome.PUT_BACK]:,} {done}"]
    parts += [
        f"{counts[outcome]:,} {outcome}"
        for outcome in Outcome
        if outcome != Outcome.PUT_BACK and counts[outcome]
    ]
    return ", ".join(parts)


class Sender:
    """Sends letters back in transactions, each message together with its note.

    Parameters
    ----------
    transactions
        Opened.
    report
        Called with a line for each letter once it is committed.
    """

    def __init__(self, transactions: Transactions, report: Callable[[str], None]) -> None:
        self._transactions = transactions
        self._report = report
        self._batch: list[tuple[Letter, MessageOrigin, Record]] = []
        self._batch_bytes = 0
        self._refused: list[str] = []

    def send(self, letter: Letter, origin: MessageOrigin, message: Record) -> None:
        """Put a letter back, now or with the next ones."""
        self._batch.append((letter, origin, message))
        self._batch_bytes += letter.size_bytes
        if len(self._batch) >= MAX_BATCH_LETTERS or self._batch_bytes >= MAX_BATCH_BYTES:
            self.flush()

    def flush(self) -> None:
        """Commit what was not yet sent.

        Raises
        ------
        TapewatchError
            Nothing of it was.
        """
        if not self._batch:
            return
        try:
            self._transactions.begin()
            try:
                for letter, origin, message in self._batch:
                    self._produce(letter, origin, message)
            except KafkaException as error:
                self._transactions.fail(error)
            self._transactions.commit()
        except TransactionAbortedError as error:
            raise TapewatchError(
                f"Kafka did not accept {'; '.join(self._refused) or 'the letters'}: {error}. "
                f"The {len(self._batch):,} letters of this transaction were not put back.",
                "What was put back before is recorded. If another replay is running, let it finish; else "
                "check the broker. Then run this again.",
            ) from error
        for letter, origin, _ in self._batch:
            self._report(f"{letter.id}  put back into {origin.topic}")
        self._batch, self._batch_bytes = [], 0

    def _produce(self, letter: Letter, origin: MessageOrigin, message: Record) -> None:
        producer = self._transactions.producer
        # A key finds its partition as it does for the producer; without one, only the origin tells it.
        partition = origin.partition if message.key() is None else ANY_PARTITION

        def delivered(error: KafkaError | None, _message: Message) -> None:
            if error is not None:
                self._refused.append(f"letter {letter.id} ({error.str()})")

        own: dict[str, str | bytes | None] = {
            name.removeprefix(dead_letter.ORIGIN_PREFIX): value
            for name, value in message.headers() or ()
            if name.startswith(dead_letter.ORIGIN_PREFIX)
        }
        producer.produce(
            origin.topic,
            key=message.key(),
            value=message.value(),
            headers=own | {dead_letter.REPLAYED: str(letter.id)},
            on_delivery=delivered,
            partition=partition,
        )
        producer.produce(REPLAYS_TOPIC, key=str(letter.id), value=origin.topic, headers={**origin.headers})
