import datetime as dt
from pathlib import Path
from typing import Any

import orjson
import polars as pl
import pytest

from infra.embedded.stack import EmbeddedStack
from services.sources.synthetic.day import DayConfig, write_day
from tests.integration.pipeline import (
    anomaly_without_time,
    catch_up,
    documents,
    ends,
    letters,
    read_topic,
    run_pipeline,
    set_up,
    tapewatch,
    write_own_day,
)
from tests.narrow import key_of, value_of
from tests.samples import REAL_DATA, needs_real_data, row, write_csv

NUMBERS = ["publisher_id", "instrument_id", "depth", "size", "flags", "ts_in_delta", "sequence", "rtype"]
TEXTS = ["ts_recv", "action", "side", "symbol"]


def assert_documents_equal_file(found: dict[str, dict[str, Any]], path: Path) -> None:
    """Compare every row of a readable file with its document, read by polars' own CSV reader."""
    rows = pl.read_csv(path.read_bytes())  # decompresses by itself
    day = rows["ts_event"].str.slice(0, 10).str.replace_all("-", "")
    ids = rows.select(pl.format("{}-{}-{}-{}", "publisher_id", "instrument_id", day, "sequence")).to_series()
    assert ids.n_unique() == len(rows)
    assert found.keys() == set(ids)
    ordered = [found[trade_id] for trade_id in ids]
    assert [document["trade_id"] for document in ordered] == ids.to_list()
    assert [document["@timestamp"] for document in ordered] == rows["ts_event"].to_list()
    assert [document["price"] for document in ordered] == rows["price"].to_list()
    for name in NUMBERS + TEXTS:
        assert [document[name] for document in ordered] == rows[name].to_list(), name


def assert_anomalies_point_at_trades(
    anomalies: dict[str, dict[str, Any]], trades: dict[str, dict[str, Any]]
) -> None:
    assert anomalies
    for trade_id, anomaly in anomalies.items():
        trade = trades[trade_id]
        assert {name: anomaly[name] for name in trade} == trade
        assert anomaly["anomalies"]
        assert 0 <= anomaly["score"] <= 1
        assert sum(anomaly["contributions"].values()) == pytest.approx(1)
        assert {detection["label"] for detection in anomaly["detections"]} == set(anomaly["anomalies"])


