"""The running stream, by a clock that the test turns."""

import csv
from collections.abc import Iterator
from itertools import islice, pairwise
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.common.errors import TapewatchError
from services.contracts.trade import decode_trade
from services.sources.base import Chunk
from services.sources.synthetic.day import LABEL_COLUMNS
from services.sources.synthetic.kinds import KINDS
from services.sources.synthetic.label_file import LabelFile
from services.sources.synthetic.stream import StreamConfig, SyntheticStream, rising

BEGIN_NS = 1_772_470_800_000_000_000  # 2026-03-02T17:00:00Z
BUSY = StreamConfig(per_s=50.0, symbols=3, anomaly_rate=0.01)


class Clock:
    """A clock that a sleep turns, many times as far as asked for, so that a test has hours in a moment."""

    def __init__(self, now_ns: int = BEGIN_NS, times: float = 600.0) -> None:
        self.now_ns = now_ns
        self._times = times

    def sleep(self, seconds: float) -> None:
        """Turn the clock."""
        self.now_ns += int(seconds * self._times * 1e9)


def stream(path: Path, clock: Clock, config: StreamConfig = BUSY) -> tuple[SyntheticStream, LabelFile]:
    labels = LabelFile(path)
    return SyntheticStream(config, labels, lambda: clock.now_ns, clock.sleep), labels


def read(source: SyntheticStream, after: Any, parts: int) -> tuple[list[dict[str, Any]], list[Chunk]]:  # noqa: ANN401
    """Return the trades of the next parts as the topic has them, and the parts."""
    chunks: Iterator[Chunk] = source.chunks(after)
    parts_read = list(islice(chunks, parts))
    chunks.close()  # type: ignore[attr-defined] # it is a generator
    trades = [
        orjson.loads(value)
        for chunk in parts_read
        if len(chunk.trades)
        for value in source.to_json(chunk.trades)
    ]
    return trades, parts_read


def labels_of(path: Path) -> list[dict[str, str]]:
    with path.open() as file:
        return list(csv.DictReader(file))


def test_trades_are_handed_over_when_their_time_has_come_each_with_an_id_of_its_own(tmp_path: Path) -> None:
    clock = Clock()
    source, _ = stream(tmp_path / "labels.csv", clock)
    chunks = source.chunks()
    before_ns = clock.now_ns
    found = []
    for _ in range(180):  # more than two stretches
        chunk = next(chunks)
        found += [decode_trade(one) for one in source.to_json(chunk.trades)] if len(chunk.trades) else []
        if len(chunk.trades):
            assert before_ns - 60 * 10**9 <= chunk.trades["ts_event"].min()  # type: ignore[operator]
            assert chunk.trades["ts_recv"].max() <= clock.now_ns  # type: ignore[operator]
        before_ns = clock.now_ns
    hours = (clock.now_ns - BEGIN_NS) / 3600e9
    assert hours > 2.5
    assert len(found) == pytest.approx(50 * 3600 * hours, rel=0.05)
    assert len({one.trade_id for one in found}) == len(found)
    assert all(one.sequence < other.sequence for one, other in pairwise(found))
    assert all(one.timestamp <= other.timestamp for one, other in pairwise(found))
    assert {one.symbol for one in found} == {"ACME", "BOLT", "CRUX"}


def test_labels_are_those_of_the_trades_and_of_every_kind(tmp_path: Path) -> None:
    path = tmp_path / "labels.csv"
    source, _ = stream(path, Clock())
    trades, _ = read(source, None, 150)
    by_id = {one["trade_id"]: one for one in trades}
    labels = labels_of(path)
    assert tuple(labels[0]) == LABEL_COLUMNS
    assert {one["kind"] for one in labels} == set(KINDS)
    for one in labels:
        trade = by_id[one["trade_id"]]
        assert (trade["symbol"], trade["size"]) == (one["symbol"], int(one["size"]))
        assert trade["price"] == pytest.approx(float(one["price"]), rel=1e-12)
        assert trade["@timestamp"] == one["ts_event"]
    events = [int(one["event_id"].rpartition("-")[2]) for one in labels]
    assert sorted(set(events)) == list(range(1, max(events) + 1))
    assert len(labels) > 0.005 * len(trades)


