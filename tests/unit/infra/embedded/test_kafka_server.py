import sys
import time
from pathlib import Path

import pytest
from confluent_kafka import KafkaError, KafkaException

from infra.embedded import kafka_server
from infra.embedded.child_process import start_child
from infra.embedded.kafka_server import KafkaServer
from services.common.kafka.coordinator import PROBE_TIMEOUT_S

AWAY = KafkaException(KafkaError(KafkaError._ALL_BROKERS_DOWN))


class StubbornKafka(KafkaServer):
    """A script in place of Kafka, whose coordinator gives the answers of a list; the last one repeats."""

    def __init__(self, folder: Path, answers: list[bool | KafkaException]) -> None:
        super().__init__(folder, 1, [], log_file=folder / "kafka.log", start_timeout_s=20, heap_mb=1)
        self.answers = answers
        self.starts = 0

    def prepare(self) -> list[str]:
        self.starts += 1
        self._first_answer_s = None
        return [sys.executable, "-c", "import time; time.sleep(60)"]

    def _answers(self) -> bool:
        return True

    def has_stuck_coordinator(self, _timeout_s: float = PROBE_TIMEOUT_S) -> bool:
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, KafkaException):
            raise answer
        return answer


@pytest.fixture(autouse=True)
def little_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kafka_server, "STUCK_AFTER_S", 0.05)


def starts(folder: Path, *answers: bool | KafkaException) -> int:
    """Return how many starts Kafka needs until it is ready."""
    server = StubbornKafka(folder, list(answers))
    server.start()
    server.kill()
    return server.starts


def test_a_coordinator_that_takes_commits_makes_it_ready(tmp_path: Path) -> None:
    assert starts(tmp_path, False) == 1


def test_one_that_is_loading_is_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kafka_server, "STUCK_AFTER_S", 20.0)
    assert starts(tmp_path, True, AWAY, True, False) == 1


def test_kafka_is_restarted_if_its_coordinator_accepts_no_commits(tmp_path: Path) -> None:
    assert starts(tmp_path, True, True, False) == 2


def fencing_s(tmp_path: Path, code: str) -> float:
    """Return how long a script in place of the controller is waited for; it gets the path of its log."""
    log_file = tmp_path / "fencing.log"
    metadata = tmp_path / "metadata"
    metadata.mkdir()
    (metadata / "0.log").write_bytes(b"old")
    child = start_child([sys.executable, "-u", "-c", code, str(metadata / "0.log")], log_file=log_file)
    began_s = time.monotonic()
    try:
        kafka_server._wait_for_fencing(child, log_file, metadata)
    finally:
        child.kill()
        child.wait()
    return time.monotonic() - began_s


def test_a_controller_is_waited_for_until_its_log_has_that_the_broker_is_fenced(tmp_path: Path) -> None:
    code = """
import sys, time
print('Kafka Server started')
time.sleep(0.2)
print('Fencing broker 1')
time.sleep(0.4)
open(sys.argv[1], 'a').write('new')
time.sleep(60)
"""
    assert 0.6 <= fencing_s(tmp_path, code) < 20


def test_a_controller_without_anything_to_fence_is_not_waited_for_long(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kafka_server, "_FENCING_PAUSE_S", 0.1)
    assert fencing_s(tmp_path, "import time; print('Kafka Server started'); time.sleep(60)") < 20


def test_a_controller_that_ends_is_not_waited_for(tmp_path: Path) -> None:
    assert fencing_s(tmp_path, "raise SystemExit(1)") < 20
