import os
import sys
from pathlib import Path
from unittest.mock import Mock

import pytest

from infra.docker import publish_feed
from infra.docker.publish_days import GENERATED
from services.producer.progress import Progress
from services.sources.files import open_source
from tests.samples import row, write_csv


@pytest.fixture(autouse=True)
def quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave this process's log and signals as they are."""
    monkeypatch.setattr(publish_feed, "configure_logs", Mock())
    monkeypatch.setattr(publish_feed, "Stop", lambda: Mock(requested=False))


@pytest.fixture
def became(monkeypatch: pytest.MonkeyPatch) -> Mock:
    """What the process has become."""
    become = Mock(return_value=None)
    monkeypatch.setattr(os, "execv", become)
    return become


def published(monkeypatch: pytest.MonkeyPatch, *names: str) -> None:
    monkeypatch.setattr(publish_feed, "published_sources", lambda *_: [Progress(name) for name in names])


@pytest.mark.usefixtures("became")
@pytest.mark.parametrize(
    ("feed", "said"),
    [
        ("", "FEED is not set. Name a live market, such as FEED=coinbase:BTC-USD,ETH-USD."),
        ("coinbase", "'coinbase' does not name a venue and its symbols. Give both"),
        ("bourse:A", "There is no feed 'bourse'. Choose one of: coinbase"),
        ("massive:A", "TAPEWATCH_MASSIVE_KEY_FILE is not set."),
    ],
)
def test_what_is_wrong_with_feed_is_said_before_kafka_is_asked(
    feed: str,
    said: str,
    became: Mock,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("TAPEWATCH_MASSIVE_KEY_FILE", raising=False)
    monkeypatch.setattr(publish_feed, "published_sources", lambda *_: pytest.fail("Kafka was asked"))
    assert publish_feed.main({"FEED": feed}, []) == 1
    assert said in capsys.readouterr().err
    became.assert_not_called()


def test_a_live_market_is_not_published_beside_the_generated_day(
    became: Mock, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    published(monkeypatch, "2026-03-02.csv", GENERATED.name)
    assert publish_feed.main({"FEED": "coinbase:BTC-USD"}, []) == 1
    assert "has the generated day" in (said := capsys.readouterr().err)
    assert "docker compose down --volumes" in said
    became.assert_not_called()


def test_beside_real_files_it_becomes_the_feed(became: Mock, monkeypatch: pytest.MonkeyPatch) -> None:
    published(monkeypatch, "2026-03-02.csv")
    publish_feed.main({"FEED": "coinbase:BTC-USD, ETH-USD"}, ["--duration", "60"])
    wanted = [sys.executable, "-m", "cli.main", "feed", "coinbase", "--symbols", "BTC-USD,ETH-USD"]
    became.assert_called_once_with(sys.executable, [*wanted, "--duration", "60"])


def test_a_generated_day_is_recorded_under_the_name_that_is_looked_for(tmp_path: Path) -> None:
    day = write_csv(tmp_path / GENERATED.name, [row()])
    assert open_source(day).name == GENERATED.name
