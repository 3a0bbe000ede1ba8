import datetime as dt
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import databento_dbn as dbn
import numpy as np
import polars as pl
import pytest
import zstandard

from services.common.errors import TapewatchError
from services.sources.base import RejectedRow
from services.sources.databento.dbn import DatabentoDbn
from services.sources.databento.schema import UNDEFINED_PRICE
from tests.samples import REAL_DATA, needs_real_data

EVENT_NS = 1_733_149_800_000_000_007


def record(number: int, **changes: Any) -> bytes:
    fields: dict[str, Any] = {
        "publisher_id": 2,
        "instrument_id": 11667,
        "ts_event": EVENT_NS + number * 1_000_000_000,
        "price": 137_970_000_000,
        "size": 100,
        "action": dbn.Action.TRADE,
        "side": dbn.Side.BID,
        "depth": 0,
        "ts_recv": EVENT_NS + number * 1_000_000_000 + 200_000,
        "flags": 130,
        "ts_in_delta": 169_641,
        "sequence": 1000 + number,
    }
    return bytes(dbn.TradeMsg(**(fields | changes)))


def metadata(schema: str = "trades") -> bytes:
    interval = SimpleNamespace(start_date=dt.date(2024, 12, 2), end_date=dt.date(2024, 12, 3), symbol="11667")
    return dbn.Metadata(
        dataset="XNAS.ITCH",
        start=EVENT_NS,
        stype_in=dbn.SType.from_str("raw_symbol"),
        stype_out=dbn.SType.from_str("instrument_id"),
        schema=dbn.Schema.from_str(schema),
        symbols=["NVDA"],
        partial=[],
        not_found=[],
        mappings=[SimpleNamespace(raw_symbol="NVDA", intervals=[interval])],
    ).encode()


def read(path: Path) -> tuple[pl.DataFrame, list[RejectedRow]]:
    chunks = list(DatabentoDbn(path).chunks())
    return pl.concat([chunk.trades for chunk in chunks]), [bad for chunk in chunks for bad in chunk.rejected]


@pytest.mark.parametrize("compress", [bytes, zstandard.compress])
def test_trades_keep_their_values_and_get_their_symbol(tmp_path: Path, compress: type) -> None:
    path = tmp_path / "day.dbn"
    path.write_bytes(compress(metadata() + record(1) + record(2, side=dbn.Side.NONE)))
    trades, rejected = read(path)
    assert not rejected
    first = trades.row(0, named=True)
    assert first["symbol"] == "NVDA"
    assert first["price"] == 137_970_000_000
    assert first["ts_event"] == EVENT_NS + 1_000_000_000
    assert (first["sequence"], first["flags"], first["ts_in_delta"], first["action"]) == (
        1001,
        130,
        169_641,
        "T",
    )
    assert trades["side"].to_list() == ["B", "N"]


def test_undefined_price_and_unknown_instrument_are_rejected(tmp_path: Path) -> None:
    path = tmp_path / "day.dbn"
    path.write_bytes(metadata() + record(1, price=UNDEFINED_PRICE) + record(2) + record(3, instrument_id=5))
    trades, rejected = read(path)
    assert trades["line"].to_list() == [2]
    assert [(bad.line, bad.reason) for bad in rejected] == [
        (1, "price is undefined"),
        (3, "the file names no symbol for its instrument_id on that day"),
    ]
    assert np.frombuffer(rejected[0].raw, np.int64)[2] == UNDEFINED_PRICE


def test_truncated_file_keeps_the_whole_records(tmp_path: Path) -> None:
    path = tmp_path / "day.dbn"
    path.write_bytes(metadata() + record(1) + record(2)[:20])
    trades, [bad] = read(path)
    assert trades["line"].to_list() == [1]
    assert (bad.line, bad.raw) == (2, record(2)[:20])
    assert "truncated" in bad.reason


def test_truncated_compressed_file_is_reported(tmp_path: Path) -> None:
    path = tmp_path / "day.dbn.zst"
    generator = np.random.default_rng(1)
    content = zstandard.compress(
        metadata() + b"".join(record(n, size=int(generator.integers(10**9))) for n in range(50_000))
    )
    path.write_bytes(content[: len(content) // 2])
    trades, rejected = read(path)
    assert 0 < len(trades) < 50_000
    assert rejected[-1].reason == "the file is truncated: its compressed data ends in the middle"


def test_other_schema_fails_at_once(tmp_path: Path) -> None:
    path = tmp_path / "book.dbn"
    path.write_bytes(metadata("mbp-1"))
    with pytest.raises(TapewatchError, match="its schema is mbp-1"):
        DatabentoDbn(path)


@needs_real_data
@pytest.mark.parametrize("venue", ["XNAS.ITCH", "OPRA.PILLAR", "GLBX.MDP3"])
def test_databentos_own_files_are_read(venue: str) -> None:
    trades, rejected = read(REAL_DATA / "dbn" / f"{venue}.trades.dbn.zst")
    assert len(trades) == 4
    assert not rejected


def test_file_cut_inside_its_metadata_fails_at_once(tmp_path: Path) -> None:
    path = tmp_path / "day.dbn"
    path.write_bytes(metadata()[:40])
    with pytest.raises(TapewatchError, match="cannot be read as DBN"):
        DatabentoDbn(path)
