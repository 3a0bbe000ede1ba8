import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from infra.embedded.ports import free_port
from infra.embedded.stack import EmbeddedStack, StackConfig
from tests.chaos.processes import Service, log_entries


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    """A detector that waits for a broker that does not exist."""
    stack = EmbeddedStack(StackConfig(kafka_port=free_port(), elasticsearch_port=free_port()))
    service = Service("detector-a", tmp_path, stack)
    service.start("detect")
    deadline_s = time.monotonic() + 60
    while not service.events("waiting for Kafka at " + stack.kafka_bootstrap):
        assert service.is_running
        assert time.monotonic() < deadline_s
        time.sleep(0.1)
    yield service
    service.kill()


def test_killed_service_reports_that_it_was_killed(service: Service) -> None:
    assert service.kill() == -signal.SIGKILL
    assert not service.is_running


def test_paused_service_does_nothing_until_it_is_resumed(service: Service) -> None:
    assert service.pause() == "T"
    assert service.is_running
    service.resume()
    service.terminate()
    assert service.wait(20) == 0


def test_replaced_service_keeps_running_with_its_own_log(service: Service) -> None:
    old_log, old_pid = service.log_file, service.pid
    service.pause()
    zombie = service.release()
    service.start("detect")
    assert service.pid != old_pid
    assert service.log_file != old_log
    assert zombie.log_file == old_log
    assert zombie.code is None
    zombie.kill()
    assert zombie.code == -signal.SIGKILL
    assert service.is_running


def test_line_that_a_kill_cut_is_no_entry(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text('{"event":"assigned"}\nTraceback\n{"event":"dete')
    assert list(log_entries(log)) == [{"event": "assigned"}]
    assert list(log_entries(tmp_path / "none")) == []
