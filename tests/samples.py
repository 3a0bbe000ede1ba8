"""Small trades that tests write into files and topics."""

import os
from collections.abc import Iterable
from pathlib import Path
from typing import cast

import orjson
import pytest
import zstandard
from confluent_kafka import TIMESTAMP_LOG_APPEND_TIME, Message

from services.common.kafka.records import Record

REAL_DATA = Path(os.environ.get("TAPEWATCH_REAL_DATA", Path(__file__).parents[2] / "shared" / "data"))
needs_real_data = pytest.mark.skipif(not REAL_DATA.is_dir(), reason="the folder ../shared/data is not here")

HEADER = (
    "ts_recv,ts_event,rtype,publisher_id,instrument_id,action,side,depth,price,size,flags,"
    "ts_in_delta,sequence,symbol"
)


def row(number: int = 1, /, **changes: str) -> str:
    """Return one readable CSV row; a different `number` makes it a different trade."""
    cells = {
        "ts_recv": f"2024-12-02T14:30:{number % 60:02}.000200007Z",
        "ts_event": f"2024-12-02T14:30:{number % 60:02}.000000007Z",
        "rtype": "0",
        "publisher_id": "2",
        "instrument_id": "11667",
        "action": "T",
        "side": "B",
        "depth": "0",
        "price": "137.970000000",
        "size": "100",
        "flags": "130",
        "ts_in_delta": "169641",
        "sequence": str(1000 + number),
        "symbol": "NVDA",
    }
    return ",".join((cells | changes).values())


def integer_row(number: int = 1, /, **changes: str) -> str:
    """Return the same trade as `row` does, with integer times and price."""
    event_ns = 1_733_149_800_000_000_007 + (number % 60) * 1_000_000_000
    whole = {"ts_recv": str(event_ns + 200_000), "ts_event": str(event_ns), "price": "137970000000"}
    return row(number, **(whole | changes))


def write_csv(path: Path, rows: Iterable[str], *, header: str = HEADER) -> Path:
    """Write rows below a header, compressed if the name says so."""
    text = "".join(f"{line}\n" for line in (header, *rows)).encode()
    path.write_bytes(zstandard.compress(text) if path.suffix == ".zst" else text)
    return path


def trade_json(number: int = 1, /, **changes: object) -> bytes:
    """Return one trade as in the topic, `number` seconds after the open of 2024-12-02."""
    fields = {
        "@timestamp": f"2024-12-02T{14 + (1800 + number) // 3600:02}:{(1800 + number) // 60 % 60:02}:"
        f"{number % 60:02}.000000007Z",
        "trade_id": f"2-11667-20241202-{number}",
        "symbol": "NVDA",
        "price": 137.97,
        "size": 100,
        "side": "B",
        "source": "databento",
        "sequence": number,
    }
    return orjson.dumps(fields | changes)


def kafka_record(
    topic: str,
    partition: int = 0,
    offset: int = 0,
    *,
    key: bytes | None = None,
    value: bytes | None = None,
    headers: Iterable[tuple[str, bytes | None]] | None = None,
    at_ms: int = 0,
) -> Record:
    """Return a message as a consumer does."""
    copied: list[tuple[str, str | bytes | None]] | None = None if headers is None else [*headers]
    message = Message(
        topic=topic,
        partition=partition,
        offset=offset,
        key=key,
        value=value,
        headers=copied,
        timestamp=(TIMESTAMP_LOG_APPEND_TIME, at_ms),
    )
    return cast("Record", message)
