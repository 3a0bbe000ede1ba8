"""Alerters tell of each anomaly as one that was never disturbed would, and of nothing old.

All tests share the topics with each other and with other tests; each has symbols of its own.
"""

import datetime as dt
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import orjson
import pytest
from confluent_kafka import Consumer, TopicPartition

from infra.embedded.stack import EmbeddedStack
from services.common.kafka.clients import new_consumer
from services.contracts.alert import Alert, AlertState, Sending
from services.contracts.components import ALERTER, DETECTOR
from services.contracts.tape_clock import ClockReading, clock_metadata, read_clock
from services.sources.synthetic.day import DayConfig
from tests.integration.pipeline import (
    addresses,
    http_get,
    is_detected,
    log_lines,
    metrics,
    read_topic,
    set_up,
    speed_for,
    started,
    tapewatch,
    wait_for,
    wait_until,
    write_own_day,
)
from tests.integration.services.alerter.alerting import (
    Tape,
    alerter,
    by_key,
    committed,
    forget_group,
    is_decided,
    publish,
    revisions,
    undisturbed,
)

WITHIN_S = 15
DASHBOARD = "http://127.0.0.1:8501"


def tape(stack: EmbeddedStack, symbol: str) -> Tape:
    set_up(stack)
    return Tape(stack, symbol, time.time_ns())


def detected_day(stack: EmbeddedStack, folder: Path, suffix: str, date: dt.date, trades: int = 3_000) -> Path:
    """Publish a past day and detect it."""
    config = DayConfig(trades=trades, symbols=3, date=date, seed=21, anomaly_rate=0.01)
    day = write_own_day(folder / f"{suffix}-{date}.csv", config, suffix)
    tapewatch(stack, "produce", str(day))
    tapewatch(stack, "detect", "--until-idle", "0.5")
    return day


def wait_for_revisions(stack: EmbeddedStack, suffix: str, count: int, log: Path) -> list[Alert]:
    wait_until(lambda: len(revisions(stack, suffix)) >= count, log)
    return revisions(stack, suffix)


def wait_for_expected(stack: EmbeddedStack, suffix: str, log: Path) -> dict[tuple[str, int], dict[str, Any]]:
    """Wait for as many revisions as an undisturbed decider gives; returns those."""
    expected = by_key(undisturbed(stack, suffix))
    wait_until(lambda: len(revisions(stack, suffix)) >= len(expected), log, 30)
    return expected


def stop(process: subprocess.Popen[bytes], log: Path) -> None:
    process.send_signal(signal.SIGTERM)
    assert process.wait(WITHIN_S) == 0, log.read_text()


def test_the_first_start_tells_nothing_that_was_there_before(stack: EmbeddedStack, tmp_path: Path) -> None:
    old = tape(stack, "BEFORE-AL")
    forget_group(stack, ALERTER.group)
    assert committed(stack, ALERTER.group, "anomalies")["anomalies", 0].offset < 0
    old.publish_anomaly(1)
    log = tmp_path / "alerter"
    with alerter(stack, log) as process:
        assert log_lines(log, "first start: what is in the topics by now is not told")
        new = tape(stack, "AFTER-AL")
        new.publish_anomaly(1)
        (opened,) = wait_for_revisions(stack, "AFTER-AL", 1, log)
        stop(process, log)
    assert (opened.state, opened.sending, opened.revision) == (AlertState.OPENED, Sending.DUE, 1)
    assert revisions(stack, "BEFORE-AL") == []


def test_an_alert_shows_the_trades_before_it_and_where_to_look(stack: EmbeddedStack, tmp_path: Path) -> None:
    own = tape(stack, "SHOWN-AL")
    log = tmp_path / "alerter"
    env = {"TAPEWATCH_DASHBOARD_URL": DASHBOARD, "TAPEWATCH_KIBANA": "http://127.0.0.1:5601/"}
    with alerter(stack, log, **env) as process:
        places = own.publish_trades(9)
        own.publish_anomaly(7, trade_offset=str(places[7][1]))
        own.publish_anomaly(8, 1)
        opened, grew = wait_for_revisions(stack, "SHOWN-AL", 2, log)
        assert http_get(log, "/healthz") == (200, "ok\n")
        found = metrics(log)
        stop(process, log)
    assert [each.trade_id for each in opened.trades] == [f"SHOWN-AL-{number}" for number in range(2, 8)]
    assert [each.price for each in opened.trades] == [102, 103, 104, 105, 106, 107]
    assert (grew.trades, grew.count, grew.state) == (opened.trades, 2, AlertState.GREW)
    assert opened.links["dashboard"] == f"{DASHBOARD}/anomaly?id=SHOWN-AL-7"
    assert opened.links["kibana"].startswith("http://127.0.0.1:5601/app/discover#/")
    assert found["tapewatch_open_alerts"] >= 1
    assert found["tapewatch_alert_revisions_total{due,opened}"] == 1
    assert found["tapewatch_lag_messages{alerter,anomalies}"] == 0


