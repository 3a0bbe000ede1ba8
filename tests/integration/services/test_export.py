"""Trades from the index as Parquet files, killed and resumed, against the file that they came from."""

import datetime as dt
import re
import time
from pathlib import Path

import duckdb
import orjson
import polars as pl
import pytest
from elasticsearch import Elasticsearch

from infra.embedded.stack import EmbeddedStack
from services.sources.files import open_source, open_sources
from services.sources.synthetic.day import DayConfig
from tests.integration.pipeline import addresses, set_up, started, tapewatch, write_own_day

CONFIG = DayConfig(trades=6_000, symbols=3, date=dt.date(2026, 6, 3), seed=11, anomaly_rate=0.003)
SUFFIX = "XP"


@pytest.fixture(scope="module")
def day(stack: EmbeddedStack, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = write_own_day(tmp_path_factory.mktemp("day") / "day.csv", CONFIG, SUFFIX)
    set_up(stack)
    tapewatch(stack, "produce", str(path))
    tapewatch(stack, "index", "--until-idle", "1")
    with Elasticsearch(stack.elasticsearch_url) as client:
        client.indices.refresh(index="trades-*")
    return path


def messages(path: Path) -> dict[str, list[bytes]]:
    """Return the messages of a file, or a folder, by symbol in their order."""
    found: dict[str, list[bytes]] = {}
    for source in open_sources([str(path)]):
        for chunk in source.chunks():
            for value in source.to_json(chunk.trades):
                found.setdefault(orjson.loads(value)["symbol"], []).append(value)
    return found


def flags(day: Path, folder: Path) -> tuple[str, ...]:
    symbols = ",".join(sorted(messages(day)))
    return ("export", "--parquet", str(folder), "--from", "2026-06-03", "--symbols", symbols)


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def lines(path: Path) -> list[bytes]:
    return sorted(re.sub(rb'"detected_at":"[^"]*"', b"", line) for line in path.read_bytes().splitlines())


@pytest.mark.slow
def test_an_export_gives_the_messages_anomalies_and_thresholds_of_the_file(
    stack: EmbeddedStack, day: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "out"
    assert "6,000 trades written" in tapewatch(stack, *flags(day, folder)).stderr
    assert messages(folder) == messages(day)
    everything = f"{folder}/*/*/*.parquet"
    counts = {symbol: len(values) for symbol, values in messages(day).items()}
    by_duckdb = duckdb.read_parquet(everything, hive_partitioning=True).aggregate("symbol, count(*)")
    assert dict(by_duckdb.fetchall()) == counts
    by_polars = pl.scan_parquet(folder, hive_partitioning=True).group_by("symbol").len().collect()
    assert dict(by_polars.rows()) == counts

    for name, source in (("file", day), ("export", folder)):
        tapewatch(stack, "backtest", str(source), "--output", str(tmp_path / f"{name}.ndjson"))
        tapewatch(stack, "tune", str(source), "--output", str(tmp_path / f"{name}.yaml"))
    found = lines(tmp_path / "export.ndjson")
    assert found == lines(tmp_path / "file.ndjson")
    assert len(found) > 5
    tuned = [(tmp_path / f"{name}.yaml").read_text() for name in ("file", "export")]
    assert tuned[1].replace("export", "file") == tuned[0]


@pytest.mark.slow
def test_an_export_killed_again_and_again_ends_with_the_same_bytes(
    stack: EmbeddedStack, day: Path, tmp_path: Path
) -> None:
    whole, resumed = tmp_path / "whole", tmp_path / "resumed"
    tapewatch(stack, *flags(day, whole))
    kills = 0
    for files in range(1, 5):
        with started(tmp_path / "log", *flags(day, resumed), **addresses(stack)) as process:
            while process.poll() is None and len(list(resumed.rglob("day=*/*/*.parquet"))) < files:
                time.sleep(0.005)
            process.kill()
            kills += process.wait() != 0
        if (resumed / ".unfinished").exists():
            assert "not finished" in tapewatch(stack, "backtest", str(resumed), "--html", "x", code=1).stderr
    assert kills
    tapewatch(stack, *flags(day, resumed))
    assert contents(resumed) == contents(whole)


def test_only_a_partition_that_changed_is_read_again(stack: EmbeddedStack, day: Path, tmp_path: Path) -> None:
    folder = tmp_path / "out"
    tapewatch(stack, *flags(day, folder))
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*.parquet")}
    assert f"written: 0, up to date: {len(before)}." in tapewatch(stack, *flags(day, folder)).stderr
    changed = folder / "day=2026-06-03" / f"symbol=ACME{SUFFIX}" / "trades.parquet"
    [chunk] = open_source(changed).chunks()
    document = orjson.loads(open_source(changed).to_json(chunk.trades[:1])[0])
    with Elasticsearch(stack.elasticsearch_url) as client:
        client.index(
            index="trades-2026.06.03", id=document["trade_id"], document=document, refresh="wait_for"
        )
        tapewatch(stack, *flags(day, folder))
        after = {path: path.stat().st_mtime_ns for path in folder.rglob("*.parquet")}
        assert {path for path in before if before[path] != after[path]} == {changed}

        client.delete(index="trades-2026.06.03", id=document["trade_id"], refresh="wait_for")
        assert "more trades than the index has now: 1" in tapewatch(stack, *flags(day, folder)).stderr
        client.index(
            index="trades-2026.06.03", id=document["trade_id"], document=document, refresh="wait_for"
        )
    assert messages(folder) == messages(day)


def test_what_cannot_be_exported_is_said_with_its_fix(
    stack: EmbeddedStack, day: Path, tmp_path: Path
) -> None:
    command = ("export", "--parquet", str(tmp_path / "out"))
    for more, text in (
        (("--symbols", f"ACME{SUFFIX},NOSUCH"), "No indexed trades of NOSUCH."),
        (("--from", "2250-01-01"), "No indexed trades from 2250-01-01."),
        (("--elasticsearch", "http://127.0.0.1:9"), "does not answer at http://127.0.0.1:9"),
    ):
        assert text in tapewatch(stack, *command, *more, code=1).stderr
    assert not (tmp_path / "out").exists()
    (tmp_path / "mine.txt").touch()
    assert "something else" in tapewatch(stack, "export", "--parquet", str(tmp_path), code=1).stderr
    assert (
        "first day" in tapewatch(stack, *command, "--from", "2026-06-03", "--to", "2026-06-03", code=2).stderr
    )
