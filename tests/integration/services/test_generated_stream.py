"""The running stream on a real Kafka, killed and stopped meanwhile, and what the detector finds in it."""

import csv
import signal
from pathlib import Path
from typing import Any

import orjson
import pytest
from confluent_kafka import TopicPartition

from infra.embedded.stack import EmbeddedStack
from services.contracts.topics import ANOMALIES_TOPIC, TRADES_TOPIC
from tests.integration.pipeline import (
    addresses,
    ends,
    log_lines,
    metrics,
    read_topic,
    set_up,
    started,
    tapewatch,
    wait_until,
)
from tests.narrow import key_of, value_of

WITHIN_S = 60
OFF_MARKET = ("off_market", "off_market_fat_finger")
"""Kinds whose price is plain to see, even where a symbol is seconds old."""


def published(log: Path) -> float:
    return metrics(log).get("tapewatch_published_trades_total", 0.0) if log_lines(log, "metrics") else 0.0


def labels_of(path: Path) -> list[dict[str, str]]:
    with path.open() as file:
        return list(csv.DictReader(file))


def trades_since(stack: EmbeddedStack, begin: list[TopicPartition]) -> dict[str, dict[str, Any]]:
    """Return the stream's trades by id; fail if one is double."""
    trades: dict[str, dict[str, Any]] = {}
    for message in read_topic(stack, TRADES_TOPIC, begin):
        trade = orjson.loads(value_of(message))
        assert trade["source"] == "generated"
        assert key_of(message).decode() == trade["symbol"]
        assert trade["trade_id"] not in trades
        trades[trade["trade_id"]] = trade
    return trades


def assert_labels_are_of(trades: dict[str, dict[str, Any]], labels: list[dict[str, str]]) -> None:
    for one in labels:
        assert trades[one["trade_id"]]["price"] == float(one["price"])
        assert trades[one["trade_id"]]["size"] == int(one["size"])


def test_a_stream_publishes_what_it_labels_and_ends_when_asked_to_or_after_its_duration(
    stack: EmbeddedStack, tmp_path: Path
) -> None:
    set_up(stack)
    begin = ends(stack, TRADES_TOPIC)
    path, log = tmp_path / "labels.csv", tmp_path / "log"
    live = ("generate", "--live", "--labels", str(path), "--rate", "200", "--anomaly-rate", "0.1")
    with started(log, *live, **addresses(stack)) as process:
        wait_until(lambda: published(log) >= 400, log)
        process.send_signal(signal.SIGINT)
        assert process.wait(WITHIN_S) == 0, log.read_text()
    ended = tapewatch(stack, *live, "--duration", "1").stderr
    trades = trades_since(stack, begin)
    counts = [log_lines(one, "published")[0]["trades"] for one in (log, ended)]
    assert sum(counts) == len(trades) >= 400
    assert labels_of(path)
    assert_labels_are_of(trades, labels_of(path))


@pytest.mark.slow
def test_a_killed_and_stopped_stream_doubles_nothing_and_the_detector_finds_what_is_labelled(
    stack: EmbeddedStack, tmp_path: Path
) -> None:
    set_up(stack)
    begin = {topic: ends(stack, topic) for topic in (TRADES_TOPIC, ANOMALIES_TOPIC)}
    path = tmp_path / "labels.csv"
    live = ("generate", "--live", "--labels", str(path), "--symbols", "40", "--anomaly-rate", "0.005")
    fast = (*live, "--rate", "2000")  # some eighty labels: chance never leaves too few of a kind
    log = tmp_path / "killed"
    with started(log, *fast, **addresses(stack)) as process:
        wait_until(lambda: published(log) >= 5_000, log)
        process.kill()
        assert process.wait(WITHIN_S) == -signal.SIGKILL
    log = tmp_path / "stopped"
    with started(log, *fast, **addresses(stack)) as process:
        wait_until(lambda: published(log) >= 10_000, log)
        refused = tapewatch(stack, *fast, code=1).stderr
        assert f"Another process writes {path}" in refused
        process.send_signal(signal.SIGINT)
        assert process.wait(WITHIN_S) == 0, log.read_text()
    assert log_lines(log, "resuming")[0]["after"]["labels"] == str(path)
    assert log_lines(log, "published")[0]["trades"] >= 10_000
    trades = trades_since(stack, begin[TRADES_TOPIC])
    labels = labels_of(path)
    assert len(labels) > 20
    assert_labels_are_of(trades, labels)

    tapewatch(stack, "detect", "--until-idle", "1")
    found = [
        orjson.loads(message.value() or b"")
        for message in read_topic(stack, ANOMALIES_TOPIC, begin[ANOMALIES_TOPIC])
    ]
    flagged = {one["trade_id"]: one["anomalies"][0] for one in found if one["trade_id"] in trades}
    plain = [one["trade_id"] for one in labels if one["kind"] in OFF_MARKET]
    assert len(plain) >= 10
    assert sum(trade_id in flagged for trade_id in plain) >= 0.5 * len(plain), (plain, flagged)
    kind_of = {one["trade_id"]: one["kind"] for one in labels}
    prices = [trade_id for trade_id, label in flagged.items() if label == "Off-Market Price"]
    assert sum(trade_id in kind_of for trade_id in prices) >= 0.8 * len(prices), (prices, kind_of)
