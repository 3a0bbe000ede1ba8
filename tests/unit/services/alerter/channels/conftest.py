from collections.abc import Iterator

import pytest

from services.alerter.channels import http
from tests.standins.receivers.process import ReceiverProcess
from tests.unit.services.alerter.channels.samples import SECRETS


@pytest.fixture
def short_timeout(monkeypatch: pytest.MonkeyPatch) -> float:
    """Let a POST take at most so many seconds."""
    monkeypatch.setattr(http, "TIMEOUT_S", 0.8)
    return 0.8


@pytest.fixture(scope="session")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ReceiverProcess]:
    """A receiver by HTTP for all tests: one after the other lets it misbehave."""
    with ReceiverProcess("http", tmp_path_factory.mktemp("receiver") / "taken.jsonl") as process:
        yield process


@pytest.fixture
def receiver(running: ReceiverProcess) -> ReceiverProcess:
    """A receiver by HTTP that has taken nothing, does as it should, and knows the samples' secrets."""
    running.reset(secrets=SECRETS)
    return running
