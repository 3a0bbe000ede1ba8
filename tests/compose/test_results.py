"""The comparisons at the end of the compose test, with a fake broker and cluster."""

from pathlib import Path
from typing import Any, cast

import numpy as np
import orjson
import pytest
from confluent_kafka import TIMESTAMP_LOG_APPEND_TIME

from services.common.elastic.client import Elasticsearch
from services.contracts.anomaly import TRADE_OFFSET
from tests.chaos import read_back
from tests.chaos.day import Day
from tests.chaos.verify import Trade
from tests.compose.results import compare
from tests.compose.stack import ROOT, ComposeStack
from tests.integration import pipeline


class FakeMessage:
    """A committed message, as a consumer returns it."""

    def __init__(self, offset: int, value: dict[str, Any], **headers: bytes) -> None:
        self._offset, self._fields, self._headers = offset, value, list(headers.items())

    def partition(self) -> int:
        return 2

    def offset(self) -> int:
        return self._offset

    def timestamp(self) -> tuple[int, int]:
        return TIMESTAMP_LOG_APPEND_TIME, 1_772_461_800_000

    def key(self) -> bytes:
        return str(self._fields.get("symbol")).encode()

    def value(self) -> bytes:
        return orjson.dumps(self._fields)

    def headers(self) -> list[tuple[str, bytes]] | None:
        return self._headers or None


class FakeIndices:
    """The calls of the Elasticsearch client that are used directly."""

    indices: "FakeIndices"

    def refresh(self, index: str) -> None:
        pass


def trade(number: int) -> dict[str, Any]:
    return {"trade_id": f"t{number}", "symbol": "NVDA", "@timestamp": "2026-03-02T14:30:00Z", "size": number}


ANOMALY = trade(1) | {"score": 0.75}
TOPICS: dict[str, list[FakeMessage]] = {
    "trades": [FakeMessage(0, trade(0)), FakeMessage(1, trade(1))],
    "anomalies": [FakeMessage(0, ANOMALY | {"detected_at": "now"}, **{TRADE_OFFSET: b"1"})],
    "dead-letters": [],
}
INDICES = {
    "trades-*": [("trades-2026.03.02", trade(0)), ("trades-2026.03.02", trade(1))],
    "anomalies-*": [("anomalies-2026.03", ANOMALY)],
}
DAY = Day(
    path=Path("day.csv"),
    trades=[Trade(f"t{number}", "NVDA", orjson.dumps(trade(number))) for number in (0, 1)],
    event_ns=np.zeros(2, np.int64),
    late_trades=0,
)


def compared(monkeypatch: pytest.MonkeyPatch, **changes: list[FakeMessage]) -> list[str]:
    """Return what is wrong with the topics and indices, some topics changed (`_` for `-`)."""
    topics = TOPICS | {name.replace("_", "-"): messages for name, messages in changes.items()}

    def read_topic(_: ComposeStack, topic: str) -> list[FakeMessage]:
        return topics[topic]

    def scan(_: Elasticsearch, index: str, **__: object) -> list[dict[str, Any]]:
        return [{"_index": name, "_id": one["trade_id"], "_source": one} for name, one in INDICES[index]]

    for module in (read_back, pipeline):
        monkeypatch.setattr(module, "read_topic", read_topic)
    monkeypatch.setattr("elasticsearch.helpers.scan", scan)
    client = FakeIndices()
    client.indices = client
    found = compare(ComposeStack(ROOT), cast(Elasticsearch, client), DAY, {"t1": ANOMALY})
    return [f"{violation.where}: {violation.kind}" for violation in found]


def test_what_a_good_run_leaves_has_no_violation(monkeypatch: pytest.MonkeyPatch) -> None:
    assert compared(monkeypatch) == []


def test_a_lost_trade_and_a_dead_letter_are_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    letter = FakeMessage(0, {}, service=b"producer", error=b"no price")
    assert compared(monkeypatch, trades=TOPICS["trades"][1:], dead_letters=[letter]) == [
        "topic trades: lost",
        "topic dead-letters: unexpected",
    ]


def test_a_duplicate_anomaly_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    assert compared(monkeypatch, anomalies=TOPICS["anomalies"] * 2) == ["topic anomalies: doubled"]
