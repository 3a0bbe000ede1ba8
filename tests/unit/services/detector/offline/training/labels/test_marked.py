import datetime as dt
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from services.common.errors import TapewatchError
from services.contracts.correction import Action, Correction
from services.detector.offline.evaluation.metrics import NATURAL
from services.detector.offline.training.days import SessionDay
from services.detector.offline.training.labels import marked
from services.detector.offline.training.labels.marked import (
    CancelLabels,
    FileLabels,
    Mark,
    MarkedTrades,
    VerdictLabels,
)


class Known(MarkedTrades):
    """What a test says."""

    name = "known"

    def __init__(self, marks: Mapping[str, Mark]) -> None:
        super().__init__(5.0)
        self._said = marks

    def read(self, first_day: str) -> Mapping[str, Mark]:
        return self._said


@pytest.fixture
def day(tmp_path: Path) -> SessionDay:
    folder = tmp_path / "2024-12-02"
    folder.mkdir()
    ids = [f"t{number}" for number in range(6)]
    pl.DataFrame({"trade_id": ids, "json": [one.encode() for one in ids]}).write_parquet(folder / "0.parquet")
    return SessionDay("2024-12-02", folder, 6)


def test_marked_trades_are_anomalies_and_cleared_ones_are_known_to_be_none(day: SessionDay) -> None:
    marks = {"t1": Mark("stale", "e"), "t2": Mark("stale", "e"), "t4": Mark("", "t4"), "gone": Mark("x", "y")}
    [found] = Known(marks).learnt(day)
    assert found.event.tolist() == [NATURAL, 0, 0, NATURAL, NATURAL, NATURAL]
    assert np.flatnonzero(found.is_cleared).tolist() == [4]
    assert (found.origin, found.kinds, found.messages[0]) == ("known", ["stale"], b"t0")


def test_a_day_without_labels_is_left_out(day: SessionDay) -> None:
    assert list(Known({"gone": Mark("x", "y")}).learnt(day)) == []


def test_a_label_file_names_anomalies_and_ordinary_trades(tmp_path: Path) -> None:
    file = tmp_path / "labels.csv"
    file.write_text("trade_id,label,kind\na,1,stale\nb,0,\nc,false alarm,burst\nd,yes,\n")
    assert FileLabels(file, 1.0).read("") == {
        "a": Mark("stale", "a"),
        "b": Mark("", "b"),
        "c": Mark("", "c"),
        "d": Mark("labelled", "d"),
    }


def test_events_of_a_generated_day_stay_together(tmp_path: Path) -> None:
    file = tmp_path / "labels.csv"
    file.write_text("trade_id,event_id,kind\na,burst-1,burst\nb,burst-1,burst\n")
    assert FileLabels(file, 1.0).read("") == {"a": Mark("burst", "burst-1"), "b": Mark("burst", "burst-1")}


@pytest.mark.parametrize("content", [b"id,label\n", b"\xff\xfe"])
def test_a_file_that_is_no_label_file_is_said(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "labels.csv"
    file.write_bytes(content)
    with pytest.raises(TapewatchError, match=r"labels.csv"):
        FileLabels(file, 1.0).read("")


def test_verdicts_of_both_kinds_are_labels(monkeypatch: pytest.MonkeyPatch) -> None:
    pages = [
        [{"trade_id": "a", "verdict": "confirmed"}, {"trade_id": "b", "verdict": "false alarm"}],
        [{"trade_id": "c", "verdict": "odd"}],
    ]
    monkeypatch.setattr(marked, "read_verdicts", lambda *_: iter(pages))
    found = VerdictLabels(None, 1.0).read("2024-12-02")  # type: ignore[arg-type]
    assert found == {"a": Mark("confirmed", "a"), "b": Mark("", "b")}


def test_what_was_cancelled_last_is_a_label(monkeypatch: pytest.MonkeyPatch) -> None:
    def one(trade_id: str | None, action: Action) -> Correction:
        return Correction("2024-12-02T15:00:00Z", "c", trade_id, "NVDA", action, "massive")

    asked = []

    def read(client: object, since: dt.datetime) -> tuple[list[Correction], int]:
        asked.append(since)
        return [one("a", "cancel"), one("b", "error"), one("b", "correct"), one(None, "cancel")], 0

    monkeypatch.setattr(marked, "read_corrections", read)
    assert CancelLabels(None, 1.0).read("2024-12-02") == {"a": Mark("cancelled", "a")}  # type: ignore[arg-type]
    assert asked == [dt.datetime(2024, 12, 2)]
