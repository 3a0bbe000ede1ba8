import itertools
import threading
import time
from collections.abc import Iterable, Iterator

from confluent_kafka import KafkaError, KafkaException

from infra.embedded.coordinator_watch import CoordinatorWatch

AWAY = KafkaException(KafkaError(KafkaError._ALL_BROKERS_DOWN))


def watched(answers: Iterable[bool | KafkaException]) -> bool:
    """Return whether a watch reports a stuck coordinator after these answers; the last one repeats."""
    answers = list(answers)
    asked: Iterator[int] = itertools.count(1)
    count = 0

    def is_stuck_now() -> bool:
        nonlocal count
        count = next(asked)
        answer = answers[min(count, len(answers)) - 1]
        if isinstance(answer, KafkaException):
            raise answer
        return answer

    watch = CoordinatorWatch(is_stuck_now, pause_s=0.001)
    deadline_s = time.monotonic() + 10
    while count <= len(answers) + 1 and time.monotonic() < deadline_s:
        time.sleep(0.001)
    watch.close()
    return watch.is_stuck


def test_a_coordinator_that_stays_stuck_is_reported() -> None:
    assert watched([False, True, True])


def test_one_that_can_write_again_is_not_stuck() -> None:
    assert not watched([True, True, False])


def test_a_single_probe_is_not_enough() -> None:
    assert not watched([False, True, False])


def test_a_broker_that_is_away_is_not_stuck() -> None:
    assert not watched([True, AWAY])


def test_a_closed_watch_asks_no_more() -> None:
    asking: list[threading.Thread] = []

    def is_stuck_now() -> bool:
        asking.append(threading.current_thread())
        return False

    watch = CoordinatorWatch(is_stuck_now, pause_s=0.001)
    while not asking:
        time.sleep(0.001)
    watch.close()
    asking[0].join(60)
    assert not asking[0].is_alive()
