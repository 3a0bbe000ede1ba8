"""Corrections in the topic, against what the detector says of the same trades from the index."""

import datetime as dt
from pathlib import Path

import orjson
import pytest

from infra.embedded.stack import EmbeddedStack
from services.common.kafka.clients import new_producer
from services.contracts.correction import Action, Correction, encode_correction
from services.contracts.topics import CORRECTIONS_TOPIC
from services.sources.synthetic.day import DayConfig
from tests.integration.pipeline import documents, run_pipeline, tapewatch, write_own_day

SYMBOL = "ACMEC"
RANGE = ("--from", "2026-05-04", "--to", "2026-05-06", "--symbol", SYMBOL)


def correction(trade_id: str | None, action: Action, number: int) -> bytes:
    at = f"2026-05-05T21:00:0{number}Z"
    return encode_correction(Correction(at, f"{SYMBOL}-{number}", trade_id, SYMBOL, action, "alpaca"))


@pytest.mark.slow
def test_cancelled_prints_are_found_or_missed_and_all_others_have_a_reason(
    stack: EmbeddedStack, tmp_path: Path
) -> None:
    config = DayConfig(trades=4_000, symbols=1, date=dt.date(2026, 5, 4), seed=5, anomaly_rate=0.003)
    run_pipeline(stack, str(write_own_day(tmp_path / "day.csv", config, SYMBOL.removeprefix("ACME"))))
    command = ("evaluate", "--truth", "cancels", *RANGE)
    assert "No corrections are indexed for ACMEC" in tapewatch(stack, *command, code=1).stderr

    trades = documents(stack, "trades-2026.05.0*", term={"symbol": SYMBOL})
    anomalies = documents(stack, "anomalies-2026.05", term={"symbol": SYMBOL})
    alerts = sorted(one["trade_id"] for one in anomalies.values() if one["severity"] != "info")
    quiet = sorted(trades.keys() - anomalies.keys())
    values = [
        correction(alerts[0], "cancel", 1),
        correction(quiet[0], "error", 2),
        correction(quiet[1], "correct", 3),
        correction(None, "cancel", 4),
        correction("not-a-trade", "cancel", 5),
    ]
    producer = new_producer(stack.kafka_connection)
    for value in values:
        producer.produce(CORRECTIONS_TOPIC, key=SYMBOL.encode(), value=value)
    assert producer.flush(30) == 0
    tapewatch(stack, "index", "--until-idle", "1")
    documents(stack, "corrections-2026.05")  # searchable from here on

    output = tmp_path / "report.json"
    printed = tapewatch(stack, *command, "--output", str(output)).stdout
    assert "1 (50.0%)" in printed
    report = orjson.loads(output.read_bytes())
    [found], [missed] = report["found"], report["missed"]
    assert (found["trade_id"], missed["trade_id"]) == (alerts[0], quiet[0])
    assert found["labels"] == anomalies[alerts[0]]["anomalies"]
    assert found["severity"] == anomalies[alerts[0]]["severity"]
    assert (missed["price"], missed["size"]) == (trades[quiet[0]]["price"], trades[quiet[0]]["size"])
    assert report["unusable"] == {"no_trade": 1, "corrected": 1, "not_read": 1}
    assert report["corrections"] == len(values)
    assert (report["trades"], report["flagged"]) == (len(trades), len(alerts))


def test_files_and_flags_of_injection_are_refused(stack: EmbeddedStack) -> None:
    command = ("evaluate", "--truth", "cancels")
    assert "indexed trades" in tapewatch(stack, *command, "day.csv", code=2).stderr
    assert "injected" in tapewatch(stack, *command, *RANGE, "--runs", "2", code=2).stderr
