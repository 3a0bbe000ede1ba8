"""Each row of a file is published once, however publishing is interrupted."""

import datetime as dt
import shutil
import signal
from collections import Counter
from pathlib import Path

import msgspec
import orjson
import polars as pl
import pytest
import zstandard
from confluent_kafka import Producer

from infra.embedded.stack import EmbeddedStack
from services.common.kafka.connection import KafkaConnection
from services.common.kafka.dead_letters import publish_rejected_row
from services.common.kafka.records import Record
from services.common.observability.health import Health
from services.common.process.shutdown import Stop
from services.producer import parts, pending, publisher
from services.producer.metrics import Tally
from services.producer.progress import Progress, load_progress
from services.sources import lines
from services.sources.file import content_hash
from services.sources.files import open_sources
from services.sources.synthetic.day import DayConfig
from tests.integration.pipeline import (
    addresses,
    ends,
    letters,
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
from tests.narrow import key_of, value_of
from tests.samples import row, write_csv
from tests.stops import AskedFor

WITHIN_S = 15
PUBLISHED_BEFORE = "already published; nothing to do (use --again to republish)"


@pytest.fixture(scope="module", autouse=True)
def topics(stack: EmbeddedStack) -> None:
    set_up(stack)


def published_trades(log: Path) -> float:
    return metrics(log)["tapewatch_published_trades_total"]


def assert_published_once(path: Path, messages: list[Record]) -> None:
    """Compare the messages with the good rows of a file: all of them, each symbol's in order."""
    rows = pl.read_csv(path, ignore_errors=True, truncate_ragged_lines=True).drop_nulls(["sequence", "size"])
    wanted: dict[str, list[int]] = {}
    for symbol, sequence in rows.select("symbol", "sequence").iter_rows():
        wanted.setdefault(symbol, []).append(sequence)
    published: dict[str, list[int]] = {}
    for message in messages:
        trade = orjson.loads(value_of(message))
        assert key_of(message).decode() == trade["symbol"]
        published.setdefault(trade["symbol"], []).append(trade["sequence"])
    assert published == wanted


def letters_of(stack: EmbeddedStack, file: str) -> dict[int, tuple[str, bytes | None]]:
    """Return error and value of a file's dead letters by line; fail if a line has two."""
    found = [(headers, value) for headers, value in letters(stack) if headers.get("file") == file]
    by_line = {int(headers["line"]): (headers["error"], value) for headers, value in found}
    assert len(by_line) == len(found)
    return by_line


@pytest.fixture(scope="module")
def faulty_day(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[int, bytes]]:
    """A day with a bad row every 500 lines, and the bad rows by line."""
    config = DayConfig(trades=6_000, symbols=4, date=dt.date(2023, 6, 5), seed=11)
    path = write_own_day(tmp_path_factory.mktemp("producer") / "faulty day.csv", config, "P")
    lines = path.read_bytes().splitlines()
    bad = {line: f"bad row {line}".encode() for line in range(3, len(lines), 500)}
    for line, value in bad.items():
        lines.insert(line - 1, value)
    path.write_bytes(b"\n".join(lines) + b"\n")
    return path, bad


@pytest.mark.slow
def test_killed_and_stopped_producers_resume_at_the_next_row(
    stack: EmbeddedStack, faulty_day: tuple[Path, dict[int, bytes]], tmp_path: Path
) -> None:
    path, bad = faulty_day
    begin = ends(stack, "trades")
    slowly = ("produce", "--speed", speed_for(path, 8), str(path))
    log = tmp_path / "killed"
    with started(log, *slowly, **addresses(stack)) as process:
        wait_for(log, "publishing", process)
        wait_until(lambda: published_trades(log) >= 1_000, log)
        assert process.poll() is None, log.read_text()
        process.kill()
        assert process.wait(WITHIN_S) == -signal.SIGKILL
    log = tmp_path / "stopped"
    with started(log, *slowly, **addresses(stack)) as process:
        wait_for(log, "resuming", process)
        wait_until(lambda: published_trades(log) >= 500, log)
        assert process.poll() is None, log.read_text()
        process.send_signal(signal.SIGTERM)
        assert process.wait(WITHIN_S) == 128 + signal.SIGTERM, log.read_text()
    (first_resumed,) = log_lines(log, "resuming")
    (stopped,) = log_lines(log, "published")
    assert 1_000 <= first_resumed["trades"] < 6_000
    done = first_resumed["trades"] + stopped["trades"]
    assert done == len(read_topic(stack, "trades", begin)) < 6_000

    rest = tapewatch(stack, "produce", str(path)).stderr

    (resumed,) = log_lines(rest, "resuming")
    (finished,) = log_lines(rest, "published")
    assert resumed["trades"] == done
    assert finished["trades"] == 6_000 - done
    assert_published_once(path, read_topic(stack, "trades", begin))
    found = letters_of(stack, path.name)
    assert {line: value for line, (_, value) in found.items()} == bad


def test_limit_is_a_pause_and_copies_are_the_same_file(stack: EmbeddedStack, tmp_path: Path) -> None:
    rows = [row(n, ts_event=f"2023-06-06T15:00:{n:02}.000000001Z", symbol="LIMITP") for n in range(50)]
    path = write_csv(tmp_path / "fifty.csv.zst", rows)
    begin = ends(stack, "trades")
    first = tapewatch(stack, "produce", "--limit", "7", str(path)).stderr
    assert log_lines(first, "published")[0]["trades"] == len(read_topic(stack, "trades", begin)) == 7
    rest = tapewatch(stack, "produce", str(path)).stderr
    assert log_lines(rest, "resuming")[0]["after_line"] == 8
    published = read_topic(stack, "trades", begin)
    plain = tmp_path / "plain.csv"
    plain.write_bytes(zstandard.decompress(path.read_bytes()))
    assert_published_once(plain, published)

    renamed = tmp_path / "renamed.zst"
    shutil.copy(path, renamed)
    copies = tapewatch(stack, "produce", str(plain), str(renamed)).stderr
    said = log_lines(copies, PUBLISHED_BEFORE)
    assert [(line["file"], line["trades"]) for line in said] == [("plain.csv", 50), ("renamed.zst", 50)]
    assert len(read_topic(stack, "trades", begin)) == 50

    tapewatch(stack, "produce", "--again", str(plain))
    again = read_topic(stack, "trades", begin)[50:]
    assert Counter(m.value() for m in again) == Counter(m.value() for m in published)


def test_stop_while_the_progress_is_read_forgets_nothing(
    stack: EmbeddedStack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [row(n, ts_event=f"2023-06-09T15:00:{n:02}.000000001Z", symbol="STOPP") for n in range(50)]
    path = write_csv(tmp_path / "stopped early.csv", rows)
    begin = ends(stack, "trades")
    tapewatch(stack, "produce", "--limit", "7", str(path))
    stop = AskedFor()

    def load_until_stopped(kafka: KafkaConnection, key: str, asked: Stop) -> Progress | None:
        stop.request()
        return load_progress(kafka, key, asked)

    monkeypatch.setattr(publisher, "load_progress", load_until_stopped)
    publish(stack, path, stop, Health())

    rest = tapewatch(stack, "produce", str(path)).stderr
    assert log_lines(rest, "resuming")[0]["trades"] == 7
    assert_published_once(path, read_topic(stack, "trades", begin))


def publish(stack: EmbeddedStack, path: Path, stop: Stop, health: Health, speed: float | None = None) -> None:
    """Publish a file in this process."""
    file = publisher.Publisher(
        open_sources([str(path)])[0], stack.kafka_connection, stop, Tally(health, None)
    )
    file.publish(speed, again=False, show=lambda _: None)


BAD_ROWS = 60_000


def write_mostly_bad(path: Path, day: str, symbol: str) -> Path:
    """Write good rows before, within and after a long stretch of bad ones of every kind."""
    good = [row(n, ts_event=f"{day}T15:00:{n:02}.000000001Z", symbol=symbol) for n in range(30)]
    many = row(1, size="many")
    bad = [f"bad row {n}" if n % 2 else many for n in range(BAD_ROWS)]
    return write_csv(path, [*good[:10], *bad[:-5_000], *good[10:20], *bad[-5_000:], *good[20:]])


def progress_records(stack: EmbeddedStack, path: Path) -> list[Progress]:
    """Return all committed progress records of a file."""
    key = content_hash(path).encode()
    messages = read_topic(stack, "producer-progress")
    return [msgspec.json.decode(value_of(m), type=Progress) for m in messages if m.key() == key]


def assert_mostly_bad_published_once(
    stack: EmbeddedStack, path: Path, symbol: str, published: list[Record]
) -> None:
    sequences = [orjson.loads(value_of(m))["sequence"] for m in published if m.key() == symbol.encode()]
    assert sequences == list(range(1000, 1030))
    found = letters_of(stack, path.name)
    lines = path.read_bytes().splitlines()
    wanted = {
        number: line
        for number, line in enumerate(lines, 1)
        if line.startswith(b"bad row") or b",many," in line
    }
    assert {line: value for line, (_, value) in found.items()} == wanted
    last = progress_records(stack, path)[-1]
    assert (last.line, last.trades, last.bad_rows, last.complete) == (BAD_ROWS + 31, 30, BAD_ROWS, True)


@pytest.mark.slow
def test_stop_in_a_long_stretch_of_bad_rows_is_heeded_and_the_rest_follows(
    stack: EmbeddedStack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_mostly_bad(tmp_path / "mostly bad.csv", "2023-06-12", "BADP")
    begin = ends(stack, "trades")
    stop = AskedFor()
    letters_before_stop = iter(range(25_000))

    def publish_until_stopped(
        producer: Producer, service: str, error: str, raw: bytes, file: str, line: int
    ) -> None:
        if not stop.requested and next(letters_before_stop, None) is None:
            stop.request()
        publish_rejected_row(producer, service, error, raw, file, line)

    with monkeypatch.context() as patch:
        patch.setattr(publisher, "publish_rejected_row", publish_until_stopped)
        publish(stack, path, stop, Health())
    halfway = progress_records(stack, path)[-1]
    assert 25_000 < halfway.bad_rows < 45_000
    assert (halfway.line, halfway.complete) == (1 + halfway.trades + halfway.bad_rows, False)

    rest = tapewatch(stack, "produce", str(path)).stderr

    assert log_lines(rest, "resuming")[0]["after_line"] == halfway.line
    assert log_lines(rest, "published")[0]["bad_rows"] == BAD_ROWS - halfway.bad_rows
    assert_mostly_bad_published_once(stack, path, "BADP", read_topic(stack, "trades", begin))


@pytest.mark.parametrize(
    ("chunk_lines", "symbol", "commits"),
    [
        (100_000, "ONECHUNKP", [0, 50_010, 60_030, 60_030]),
        (40_000, "CHUNKSP", [0, 39_999, 60_030, 60_030]),
    ],
)
@pytest.mark.slow
def test_transactions_of_bad_rows_stay_small_and_end_before_the_next_chunk_is_read(
    stack: EmbeddedStack,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    chunk_lines: int,
    symbol: str,
    commits: list[int],
) -> None:
    path = write_mostly_bad(tmp_path / f"{symbol}.csv", "2023-06-13", symbol)
    begin = ends(stack, "trades")
    monkeypatch.setattr(pending, "COMMIT_S", 3_600.0)  # only their size makes transactions end
    monkeypatch.setattr(lines, "CHUNK_LINES", chunk_lines)
    publish(stack, path, AskedFor(), Health())
    assert [record.trades + record.bad_rows for record in progress_records(stack, path)] == commits
    assert_mostly_bad_published_once(stack, path, symbol, read_topic(stack, "trades", begin))


@pytest.mark.slow
def test_long_bad_rows_are_committed_by_their_bytes(
    stack: EmbeddedStack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    good = row(1, ts_event="2023-06-15T15:00:00.000000001Z", symbol="LONGP")
    path = write_csv(tmp_path / "long and bad.csv", [*(f"{n:0100}" for n in range(30)), good])
    monkeypatch.setattr(pending, "COMMIT_S", 3_600.0)
    for module in (parts, pending):
        monkeypatch.setattr(module, "COMMIT_REJECTED_BYTES", 1_000)
    publish(stack, path, AskedFor(), Health())
    assert [record.bad_rows for record in progress_records(stack, path)] == [0, 10, 20, 30, 30]
    assert letters_of(stack, path.name).keys() == set(range(2, 32))


@pytest.mark.slow
def test_full_queue_of_the_client_is_an_abort_and_loses_nothing(
    stack: EmbeddedStack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_mostly_bad(tmp_path / "full queue.csv", "2023-06-14", "FULLP")
    begin = ends(stack, "trades")
    calls = 0

    def refuse_once(producer: Producer, service: str, error: str, raw: bytes, file: str, line: int) -> None:
        nonlocal calls
        calls += 1
        if calls == 55_000:
            raise BufferError("Local: Queue full")
        publish_rejected_row(producer, service, error, raw, file, line)

    monkeypatch.setattr(publisher, "publish_rejected_row", refuse_once)
    publish(stack, path, AskedFor(), Health())
    assert calls > BAD_ROWS + 1
    assert_mostly_bad_published_once(stack, path, "FULLP", read_topic(stack, "trades", begin))


def test_producer_that_waits_for_the_next_trade_is_alive(stack: EmbeddedStack, tmp_path: Path) -> None:
    times = ["2023-06-15T15:00:00Z", "2023-06-15T15:00:04Z"]
    path = write_csv(tmp_path / "gap.csv", [row(n, ts_event=at) for n, at in enumerate(times)])
    now_s = 0.0
    health = Health(stale_after_s=60.0, clock_s=lambda: now_s)
    found = []

    class Waiting(AskedFor):
        def wait(self, timeout_s: float) -> bool:
            nonlocal now_s
            now_s += 40.0  # as if each nap were so long
            found.append(health.why_not_alive())
            return super().wait(timeout_s)

    publish(stack, path, Waiting(), health, speed=1.0)
    assert len(found) >= 4
    assert set(found) == {None}


def test_newer_producer_of_a_file_takes_over(stack: EmbeddedStack, tmp_path: Path) -> None:
    config = DayConfig(trades=3_000, symbols=2, date=dt.date(2023, 6, 7), seed=12)
    path = write_own_day(tmp_path / "twice.csv", config, "P2")
    begin = ends(stack, "trades")
    log = tmp_path / "older"
    with started(log, "produce", "--speed", speed_for(path, 120), str(path), **addresses(stack)) as older:
        wait_for(log, "publishing", older)
        wait_until(lambda: published_trades(log) > 0, log)
        newer = tapewatch(stack, "produce", str(path))
        assert older.wait(WITHIN_S) == 1, log.read_text()
    assert f"Another producer has taken over {path.name}" in log.read_text()
    assert "Traceback" not in log.read_text()
    assert 0 < log_lines(newer.stderr, "published")[0]["trades"] < 3_000
    assert_published_once(path, read_topic(stack, "trades", begin))


@pytest.mark.slow
def test_rows_too_long_for_the_topic_are_dead_letters(stack: EmbeddedStack, tmp_path: Path) -> None:
    at = {"ts_event": "2023-06-08T15:00:00.000000001Z"}
    rows = [
        row(1, **at, symbol="LONGP"),
        row(2, **at, symbol="P" * 300),
        row(3, **at, size="1" * 1_200_000),
        row(4, **at, action="T" * 2_500_000),
        row(5, **at, symbol="P" * 256),
        row(6, **at, symbol="LONGP"),
    ]
    path = write_csv(tmp_path / "long rows.csv", rows)
    begin = ends(stack, "trades")
    done = tapewatch(stack, "produce", str(path))
    sequences = {orjson.loads(value_of(m))["sequence"] for m in read_topic(stack, "trades", begin)}
    assert sequences == {1001, 1005, 1006}
    found = letters_of(stack, path.name)
    assert found.keys() == {3, 4, 5}
    assert found[3] == (
        f"symbol is not plain text of 1 to 256 characters: '{'P' * 300}'",
        rows[1].encode(),
    )
    assert found[4][0].startswith("size is out of range: 111")
    assert found[4][1] == rows[2].encode()
    assert found[5][0].startswith(f"of the row's {len(rows[3]):,} bytes the first 2,000,000 are kept; ")
    assert found[5][1] == rows[3].encode()[:2_000_000]
    assert len(done.stderr) < 20_000
    (before,) = log_lines(tapewatch(stack, "produce", str(path)).stderr, PUBLISHED_BEFORE)
    assert before["trades"] == 3