def test_an_alerter_that_ends_when_idle_has_sent_what_it_decided(stack: EmbeddedStack) -> None:
    own = tape(stack, "IDLE-AL")
    tapewatch(stack, "alert", "--until-idle", "0.2")  # so that the next one is not the first
    own.publish_anomaly(1)
    assert "IDLE-AL" in tapewatch(stack, "alert", "--until-idle", "0.2").stdout
    assert len(revisions(stack, "IDLE-AL")) == 1


def test_the_detectors_clock_closes_an_alert_without_another_anomaly(
    stack: EmbeddedStack, tmp_path: Path
) -> None:
    own = tape(stack, "QUIET-AL")
    log = tmp_path / "alerter"
    with alerter(stack, log) as process:
        number = own.publish_anomaly(1)
        wait_for_revisions(stack, "QUIET-AL", 1, log)
        before = committed(stack, DETECTOR.group, "trades")["trades", number]
        commit_clock(stack, before, own.now_ns + 300 * 10**9)  # not past it yet
        time.sleep(1.5)
        assert len(revisions(stack, "QUIET-AL")) == 1
        commit_clock(stack, before, own.now_ns + 301 * 10**9)
        _, closed = wait_for_revisions(stack, "QUIET-AL", 2, log)
        stop(process, log)
    commit_clock(stack, before, read_clock(before.metadata).ns)
    assert (closed.state, closed.sending, closed.count) == (AlertState.CLOSED, Sending.DUE, 1)


def commit_clock(stack: EmbeddedStack, place: TopicPartition, clock_ns: int) -> None:
    """Commit a clock as a detector does, without changing its offset."""
    metadata = clock_metadata(ClockReading(clock_ns, clock_ns))
    offset = TopicPartition("trades", place.partition, max(place.offset, 0), metadata=metadata)
    consumer: Consumer = new_consumer(stack.kafka_connection, DETECTOR.group)
    consumer.commit(offsets=[offset], asynchronous=False)
    consumer.close()


@pytest.mark.slow
def test_a_correction_adds_one_revision_whenever_it_comes(stack: EmbeddedStack, tmp_path: Path) -> None:
    own = tape(stack, "CANCEL-AL")
    correction = {
        "@timestamp": "2024-12-02T15:00:00Z",
        "correction_id": "c1",
        "trade_id": "CANCEL-AL-1",
        "symbol": "CANCEL-AL",
        "action": "cancel",
        "source": "databento",
    }
    log = tmp_path / "alerter"
    with alerter(stack, log) as process:
        own.publish_anomaly(1)
        wait_for_revisions(stack, "CANCEL-AL", 1, log)
        for _ in range(2):  # the second one is the same
            publish(stack, "corrections", "CANCEL-AL", orjson.dumps(correction), {})
        wait_until(lambda: is_decided(stack), log)
        stop(process, log)
    _, cancelled = revisions(stack, "CANCEL-AL")
    assert cancelled.cancelled == ["CANCEL-AL-1"]
    assert "cancelled by the venue" in cancelled.message
    assert cancelled.sending is Sending.DUE


@pytest.mark.slow
def test_what_is_no_anomaly_becomes_a_dead_letter_and_the_rest_goes_on(
    stack: EmbeddedStack, tmp_path: Path
) -> None:
    own = tape(stack, "REST-AL")
    log = tmp_path / "alerter"
    with alerter(stack, log) as process:
        publish(stack, "anomalies", "REST-AL", b'{"trade_id": 1}', {})
        publish(stack, "corrections", "REST-AL", b"no correction", {})
        own.publish_anomaly(1)
        wait_for_revisions(stack, "REST-AL", 1, log)
        wait_until(lambda: is_decided(stack), log)
        stop(process, log)
    letters = [m for m in read_topic(stack, "dead-letters") if m.key() == b"REST-AL"]
    found = [{name: (value or b"").decode() for name, value in m.headers() or []} for m in letters]
    assert sorted(each["topic"] for each in found) == ["anomalies", "corrections"]
    assert {each["service"] for each in found} == {"alerter"}


@pytest.mark.slow
def test_a_past_day_gives_the_alerts_of_an_undisturbed_decider_all_of_them_stale(
    stack: EmbeddedStack, tmp_path: Path
) -> None:
    set_up(stack)
    log = tmp_path / "alerter"
    with alerter(stack, log) as process:
        detected_day(stack, tmp_path, "PAST-AL", dt.date(2023, 6, 5))
        expected = wait_for_expected(stack, "PAST-AL", log)
        stop(process, log)
    found = revisions(stack, "PAST-AL")
    assert len(expected) > 10
    assert by_key(found) == expected
    assert {alert.sending for alert in found} == {Sending.STALE}
    assert not any(alert.is_missed for alert in found)
    assert {AlertState.OPENED, AlertState.CLOSED} <= {alert.state for alert in found}


