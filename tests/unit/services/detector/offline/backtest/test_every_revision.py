from pathlib import Path

import orjson
import pytest

from services.detector.offline.backtest.every_revision import every_revision
from services.detector.offline.backtest.run import run_backtest
from services.sources.files import open_sources
from services.sources.synthetic.day import DayConfig, write_day
from tests.samples import HEADER, row


def test_it_ends_with_what_a_backtest_writes_and_has_each_revision_before(tmp_path: Path) -> None:
    day, output = tmp_path / "day.csv", tmp_path / "out.ndjson"
    write_day(DayConfig(trades=20_000, symbols=2, anomaly_rate=0.002), day, tmp_path / "labels.csv")
    run_backtest(open_sources([str(day)]), output, None)
    last: dict[str, dict[str, object]] = {}
    revisions: dict[str, list[int]] = {}
    brought: list[int] = []
    for value, brought_ns in every_revision(open_sources([str(day)]), None):
        anomaly = orjson.loads(value)
        last[anomaly["trade_id"]] = anomaly | {"detected_at": None}
        revisions.setdefault(anomaly["trade_id"], []).append(anomaly.get("revision", 1))
        brought.append(brought_ns)
    written = [orjson.loads(line) | {"detected_at": None} for line in output.read_bytes().splitlines()]
    assert list(last.values()) == written
    assert all(numbers == [*range(1, len(numbers) + 1)] for numbers in revisions.values())
    assert max(len(numbers) for numbers in revisions.values()) > 1
    assert brought == sorted(brought)


def test_rows_that_are_no_trades_are_counted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "day.csv"
    file.write_text(f"{HEADER}\n{row()}\n{row(price='x')}\n")
    assert list(every_revision(open_sources([str(file)]), None)) == []
    assert "Rows that are no trades, left out: 1." in capsys.readouterr().err
