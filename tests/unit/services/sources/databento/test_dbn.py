import bz2
import datetime as dt
import gzip
import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import databento_dbn as dbn
import numpy as np
import polars as pl
import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from services.common.errors import TapewatchError
from services.sources.base import RejectedRow
from services.sources.databento.dbn import DatabentoDbn
from services.sources.databento.schema import UNDEFINED_PRICE
from services.sources.files import open_source
from services.sources.options import FileOptions
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


def book(number: int, rtype: int, **changes: Any) -> bytes:
    """Return a record of tbbo, mbp-1 (rtype 1) or mbp-10 (rtype 10): a trade's, then levels of the book."""
    changed = bytearray(record(number, **changes) + bytes(32 * rtype))
    changed[:2] = len(changed) // 4, rtype
    return bytes(changed)


def with_ts_out(content: bytes) -> bytes:
    return bytes([content[0] + 2]) + content[1:] + EVENT_NS.to_bytes(8, "little")


def mapping(symbol: str, instrument_id: int = 11667, version: int = 3) -> bytes:
    """Return the message of a live stream that says what an instrument's symbol is from there on."""
    if version == 1:
        symbols = b"ALL".ljust(22, b"\0") + symbol.encode().ljust(22, b"\0") + bytes(4)
    else:
        symbols = b"\1" + b"ALL".ljust(71, b"\0") + b"\1" + symbol.encode().ljust(71, b"\0")
    body = symbols + b"\xff" * 16
    return b"".join(
        [
            bytes([(16 + len(body)) // 4, 22]),
            (2).to_bytes(2, "little"),
            instrument_id.to_bytes(4, "little"),
            EVENT_NS.to_bytes(8, "little"),
            body,
        ]
    )


def live_metadata() -> bytes:
    return dbn.Metadata(
        dataset="XNAS.ITCH",
        start=EVENT_NS,
        stype_in=None,
        stype_out=dbn.SType.from_str("instrument_id"),
        schema=None,
        symbols=[],
        partial=[],
        not_found=[],
        mappings=[],
    ).encode()


def unmapped_metadata() -> bytes:
    return dbn.Metadata(
        dataset="XNAS.ITCH",
        start=EVENT_NS,
        stype_in=dbn.SType.from_str("raw_symbol"),
        stype_out=dbn.SType.from_str("instrument_id"),
        schema=dbn.Schema.from_str("trades"),
        symbols=["ALL_SYMBOLS"],
        partial=[],
        not_found=[],
        mappings=[],
    ).encode()


def symbology(path: Path, symbol: str = "NVDA") -> Path:
    path.write_text(
        json.dumps(
            {
                "result": {symbol: [{"d0": "2024-12-02", "d1": "2024-12-03", "s": "11667"}]},
                "symbols": [symbol],
                "stype_in": "raw_symbol",
                "stype_out": "instrument_id",
                "start_date": "2024-12-02",
                "end_date": "2024-12-03",
                "partial": [],
                "not_found": [],
                "message": "OK",
                "status": 0,
            }
        )
    )
    return path


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


def read(path: Path, symbols: Path | None = None) -> tuple[pl.DataFrame, list[RejectedRow]]:
    chunks = list(DatabentoDbn(path, symbols).chunks())
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


@pytest.mark.parametrize("schema", ["mbo", "ohlcv-1s", "cmbp-1", "definition"])
def test_schema_without_trades_is_refused_by_its_name(tmp_path: Path, schema: str) -> None:
    path = tmp_path / "book.dbn"
    path.write_bytes(metadata(schema))
    with pytest.raises(TapewatchError, match=f"its schema is {schema}"):
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


@pytest.mark.parametrize("compress", [gzip.compress, bz2.compress])
def test_any_compression_is_read(tmp_path: Path, compress: Callable[[bytes], bytes]) -> None:
    path = tmp_path / "day.dbn"
    path.write_bytes(compress(metadata() + record(1) + record(2)))
    trades, rejected = read(path)
    assert (len(trades), rejected) == (2, [])


def test_records_with_a_time_of_sending_are_read_like_others(tmp_path: Path) -> None:
    plain, sent = tmp_path / "plain.dbn", tmp_path / "sent.dbn"
    records = [record(n) for n in range(5)]
    plain.write_bytes(metadata() + b"".join(records))
    sent.write_bytes(metadata() + b"".join(with_ts_out(one) for one in records))
    assert_frame_equal(read(sent)[0], read(plain)[0])
    assert not read(sent)[1]


@pytest.mark.parametrize(("schema", "rtype"), [("tbbo", 1), ("mbp-1", 1), ("mbp-10", 10)])
def test_trades_of_a_book_are_read_and_its_changes_are_not(tmp_path: Path, schema: str, rtype: int) -> None:
    path = tmp_path / "book.dbn"
    path.write_bytes(
        metadata(schema)
        + book(1, rtype)
        + book(2, rtype, action=dbn.Action.ADD, price=UNDEFINED_PRICE)
        + book(3, rtype)
    )
    trades, rejected = read(path)
    assert not rejected
    assert trades["line"].to_list() == [1, 3]
    assert trades["trade_id"].to_list() == ["2-11667-20241202-1001", "2-11667-20241202-1003"]


@pytest.mark.parametrize("version", [1, 3])
def test_a_live_stream_gives_its_trades_under_the_symbols_that_it_tells(tmp_path: Path, version: int) -> None:
    path = tmp_path / "live.dbn"
    path.write_bytes(
        live_metadata()
        + mapping("NVDA", version=version)
        + mapping("ACME", 5, version)
        + record(1)
        + bytes([16 // 4, 23])
        + bytes(14)  # a message of the system
        + with_ts_out(record(2, instrument_id=5))
        + mapping("NVDB", version=version)
        + record(3)
    )
    trades, rejected = read(path)
    assert not rejected
    assert trades["symbol"].to_list() == ["NVDA", "ACME", "NVDB"]
    assert trades["line"].to_list() == [3, 5, 7]


def test_symbols_of_a_live_stream_hold_in_later_blocks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.sources.databento.dbn.CHUNK_BYTES", 200)
    monkeypatch.setattr("services.sources.compression.PIECE_BYTES", 64)
    path = tmp_path / "live.dbn"
    path.write_bytes(live_metadata() + mapping("NVDA") + b"".join(record(n) for n in range(50)))
    trades, rejected = read(path)
    assert not rejected
    assert trades["symbol"].to_list() == ["NVDA"] * 50
    assert trades["line"].to_list() == list(range(2, 52))


def test_a_trade_that_a_live_stream_has_in_two_schemas_is_taken_once(tmp_path: Path) -> None:
    path = tmp_path / "live.dbn"
    path.write_bytes(
        live_metadata()
        + mapping("NVDA")
        + mapping("ACME", 5)
        + book(1, 1)
        + record(1)
        + book(2, 1, instrument_id=5)
        + book(3, 1)
        + record(3)
    )
    trades, rejected = read(path)
    assert not rejected
    assert trades["sequence"].to_list() == [1001, 1002, 1003]
    assert trades["rtype"].to_list() == [0, 1, 0]


def test_a_live_stream_without_trades_is_refused_with_what_it_holds(tmp_path: Path) -> None:
    path = tmp_path / "live.dbn"
    path.write_bytes(live_metadata() + mapping("NVDA") + book(1, 1, action=dbn.Action.ADD))
    with pytest.raises(TapewatchError, match=r"holds no trades .* its records are mbp-1, symbol-mapping"):
        DatabentoDbn(path)


def test_instrument_is_resolved_by_the_day_of_receipt(tmp_path: Path) -> None:
    path = tmp_path / "day.dbn"
    midnight = 1_733_097_600_000_000_000  # 2024-12-02, when the symbol begins
    path.write_bytes(
        metadata()
        + record(1, ts_event=midnight - 1_000, ts_recv=midnight + 1_000)
        + record(2, ts_event=midnight - 2_000, ts_recv=midnight - 1_000)
    )
    trades, [bad] = read(path)
    assert trades["line"].to_list() == [1]
    assert (bad.line, bad.reason) == (2, "the file names no symbol for its instrument_id on that day")


def test_symbols_come_from_the_symbology_given_or_beside_the_file(tmp_path: Path) -> None:
    path = tmp_path / "day.dbn"
    path.write_bytes(unmapped_metadata() + record(1))
    with pytest.raises(TapewatchError, match="names no symbols") as caught:
        DatabentoDbn(path)
    assert "--symbology" in caught.value.hint
    other = symbology(tmp_path / "other.json", "OTHER")
    assert read(path, other)[0]["symbol"].to_list() == ["OTHER"]
    symbology(tmp_path / "symbology.json")
    assert read(path)[0]["symbol"].to_list() == ["NVDA"]
    assert read(path, other)[0]["symbol"].to_list() == ["OTHER"]


@pytest.mark.parametrize("content", ["", "[]", "{}", "\xff", '{"result": {"A": [{}]}}'])
def test_what_is_no_symbology_is_told(tmp_path: Path, content: str) -> None:
    (tmp_path / "day.dbn").write_bytes(unmapped_metadata() + record(1))
    (tmp_path / "symbols.json").write_text(content, "latin-1")
    with pytest.raises(TapewatchError, match=r"symbols\.json is not a symbology file"):
        DatabentoDbn(tmp_path / "day.dbn", tmp_path / "symbols.json")


def test_a_fragment_without_metadata_is_read_with_a_symbology(tmp_path: Path) -> None:
    path = tmp_path / "day.dbn.frag"
    path.write_bytes(record(1) + record(2))
    source = open_source(path, FileOptions(symbology=symbology(tmp_path / "symbols.json")))
    assert isinstance(source, DatabentoDbn)
    assert [chunk.trades["symbol"].to_list() for chunk in source.chunks()] == [["NVDA", "NVDA"]]


def test_bytes_that_are_no_record_end_the_file_with_a_reason(tmp_path: Path) -> None:
    path = tmp_path / "day.dbn"
    path.write_bytes(metadata() + record(1) + bytes(100))
    trades, [bad] = read(path)
    assert trades["line"].to_list() == [1]
    assert bad.line == 2
    assert "damaged" in bad.reason


@settings(max_examples=30, deadline=None)
@given(
    kinds=st.lists(st.sampled_from(["trade", "sent", "book", "system"]), min_size=1, max_size=40),
    chunk_bytes=st.integers(1, 600),
    piece_bytes=st.integers(1, 300),
)
def test_any_cut_into_blocks_gives_the_same_trades(
    tmp_path_factory: pytest.TempPathFactory, kinds: list[str], chunk_bytes: int, piece_bytes: int
) -> None:
    path = tmp_path_factory.mktemp("live") / "live.dbn"
    contents: dict[str, Callable[[int], bytes]]
    contents = {"trade": record, "sent": lambda n: with_ts_out(record(n)), "book": lambda n: book(n, 1)}
    system = bytes([5, 23]) + bytes(18)
    records = [contents[kind](n) if kind in contents else system for n, kind in enumerate(kinds)]
    path.write_bytes(metadata("mbp-1") + b"".join(records))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("services.sources.databento.dbn.CHUNK_BYTES", chunk_bytes)
        patch.setattr("services.sources.compression.PIECE_BYTES", piece_bytes)
        trades, rejected = read(path)
    assert not rejected
    expected = [n for n, kind in enumerate(kinds) if kind != "system"]
    assert trades["line"].to_list() == [n + 1 for n in expected]
    assert trades["sequence"].to_list() == [1000 + n for n in expected]