def test_prices_have_no_jump_where_one_stretch_follows_another_or_a_restart(tmp_path: Path) -> None:
    path, clock = tmp_path / "labels.csv", Clock()
    config = StreamConfig(per_s=50.0, symbols=3, anomaly_rate=0.0)
    source, labels = stream(path, clock, config)
    before, parts = read(source, None, 100)
    labels.close()
    clock.now_ns += 3600 * 10**9
    after, _ = read(stream(path, clock, config)[0], parts[-1].cursor, 50)
    assert after[0]["@timestamp"] > before[-1]["@timestamp"]
    for symbol in ("ACME", "BOLT", "CRUX"):
        prices = np.array([one["price"] for one in before + after if one["symbol"] == symbol])
        assert np.abs(np.diff(np.log(prices))).max() < 0.01


def test_after_a_kill_nothing_is_double_and_labels_that_were_not_published_are_gone(tmp_path: Path) -> None:
    path, clock = tmp_path / "labels.csv", Clock()
    source, labels = stream(path, clock)
    trades, parts = read(source, None, 60)
    labels.close()
    committed = 40  # what came after was never committed
    published = trades[: sum(len(chunk.trades) for chunk in parts[:committed])]
    again, _ = read(stream(path, clock)[0], parts[committed - 1].cursor, 40)
    whole = published + again
    ids = [one["trade_id"] for one in whole]
    assert len(set(ids)) == len(ids)
    assert all(one["sequence"] < other["sequence"] for one, other in pairwise(whole))
    labelled = labels_of(path)
    assert {one["trade_id"] for one in labelled} <= set(ids)
    numbers = pl.DataFrame(labelled).select("event_id", "symbol").unique()
    assert numbers["event_id"].is_unique().all()
    lost = {one["trade_id"] for one in trades} - set(ids)
    assert lost


def test_the_same_seed_draws_the_same_stream_at_another_time(tmp_path: Path) -> None:
    found = []
    for name, begin_ns in (("a.csv", BEGIN_NS), ("b.csv", BEGIN_NS + 7_200 * 10**9)):
        source, _ = stream(tmp_path / name, Clock(begin_ns))
        trades, _ = read(source, None, 30)
        found.append([(one["symbol"], one["price"], one["size"], one["side"]) for one in trades])
    shorter = min(map(len, found))
    assert shorter > 1_000
    assert found[0][:shorter] == found[1][:shorter]


def test_a_file_with_other_labels_or_without_its_own_is_refused(tmp_path: Path) -> None:
    path, clock = tmp_path / "labels.csv", Clock()
    source, labels = stream(path, clock)
    _, parts = read(source, None, 60)
    with pytest.raises(TapewatchError, match="has labels already"):
        read(source, None, 1)
    labels.close()
    path.write_bytes(path.read_bytes()[:100])
    source, labels = stream(path, clock)
    with pytest.raises(TapewatchError, match="has lost labels: it has 100 bytes"):
        read(source, parts[-1].cursor, 1)
    labels.close()
    source, _ = stream(tmp_path / "new.csv", clock)
    trades, _ = read(source, parts[-1].cursor, 20)
    assert {one["trade_id"] for one in labels_of(tmp_path / "new.csv")} <= {one["trade_id"] for one in trades}


def test_a_file_that_another_process_writes_or_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    first = LabelFile(tmp_path / "labels.csv")
    with pytest.raises(TapewatchError, match="Another process writes"):
        LabelFile(tmp_path / "labels.csv")
    first.close()
    LabelFile(tmp_path / "labels.csv").close()
    with pytest.raises(TapewatchError, match=r"does not end in \.csv"):
        LabelFile(tmp_path / "labels.csv.zst")
    with pytest.raises(TapewatchError, match="cannot be written: No such file"):
        LabelFile(tmp_path / "nowhere" / "labels.csv")


@given(st.lists(st.integers(0, 50), max_size=30).map(sorted), st.integers(0, 60))
def test_numbers_rise_by_as_little_as_needed(numbers: list[int], after: int) -> None:
    found = rising(np.array(numbers, np.int64), after).tolist()
    expected = []
    for number in numbers:
        after = max(number, after + 1)
        expected.append(after)
    assert found == expected
