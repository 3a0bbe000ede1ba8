from collections import Counter

import pytest
from prometheus_client import REGISTRY

from services.indexer.metrics import Tally
from tests.samples import trade_json

AT_S = 1_733_149_801  # 2024-12-02T14:30:01Z, as in `trade_json(1)`


def event_lag_s(service: str) -> float | None:
    return REGISTRY.get_sample_value("tapewatch_event_time_lag_seconds", {"service": service})


def dead_letters(service: str) -> float | None:
    return REGISTRY.get_sample_value("tapewatch_dead_letters_total", {"service": service})


@pytest.fixture(autouse=True)
def _clock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.indexer.metrics.time.time", lambda: AT_S + 10.0)


def test_tally_counts_what_was_acknowledged() -> None:
    tally = Tally("tally-1")
    tally.add(Counter(trades=3, anomalies=1), 2)
    tally.add(Counter(trades=1), 0)
    assert (tally.indexed, tally.retractions) == (5, 2)


def test_dead_letters_are_counted_under_the_sinks_own_service() -> None:
    one, other = Tally("tally-2"), Tally("tally-3")
    one.add_dead_letter()
    one.add_dead_letter()
    other.add_dead_letter()
    assert (one.dead_letters, dead_letters("tally-2")) == (2, 2)
    assert (other.dead_letters, dead_letters("tally-3")) == (1, 1)


def test_event_lag_is_that_of_the_newest_event_and_never_of_an_older_one() -> None:
    tally = Tally("tally-4")
    tally.note_event(trade_json(1))
    assert event_lag_s("tally-4") == 10.0
    tally.note_event(trade_json(1, **{"@timestamp": "2024-12-02T14:29:00Z"}))
    assert event_lag_s("tally-4") == 10.0
    tally.note_event(trade_json(1, **{"@timestamp": "2024-12-02T14:30:05Z"}))
    assert event_lag_s("tally-4") == 6.0


@pytest.mark.parametrize("value", [b"", b"\xff\xff", b'{"@timestamp": "2024-12-02T14:30:01Z"}', b"[1]"])
def test_value_without_a_time_in_the_usual_place_changes_nothing(value: bytes) -> None:
    tally = Tally("tally-5")
    tally.note_event(trade_json(1))
    tally.note_event(value)
    assert event_lag_s("tally-5") == 10.0
