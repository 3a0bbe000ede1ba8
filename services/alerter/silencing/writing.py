"""Writes silences to the topic `silences`: new ones, and the end of those in force."""

import time

from confluent_kafka import KafkaError, KafkaException, Message

from services.alerter.silencing.silences import ended, new_silence, seconds_left
from services.common.errors import TapewatchError
from services.common.kafka.authorization import denied
from services.common.kafka.clients import new_producer
from services.common.kafka.connection import KafkaConnection
from services.contracts.alert import Matcher, Silence, encode
from services.contracts.topics import SILENCES_TOPIC

WRITE_S = 10.0


def check_silence(matcher: Matcher, reason: str, author: str) -> None:
    """Check that a silence says what it is about, why, and who says so.

    Raises
    ------
    TapewatchError
        The matcher fits everything, or the reason or the author is empty.
    """
    if matcher == Matcher():
        raise TapewatchError(
            "This silence would hold back every alert.",
            "Say which ones: by symbols, labels, rules, channels or severity; for all of them by the "
            "symbol *.",
        )
    if not (reason.strip() and author.strip()):
        raise TapewatchError("A silence needs a reason and an author.", "Give both.")


def add_silence(
    kafka: KafkaConnection,
    matcher: Matcher,
    for_s: float,
    reason: str,
    author: str,
    timeout_s: float = WRITE_S,
) -> Silence:
    """Write a silence that begins now.

    Parameters
    ----------
    kafka
        Connection to Kafka.
    matcher
        Which alerts are not to be sent.
    for_s
        How long, in seconds.
    reason, author
        Why, and who says so.
    timeout_s
        How long to wait for Kafka, in seconds.

    Raises
    ------
    TapewatchError
        See `check_silence` and `write_silence`.
    """
    check_silence(matcher, reason, author)
    silence = new_silence(matcher, for_s, reason.strip(), author.strip(), time.time())
    write_silence(kafka, silence, timeout_s)
    return silence


def end_silence(kafka: KafkaConnection, silence: Silence, author: str, timeout_s: float = WRITE_S) -> Silence:
    """End a silence that is in force now.

    Parameters
    ----------
    kafka
        Connection to Kafka.
    silence
        The silence.
    author
        Who ends it.
    timeout_s
        How long to wait for Kafka, in seconds.

    Raises
    ------
    TapewatchError
        It is over; see also `write_silence`.
    """
    now_s = time.time()
    if seconds_left(silence, now_s) <= 0:
        raise TapewatchError("This silence is over.", "There is nothing to end.")
    changed = ended(silence, author, now_s)
    write_silence(kafka, changed, timeout_s)
    return changed


def write_silence(kafka: KafkaConnection, silence: Silence, timeout_s: float = WRITE_S) -> None:
    """Write a silence, new or ended.

    Raises
    ------
    TapewatchError
        Kafka does not accept it, or does not answer.
    """
    outcomes: list[KafkaError | None] = []

    def note(error: KafkaError | None, _message: Message) -> None:
        outcomes.append(error)

    producer = new_producer(
        kafka,
        **{
            "linger.ms": 0,
            "delivery.report.only.error": False,
            # What is not written by then is given up, and never written later.
            "message.timeout.ms": round(timeout_s * 1000),
        },
    )
    try:
        producer.produce(
            SILENCES_TOPIC,
            key=silence.silence_id,
            value=encode(silence),
            partition=0,
            on_delivery=note,
        )
    except KafkaException as error:
        outcomes.append(error.args[0])
    producer.flush(timeout_s + 1)
    # Compared by `is`: a KafkaError cannot be compared with None.
    if outcomes and outcomes[0] is None:
        return
    reason = "no answer"
    if outcomes and (failure := outcomes[0]) is not None:
        if refusal := denied(failure):
            raise refusal
        if failure.code() != KafkaError._MSG_TIMED_OUT:
            reason = failure.str()
    raise TapewatchError(
        f"Kafka at {kafka} did not accept the silence: {reason}.",
        "Run `tapewatch doctor`, then try again: a silence that is written twice does no harm.",
    )