def test_a_killed_alerter_resumes_with_the_next_revision(stack: EmbeddedStack, tmp_path: Path) -> None:
    own = tape(stack, "RESUME-AL")
    first, second = tmp_path / "killed", tmp_path / "resumed"
    with alerter(stack, first) as process:
        for number in range(5):
            own.publish_anomaly(number, number)
        wait_for_revisions(stack, "RESUME-AL", 3, first)
        process.kill()
        process.wait()
    for number in range(5, 9):
        own.publish_anomaly(number, number)
    own.publish_anomaly(9, 400)  # closes the first one
    with alerter(stack, second) as process:
        expected = wait_for_expected(stack, "RESUME-AL", second)
        stop(process, second)
    found = revisions(stack, "RESUME-AL")
    assert by_key(found) == expected
    assert [(alert.revision, alert.count) for alert in found] == [
        (1, 1),
        (2, 2),
        (3, 4),
        (4, 8),
        (5, 9),
        (1, 1),
    ]
    assert {alert.sending for alert in found} == {Sending.DUE}


@pytest.mark.slow
def test_a_killed_alerter_leaves_what_an_undisturbed_one_decides(
    stack: EmbeddedStack, tmp_path: Path
) -> None:
    set_up(stack)
    config = DayConfig(trades=6_000, symbols=3, date=dt.date(2023, 6, 6), seed=22, anomaly_rate=0.01)
    day = write_own_day(tmp_path / "day.csv", config, "KILL-AL")
    detector_log = tmp_path / "detector"
    produce = ("produce", "--limit", "2000", "--speed", speed_for(day, 9), str(day))
    with started(detector_log, "detect", **addresses(stack)) as detector:
        wait_for(detector_log, '"assigned"', detector)
        for name in ("killed", "killed-again", "last"):
            log = tmp_path / name
            with (
                alerter(stack, log) as process,
                started(tmp_path / f"{name}-producer", *produce, **addresses(stack)) as producer,
            ):
                more = len(revisions(stack, "KILL-AL")) + 4
                wait_for_revisions(stack, "KILL-AL", more, log)
                if name != "last":
                    process.kill()
                    process.wait()
                assert producer.wait(30) == 0
                if name == "last":
                    wait_until(lambda: is_detected(stack), detector_log)
                    expected = wait_for_expected(stack, "KILL-AL", log)
                    stop(process, log)
        stop(detector, detector_log)
    assert len(expected) > 40
    assert by_key(revisions(stack, "KILL-AL")) == expected


@pytest.mark.slow
def test_two_instances_share_the_partitions_and_one_takes_over(stack: EmbeddedStack, tmp_path: Path) -> None:
    set_up(stack)
    first, second = tmp_path / "first", tmp_path / "second"

    def shared_out() -> list[int]:
        return sorted(n for log in (first, second) for n in log_lines(log, "assigned")[-1]["partitions"])

    with alerter(stack, first, "alerter-a") as victim, alerter(stack, second, "alerter-b") as survivor:
        wait_until(lambda: shared_out() == [*range(6)], first, 30)
        assert len(log_lines(second, "assigned")[-1]["partitions"]) == 3
        detected_day(stack, tmp_path, "TWO-AL", dt.date(2023, 6, 7))
        wait_until(lambda: is_decided(stack), first)
        victim.kill()
        detected_day(stack, tmp_path, "TWO-AL", dt.date(2023, 6, 9))
        expected = wait_for_expected(stack, "TWO-AL", second)
        stop(survivor, second)
    assert by_key(revisions(stack, "TWO-AL")) == expected


@pytest.mark.slow
def test_a_reset_of_the_detector_sends_nothing(stack: EmbeddedStack, tmp_path: Path) -> None:
    set_up(stack)
    log = tmp_path / "alerter"
    with alerter(stack, log) as process:
        detected_day(stack, tmp_path, "RESET-AL", dt.date(2023, 6, 8))
        wait_until(lambda: is_decided(stack), log)
        before = len(revisions(stack, "RESET-AL"))
        tapewatch(stack, "detect", "--reset", "--until-idle", "0.5")
        expected = wait_for_expected(stack, "RESET-AL", log)
        stop(process, log)
    found = revisions(stack, "RESET-AL")
    assert len(found) > before > 10
    assert by_key(found) == expected
    assert {alert.sending for alert in found} == {Sending.STALE}
    assert not any(alert.is_missed for alert in found)
    assert AlertState.WITHDRAWN in {alert.state for alert in found}
