"""Detectors give a backtest's results after kills, damaged checkpoints, resets and rebalances.

All tests share the topics with each other and with other tests; each has a day and symbols of its own.
"""

import datetime as dt
import signal
import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson
import polars as pl
import pytest

from infra.embedded.stack import EmbeddedStack
from services.common.kafka.clients import new_producer
from services.sources.synthetic.day import DayConfig
from tests.integration.pipeline import (
    addresses,
    backtested,
    by_trade_id,
    documents,
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
from tests.narrow import headers_of, key_of

WITHIN_S = 10
TAKEOVER_S = 15
CHECKPOINT_TRADES = 1_000
FIRST_PART, TRADES = 7_000, 9_000
SUFFIX = "DT"
UNUSABLE = "checkpoints not usable, state is rebuilt from the topic's beginning"
RIVALS = ("rival-a", "rival-b", "rival-c")


def anomalies(stack: EmbeddedStack, suffix: str) -> dict[str, dict[str, Any]]:
    """Return the topic's anomalies of the symbols with this ending; fail if a revision is there twice."""
    standing: dict[str, bytes] = {}
    for message in read_topic(stack, "anomalies"):
        if not key_of(message).decode().endswith(suffix):
            continue
        value = message.value()
        if value is None:
            del standing[headers_of(message)["trade_id"].decode()]
            continue
        fields = orjson.loads(value)
        before = standing.get(fields["trade_id"])
        assert fields.get("revision", 1) == (orjson.loads(before)["revision"] + 1 if before else 1)
        standing[fields["trade_id"]] = value
    return by_trade_id(standing.values())


def indexed_anomalies(stack: EmbeddedStack) -> dict[str, dict[str, Any]]:
    tapewatch(stack, "index", "--until-idle", "0.5")
    found = documents(stack, "anomalies-2023.05", wildcard={"symbol": f"*{SUFFIX}"})
    return by_trade_id(found.values())


@dataclass
class KilledRun:
    """A detector killed while trades flowed, and its successor."""

    day: Path
    scored_before: float
    assigned: dict[str, Any]
    metrics_before: dict[str, float]
    """Metrics of the first detector, just before it was killed."""
    metrics: dict[str, float]
    anomalies: dict[str, dict[str, Any]] = field(default_factory=dict)
    checks: list[tuple[int, str]] = field(default_factory=list)


@pytest.fixture(scope="module")
def killed_run(stack: EmbeddedStack, tmp_path_factory: pytest.TempPathFactory) -> KilledRun:
    """Most of a day's trades, published slowly."""
    folder = tmp_path_factory.mktemp("detector")
    config = DayConfig(trades=TRADES, symbols=3, date=dt.date(2023, 5, 3), seed=21, anomaly_rate=0.005)
    day = write_own_day(folder / "day.csv", config, SUFFIX)
    set_up(stack)
    env = addresses(stack) | {"TAPEWATCH_CHECKPOINT_TRADES": str(CHECKPOINT_TRADES)}
    logs = [folder / name for name in ("killed", "successor", "producer")]
    produce = ("produce", "--speed", speed_for(day, 8), "--limit", str(FIRST_PART), str(day))
    with started(logs[0], "detect", **env) as detector:
        wait_for(logs[0], "assigned", detector)
        wait_until(lambda: is_detected(stack), logs[0])
        found = metrics(logs[0])
        scored_elsewhere = found["tapewatch_scored_trades_total"]
        with started(logs[2], *produce, **addresses(stack)) as producer:
            wait_until(
                lambda: metrics(logs[0])["tapewatch_scored_trades_total"] >= scored_elsewhere + 4_500, logs[0]
            )
            assert producer.poll() is None, logs[2].read_text()
            before = metrics(logs[0])
            scored_before = before["tapewatch_scored_trades_total"] - scored_elsewhere
            detector.kill()
            detector.wait()
            with started(logs[1], "detect", **env) as successor:
                wait_for(logs[1], "assigned", successor)
                assert producer.wait(60) == 0, logs[2].read_text()
                wait_until(lambda: is_detected(stack), logs[1])
                run = KilledRun(
                    day, scored_before, log_lines(logs[1], "assigned")[0], before, metrics(logs[1])
                )
                run.checks = [http_get(logs[1], path) for path in ("/healthz", "/readyz", "/nowhere")]
                successor.send_signal(signal.SIGTERM)
                assert successor.wait(WITHIN_S) == 0, logs[1].read_text()
    run.anomalies = anomalies(stack, SUFFIX)
    return run


def expected_of_first(day: Path, rows: int, whole: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Return the anomalies among a day's first rows, which later rows cannot change."""
    first = pl.read_csv(day, n_rows=rows).select(pl.format("{}-{}", "symbol", "sequence")).to_series()
    wanted = set(first)
    return {key: f for key, f in whole.items() if f"{f['symbol']}-{f['sequence']}" in wanted}


@pytest.fixture(scope="module")
def expected(stack: EmbeddedStack, killed_run: KilledRun) -> dict[str, dict[str, Any]]:
    return backtested(stack, killed_run.day)


@pytest.mark.slow
def test_killed_detector_leaves_what_an_undisturbed_one_finds(
    killed_run: KilledRun, expected: dict[str, dict[str, Any]]
) -> None:
    part = expected_of_first(killed_run.day, FIRST_PART, expected)
    assert 10 < len(part) < len(expected)
    assert killed_run.anomalies == part


def test_restart_replays_no_more_than_the_checkpoints_allow(killed_run: KilledRun) -> None:
    symbols_partitions = 3
    assert killed_run.scored_before > symbols_partitions * CHECKPOINT_TRADES
    assert 0 < killed_run.assigned["to_replay"] <= symbols_partitions * CHECKPOINT_TRADES


def test_metrics_and_checks_tell_what_was_done(killed_run: KilledRun) -> None:
    found = killed_run.metrics
    scored = found["tapewatch_scored_trades_total"]
    assert (
        FIRST_PART - TRADES / 4 - killed_run.scored_before < scored <= FIRST_PART - killed_run.scored_before
    )
    # What is read again is what was announced, but for the markers of transactions.
    assert 0 < found["tapewatch_replayed_messages_total"] <= killed_run.assigned["to_replay"]
    assert found["tapewatch_lag_messages{detector,trades}"] == 0
    assert killed_run.metrics_before["tapewatch_checkpoints_total"] > 0
    assert killed_run.metrics_before["tapewatch_checkpoint_bytes_total"] > 1_000
    assert found["tapewatch_recovery_seconds"] > 0
    ages = [value for name, value in found.items() if name.startswith("tapewatch_checkpoint_age_messages{")]
    assert len(ages) == 6
    assert max(ages) <= CHECKPOINT_TRADES
    assert found["tapewatch_event_time_lag_seconds{detector}"] > 365 * 86_400
    assert sum(v for name, v in found.items() if name.startswith("tapewatch_anomalies_total{")) > 0
    assert [status for status, _ in killed_run.checks] == [200, 200, 404]
    assert [text for _, text in killed_run.checks][:2] == ["ok\n", "ready\n"]


@pytest.fixture(scope="module")
def broken_run(stack: EmbeddedStack, killed_run: KilledRun) -> tuple[dict[int, str], dict[int, str]]:
    """The rest of the day, after two checkpoints were damaged.

    Returns the partitions whose checkpoints were broken, with a word of the reason, and what was reported.
    """
    sessions = {
        message.key(): message.partition()
        for message in read_topic(stack, "detector-checkpoints")
        if SUFFIX.encode() + b"@" in key_of(message)
    }
    assert len(sessions) == 3
    key, partition = next(iter(sessions.items()))
    other = next(number for number in sessions.values() if number != partition)
    producer = new_producer(stack.kafka_connection)
    producer.produce("detector-checkpoints", key=key, value=b"TWC\x04garbage", partition=partition)
    producer.produce("detector-checkpoints", key=b"partition", value=b"garbage", partition=other)
    assert producer.flush(10) == 0
    tapewatch(stack, "produce", str(killed_run.day))
    said = tapewatch(stack, "detect", "--until-idle", "0.5").stderr
    reported = {line["partition"]: line["reason"] for line in log_lines(said, UNUSABLE)}
    return {partition: "corrupt", other: "does not begin as a checkpoint does"}, reported


def test_broken_checkpoints_are_reported_and_replaced_by_a_replay(
    stack: EmbeddedStack,
    broken_run: tuple[dict[int, str], dict[int, str]],
    expected: dict[str, dict[str, Any]],
) -> None:
    broken, reported = broken_run
    assert reported.keys() == broken.keys()
    for partition, reason in broken.items():
        assert reason in reported[partition]
    assert anomalies(stack, SUFFIX) == expected


@dataclass
class RivalsRun:
    """Three detectors, one of which is killed and not restarted, and a reset requested meanwhile."""

    day: Path
    taken_over_s: float
    reset_code: int
    reset_log: str


def shared_out(logs: dict[str, Path]) -> list[int]:
    """Return the partitions that the detectors were last assigned."""
    found: list[int] = []
    for name, log in logs.items():
        lines = log_lines(log, "assigned") if name in RIVALS and log.exists() else []
        found += lines[-1]["partitions"] if lines else []
    return sorted(found)


def all_share(logs: dict[str, Path]) -> bool:
    """Return whether each detector has some of the partitions, and each partition a detector."""
    return len(shared_out(logs)) == 6 and all(shared_out({name: logs[name]}) for name in RIVALS)


@pytest.fixture(scope="module")
def rivals_run(
    stack: EmbeddedStack, killed_run: KilledRun, tmp_path_factory: pytest.TempPathFactory
) -> RivalsRun:
    """Three detectors on a day, one of which is killed and not restarted; a reset is requested meanwhile."""
    folder = tmp_path_factory.mktemp("rivals")
    config = DayConfig(trades=6_000, symbols=10, date=dt.date(2023, 5, 4), seed=22, anomaly_rate=0.005)
    day = write_own_day(folder / "day.csv", config, "RV")
    logs = {name: folder / name for name in (*RIVALS, "producer", "reset")}
    with ExitStack() as running:
        detectors = {
            name: running.enter_context(
                started(logs[name], "detect", TAPEWATCH_INSTANCE=name, **addresses(stack))
            )
            for name in RIVALS
        }
        wait_until(lambda: all_share(logs), logs["rival-a"], 60)
        reset = running.enter_context(
            started(logs["reset"], "detect", "--reset", TAPEWATCH_INSTANCE="resetter", **addresses(stack))
        )
        produce = ("produce", "--speed", speed_for(day, 12), str(day))
        producer = running.enter_context(started(logs["producer"], *produce, **addresses(stack)))
        victim = "rival-b"
        wait_until(lambda: metrics(logs[victim])["tapewatch_scored_trades_total"] > 0, logs[victim])
        assert producer.poll() is None, logs["producer"].read_text()
        detectors[victim].kill()
        detectors[victim].wait()
        killed_at_s = time.monotonic()
        wait_until(
            lambda: len(shared_out({n: log for n, log in logs.items() if n != victim})) == 6, logs["rival-a"]
        )
        taken_over_s = time.monotonic() - killed_at_s
        assert producer.wait(60) == 0, logs["producer"].read_text()
        wait_until(lambda: is_detected(stack), logs["rival-a"])
        reset_code = reset.wait(60)
        for name in set(RIVALS) - {victim}:
            detectors[name].send_signal(signal.SIGTERM)
        for name in set(RIVALS) - {victim}:
            assert detectors[name].wait(WITHIN_S) == 0, logs[name].read_text()
    return RivalsRun(day, taken_over_s, reset_code, logs["reset"].read_text())


@pytest.mark.slow
def test_rivals_take_over_from_one_that_does_not_come_back(
    stack: EmbeddedStack, rivals_run: RivalsRun
) -> None:
    assert rivals_run.taken_over_s < TAKEOVER_S
    wanted = backtested(stack, rivals_run.day)
    assert len(wanted) > 10
    assert anomalies(stack, "RV") == wanted


def test_reset_is_rejected_while_detectors_are_at_work(rivals_run: RivalsRun) -> None:
    assert rivals_run.reset_code == 1
    assert "Other detectors are running: detector-rival-" in rivals_run.reset_log
    assert "Traceback" not in rivals_run.reset_log


@pytest.mark.slow
def test_reset_leaves_in_the_index_what_the_profile_flags(
    stack: EmbeddedStack,
    killed_run: KilledRun,
    broken_run: tuple[dict[int, str], dict[int, str]],
    expected: dict[str, dict[str, Any]],
    tmp_path: Path,
) -> None:
    assert indexed_anomalies(stack) == expected
    by_classic = backtested(stack, killed_run.day, "classic")
    assert by_classic
    assert by_classic.keys() != expected.keys()

    producer = new_producer(stack.kafka_connection)
    for value in (b"not JSON", b"[1]", b'{"trade_id": 1}', b'{"trade_id": "FOREIGN"}'):
        producer.produce("anomalies", key=b"FOREIGN", value=value, headers={"trade_offset": b"none"})
    producer.produce("anomalies", key=b"FOREIGN", value=None, headers={"trade_id": None})
    assert producer.flush(10) == 0
    tapewatch(stack, "detect", "--profile", "classic", "--reset", "--until-idle", "0.5")
    assert anomalies(stack, SUFFIX) == by_classic
    assert indexed_anomalies(stack) == by_classic

    log = tmp_path / "killed in its reset"
    with started(log, "detect", "--reset", **addresses(stack)) as detector:
        wait_for(log, "reset: all trades", detector)
        detector.kill()
        detector.wait()
    said = tapewatch(stack, "detect", "--until-idle", "0.5").stderr
    assert "another profile" not in said
    assert anomalies(stack, SUFFIX) == expected
    assert indexed_anomalies(stack) == expected


@pytest.mark.slow
def test_another_profile_without_a_reset_logs_a_warning_and_continues(
    stack: EmbeddedStack, broken_run: tuple[dict[int, str], dict[int, str]], tmp_path: Path
) -> None:
    config = DayConfig(trades=2_000, symbols=2, date=dt.date(2023, 5, 5), seed=23, anomaly_rate=0.005)
    day = write_own_day(tmp_path / "day.csv", config, "OP")
    before = anomalies(stack, SUFFIX)
    tapewatch(stack, "produce", str(day))
    said = tapewatch(stack, "detect", "--profile", "classic", "--until-idle", "0.5").stderr
    (detected,) = log_lines(said, "detected")
    assert detected["trades"] == 2_000
    assert "anomalies found with it stay until `tapewatch detect --reset`" in said
    assert anomalies(stack, "OP") == backtested(stack, day, "classic")
    assert anomalies(stack, SUFFIX) == before


@pytest.mark.slow
def test_of_two_detectors_with_one_name_one_ends_with_an_error(stack: EmbeddedStack, tmp_path: Path) -> None:
    config = DayConfig(trades=3_000, symbols=12, date=dt.date(2023, 5, 6), seed=24, anomaly_rate=0.005)
    day = write_own_day(tmp_path / "day.csv", config, "NS")
    set_up(stack)
    env = addresses(stack) | {"TAPEWATCH_INSTANCE": "namesake"}
    logs = [tmp_path / "one", tmp_path / "other", tmp_path / "producer"]
    slowly = ("produce", "--speed", speed_for(day, 60), str(day))
    with started(logs[0], "detect", **env) as one, started(logs[1], "detect", **env) as other:
        wait_for(logs[0], "assigned", one)
        wait_for(logs[1], "assigned", other)
        with started(logs[2], *slowly, **addresses(stack)) as producer:
            wait_until(lambda: one.poll() is not None or other.poll() is not None, logs[2])
            producer.send_signal(signal.SIGTERM)
            assert producer.wait(WITHIN_S) == 128 + signal.SIGTERM, logs[2].read_text()
        loser, winner = (one, other) if other.poll() is None else (other, one)
        log = logs[0] if loser is one else logs[1]
        assert loser.returncode == 1, log.read_text()
        assert "Give each process its own TAPEWATCH_INSTANCE." in log.read_text()
        assert "Traceback" not in log.read_text()
        tapewatch(stack, "produce", str(day))
        wait_until(lambda: is_detected(stack), logs[0])
        winner.send_signal(signal.SIGTERM)
        assert winner.wait(WITHIN_S) == 0
    assert anomalies(stack, "NS") == backtested(stack, day)
