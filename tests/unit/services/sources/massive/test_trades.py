import gzip
from pathlib import Path
from typing import Any

import orjson
import pytest

from services.common.errors import TapewatchError
from services.sources.base import RejectedRow
from services.sources.files import open_source
from services.sources.massive.trades import MassiveTrades

HEADER = (
    "ticker,conditions,correction,exchange,id,participant_timestamp,price,sequence_number,sip_timestamp,"
    "size,tape,trf_id,trf_timestamp"
)
TIME_NS = 1_767_369_600_123_456_789


def line(number: int = 1, /, **changes: str) -> str:
    cells = {
        "ticker": "A",
        "conditions": "",
        "correction": "0",
        "exchange": "4",
        "id": str(number),
        "participant_timestamp": str(TIME_NS),
        "price": "99.99",
        "sequence_number": str(1000 + number),
        "sip_timestamp": str(TIME_NS + 1000),
        "size": "100",
        "tape": "3",
        "trf_id": "0",
        "trf_timestamp": "0",
    }
    return ",".join((cells | changes).values())


def read(path: Path, *lines: str) -> tuple[list[dict[str, Any]], list[RejectedRow]]:
    path.write_text("".join(f"{one}\n" for one in (HEADER, *lines)))
    source = open_source(path)
    assert isinstance(source, MassiveTrades)
    [chunk] = source.chunks()
    return [orjson.loads(value) for value in source.to_json(chunk.trades)], chunk.rejected


def test_a_print_has_its_tape_its_conditions_and_both_times(tmp_path: Path) -> None:
    [trade], rejected = read(tmp_path / "day.csv", line(conditions='"12,37"', size="4.000000"))
    assert not rejected
    assert trade == {
        "@timestamp": "2026-01-02T16:00:00.123456789Z",
        "trade_id": "massive-A-20260102-1001",
        "symbol": "A",
        "price": 99.99,
        "size": 4,
        "side": "N",
        "source": "massive",
        "sequence": 1001,
        "tape": "C",
        "conditions": ["form_t", "odd_lot"],
        "conditions_raw": ["12", "37"],
        "anchor_eligible": False,
        "tape_time": "2026-01-02T16:00:00.123457789Z",
        "extra": {"exchange": "4", "id": "1", "trf_id": "0", "correction": "0"},
    }


@pytest.mark.parametrize(
    ("conditions", "expected"),
    [
        ("", {}),
        ("14", {}),
        ("37", {"anchor_eligible": False}),
        ('"37,2"', {"price_eligible": False, "anchor_eligible": False}),
        ("16", {"price_eligible": False, "anchor_eligible": False, "volume_eligible": False}),
        ("999", {"price_eligible": False, "anchor_eligible": False}),
    ],
)
def test_the_strictest_condition_says_what_a_print_is_good_for(
    tmp_path: Path, conditions: str, expected: dict[str, bool]
) -> None:
    [trade], _ = read(tmp_path / "day.csv", line(conditions=conditions))
    assert {key: value for key, value in trade.items() if key.endswith("_eligible")} == expected
    assert ("unknown" in trade.get("conditions", [])) == (conditions == "999")


def test_tickers_that_look_like_nothing_are_tickers(tmp_path: Path) -> None:
    trades, rejected = read(
        tmp_path / "day.csv", *(line(ticker=name) for name in ("NA", "NULL", "NAN", "TRUE"))
    )
    assert not rejected
    assert [trade["symbol"] for trade in trades] == ["NA", "NULL", "NAN", "TRUE"]


def test_records_that_are_no_prints_are_rejected_with_what_they_are(tmp_path: Path) -> None:
    lines = [line(n, correction=str(correction)) for n, correction in enumerate((0, 1, 7, 8, 10, 11, 12))]
    trades, rejected = read(tmp_path / "day.csv", *lines, line(price="x"), line(size="-1"), line(ticker=""))
    assert [trade["extra"]["correction"] for trade in trades] == ["0", "1", "7", "8"]
    assert [row.reason for row in rejected] == [
        "correction 10: it cancels an earlier print and is none itself",
        "correction 11: it marks an earlier print as erroneous and is none itself",
        "correction 12: it corrects an earlier print and is none itself",
        "price is not a number",
        "size is not a number of 0 or more",
        "ticker is not plain text of 1 to 256 characters",
    ]
    assert rejected[0].raw == lines[4].encode()


def test_a_day_is_new_yorks_and_a_missing_participants_time_is_the_sips(tmp_path: Path) -> None:
    evening_ns = TIME_NS + 10 * 3600 * 10**9  # 02:00 UTC of the next day
    times = {"participant_timestamp": "0", "sip_timestamp": str(evening_ns)}
    [trade], _ = read(tmp_path / "day.csv", line(**times))
    assert trade["trade_id"] == "massive-A-20260102-1001"
    assert trade["@timestamp"] == "2026-01-03T02:00:00.123456789Z"
    assert "tape_time" not in trade


def test_a_file_is_not_in_the_order_of_time(tmp_path: Path) -> None:
    read(tmp_path / "day.csv", line())
    assert not open_source(tmp_path / "day.csv").in_time_order


def test_a_file_without_needed_columns_is_named(tmp_path: Path) -> None:
    path = tmp_path / "day.csv"
    path.write_text("ticker,sip_timestamp,price\nA,1,2\n")
    with pytest.raises(TapewatchError, match="lacks columns of Massive's trades: conditions, exchange"):
        open_source(path)


def test_header_that_joined_files_repeat_is_no_row(tmp_path: Path) -> None:
    path = tmp_path / "day.csv.gz"
    path.write_bytes(
        b"".join(gzip.compress(f"{HEADER}\n{line(n)}\n".encode()) for n in (1, 2))
        + gzip.compress(f"\ufeff{HEADER}\n{line(3)}\n".encode())
    )
    [chunk] = open_source(path).chunks()
    assert chunk.trades["line"].to_list() == [2, 4, 6]
    assert chunk.rejected == []