@pytest.fixture(scope="module")
def generated_day(stack: EmbeddedStack, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A generated day, processed by the whole pipeline."""
    folder = tmp_path_factory.mktemp("day")
    path = folder / "day.csv.zst"
    write_day(DayConfig(trades=20_000), path, folder / "labels.csv")
    run_pipeline(stack, str(path))
    return path


def test_every_trade_is_indexed_once_with_the_files_values(stack: EmbeddedStack, generated_day: Path) -> None:
    assert_documents_equal_file(documents(stack, "trades-2026.03.0*"), generated_day)


def test_every_anomaly_points_at_its_trade(stack: EmbeddedStack, generated_day: Path) -> None:
    trades = documents(stack, "trades-2026.03.0*")
    assert_anomalies_point_at_trades(documents(stack, "anomalies-2026.03"), trades)


def test_the_same_file_again_publishes_nothing(stack: EmbeddedStack, generated_day: Path) -> None:
    before = ends(stack, "trades")
    done = tapewatch(stack, "produce", str(generated_day))
    assert "already published; nothing to do" in done.stderr
    assert read_topic(stack, "trades", before) == []


@pytest.mark.slow
def test_a_second_replay_adds_nothing(stack: EmbeddedStack, generated_day: Path) -> None:
    anomalies = documents(stack, "anomalies-2026.03")
    trades_before, anomalies_before = ends(stack, "trades"), ends(stack, "anomalies")
    tapewatch(stack, "produce", "--again", str(generated_day))
    assert len(read_topic(stack, "trades", trades_before)) == 20_000
    catch_up(stack)
    assert_documents_equal_file(documents(stack, "trades-2026.03.0*"), generated_day)
    assert documents(stack, "anomalies-2026.03") == anomalies
    assert read_topic(stack, "anomalies", anomalies_before) == []


def test_backtest_gives_the_live_services_anomalies(
    stack: EmbeddedStack, generated_day: Path, tmp_path: Path
) -> None:
    output = tmp_path / "anomalies.ndjson"
    tapewatch(stack, "backtest", str(generated_day), "--output", str(output))
    lines = [orjson.loads(line) for line in output.read_bytes().splitlines()]
    found = {line["trade_id"]: anomaly_without_time(line) for line in lines}
    live = documents(stack, "anomalies-2026.03")
    assert len(found) == len(lines)
    assert found == {trade_id: anomaly_without_time(anomaly) for trade_id, anomaly in live.items()}


def test_backtest_of_the_index_gives_the_same_anomalies(
    stack: EmbeddedStack, generated_day: Path, tmp_path: Path
) -> None:
    output = tmp_path / "anomalies.ndjson"
    times = ("--from", "2026-03-02", "--to", "2026-03-04")
    tapewatch(stack, "backtest", *times, "--symbol", "ACME", "--output", str(output))
    lines = [orjson.loads(line) for line in output.read_bytes().splitlines()]
    live = documents(stack, "anomalies-2026.03", term={"symbol": "ACME"})
    assert {line["trade_id"]: anomaly_without_time(line) for line in lines} == {
        trade_id: anomaly_without_time(anomaly) for trade_id, anomaly in live.items()
    }
    nothing = tapewatch(
        stack, "backtest", "--from", "2001-01-01", "--to", "2001-01-02", "--output", "x", code=1
    )
    assert "No indexed trades" in nothing.stderr


@pytest.fixture(scope="module")
def one_symbols_day(stack: EmbeddedStack, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A generated day of ACMET that is indexed."""
    config = DayConfig(trades=4_000, symbols=1, date=dt.date(2026, 4, 6), seed=5)
    day = write_own_day(tmp_path_factory.mktemp("one-symbol") / "day.csv", config, "T")
    run_pipeline(stack, str(day))
    return day


ITS_TIMES = ("--from", "2026-04-06", "--to", "2026-04-08", "--symbol", "ACMET")


@pytest.mark.slow
def test_tune_gives_the_same_for_the_index_as_for_the_file(
    stack: EmbeddedStack, one_symbols_day: Path, tmp_path: Path
) -> None:
    outputs = tmp_path / "file" / "tuned.yaml", tmp_path / "index" / "tuned.yaml"
    for given, output in zip(((str(one_symbols_day),), ITS_TIMES), outputs, strict=True):
        output.parent.mkdir()
        tapewatch(stack, "tune", *given, "--budget", "2", "--output", str(output))
    assert outputs[0].read_text() == outputs[1].read_text()


@pytest.mark.slow
def test_evaluate_gives_the_same_for_the_index_as_for_the_file(
    stack: EmbeddedStack, one_symbols_day: Path, tmp_path: Path
) -> None:
    day = one_symbols_day
    outputs = tmp_path / "file.json", tmp_path / "index.json"
    for given, output in zip(((str(day),), ITS_TIMES), outputs, strict=True):
        tapewatch(stack, "evaluate", *given, "--output", str(output))
    of_file, of_index = (orjson.loads(output.read_bytes()) for output in outputs)
    assert of_index["days"][0].pop("file") == "ACMET from 2026-04-06T00:00:00Z to 2026-04-08T00:00:00Z"
    assert of_file["days"][0].pop("file") == day.name
    assert of_index["days"][0] == of_file["days"][0]
    assert of_index["figures"] == of_file["figures"]


def test_trades_of_a_symbol_keep_their_order_in_the_topic(stack: EmbeddedStack, generated_day: Path) -> None:
    expected = pl.read_csv(generated_day.read_bytes())
    published: dict[str, list[int]] = {}
    for message in read_topic(stack, "trades"):
        if b'"@timestamp":"2026-03-0' in (message.value() or b""):
            trade = orjson.loads(value_of(message))
            assert key_of(message).decode() == trade["symbol"]
            published.setdefault(trade["symbol"], []).append(trade["sequence"])
    assert published
    for symbol, sequences in published.items():
        wanted = expected.filter(pl.col("symbol") == symbol)["sequence"].to_list()
        assert sequences[: len(wanted)] == wanted


def test_setup_changes_nothing_the_second_time(stack: EmbeddedStack) -> None:
    tapewatch(stack, "setup")
    assert tapewatch(stack, "setup").stdout == "everything is set up already\n"


def test_bad_rows_become_dead_letters_and_the_rest_is_indexed(stack: EmbeddedStack, tmp_path: Path) -> None:
    day = {"ts_event": "2024-01-09T15:00:00.000000001Z"}
    rows = [row(1, **day), row(2, **day, size="lots"), "1,2", row(4, **day, price=""), row(5, **day)]
    path = write_csv(tmp_path / "faulty.csv.zst", rows)
    run_pipeline(stack, str(path))
    assert {document["sequence"] for document in documents(stack, "trades-2024.01.09").values()} == {
        1001,
        1005,
    }
    mine = [(headers, value) for headers, value in letters(stack) if headers.get("file") == "faulty.csv.zst"]
    assert sorted(
        (int(headers["line"]), headers["service"], headers["error"], value) for headers, value in mine
    ) == [
        (3, "producer", "size is not a number: 'lots'", rows[1].encode()),
        (4, "producer", "2 columns where the header has 14", b"1,2"),
        (5, "producer", "price is empty", rows[3].encode()),
    ]


@pytest.mark.slow
def test_limit_bounds_what_is_published(stack: EmbeddedStack, tmp_path: Path) -> None:
    rows = [row(n, ts_event="2024-01-10T15:00:00.000000001Z") for n in range(50)]
    set_up(stack)
    tapewatch(stack, "produce", str(write_csv(tmp_path / "day.csv", rows)), "--limit", "7")
    catch_up(stack)
    assert len(documents(stack, "trades-2024.01.10")) == 7


@needs_real_data
@pytest.mark.slow
def test_real_day_is_indexed_row_by_row(stack: EmbeddedStack) -> None:
    path = REAL_DATA / "xnas-itch-20241202.trades.csv.zst"
    run_pipeline(stack, str(path))
    trades = documents(stack, "trades-2024.12.02", term={"symbol": "NVDA"})
    assert len(trades) == 221_402
    assert_documents_equal_file(trades, path)
    assert_anomalies_point_at_trades(documents(stack, "anomalies-2024.12"), trades)
