"""The columns of exported trades, and the messages in them: each comes back to the byte."""

from collections.abc import Sequence
from decimal import Decimal, localcontext
from typing import Any

import msgspec
import polars as pl

from services.contracts.trade import NotATradeError, decode_trade
from services.sources.base import RejectedRow
from services.sources.encode import Encoding, to_json

EXACT = pl.Decimal(38, 18)
TIME = pl.Datetime("ns", "UTC")

SCHEMA: dict[str, pl.DataType] = {
    "ts_event": TIME,
    "trade_id": pl.String(),
    "symbol": pl.String(),
    "price": EXACT,
    "size": EXACT,
    "side": pl.String(),
    "source": pl.String(),
    "ts_recv": TIME,
    "publisher_id": pl.Int64(),
    "instrument_id": pl.Int64(),
    "action": pl.String(),
    "depth": pl.Int64(),
    "flags": pl.Int64(),
    "ts_in_delta": pl.Int64(),
    "sequence": pl.Int64(),
    "rtype": pl.Int64(),
    "venue": pl.String(),
    "tape": pl.String(),
    "conditions": pl.List(pl.String()),
    "conditions_raw": pl.List(pl.String()),
    "price_eligible": pl.Boolean(),
    "anchor_eligible": pl.Boolean(),
    "volume_eligible": pl.Boolean(),
    "tape_time": TIME,
    "kind": pl.String(),
    "extra": pl.String(),
    "reconciled": pl.Boolean(),
    "message": pl.String(),
}
"""A trade's fields in their order, null where a trade lacks one; `extra` is JSON. `message` is the trade's
whole JSON, but only where the other columns do not give its very bytes."""

ENCODING = Encoding(
    None,
    fields=tuple(SCHEMA)[tuple(SCHEMA).index("source") : -1],
    times=("ts_recv", "tape_time"),
    as_json=("extra",),
)

_ISO = "%Y-%m-%dT%H:%M:%S%.fZ"


_NOTHING = msgspec.Raw(b"")


class _Required(msgspec.Struct, gc=False, frozen=True):
    """What every trade has; alone where the other fields have types of their own."""

    timestamp: str = msgspec.field(name="@timestamp")
    trade_id: str
    symbol: str
    price: msgspec.Raw
    size: msgspec.Raw
    side: str


class _Fields(_Required, gc=False, frozen=True):
    """A trade's fields, numbers that must keep their digits as text."""

    source: str | None = None
    ts_recv: str | None = None
    publisher_id: int | None = None
    instrument_id: int | None = None
    action: str | None = None
    depth: int | None = None
    flags: int | None = None
    ts_in_delta: int | None = None
    sequence: int | None = None
    rtype: int | None = None
    venue: str | None = None
    tape: str | None = None
    conditions: list[str] | None = None
    conditions_raw: list[str] | None = None
    price_eligible: bool | None = None
    anchor_eligible: bool | None = None
    volume_eligible: bool | None = None
    tape_time: str | None = None
    kind: str | None = None
    extra: msgspec.Raw = _NOTHING
    reconciled: bool | None = None


_fields = msgspec.json.Decoder(_Fields)
_required = msgspec.json.Decoder(_Required)


def to_columns(documents: Sequence[bytes], first_line: int) -> tuple[pl.DataFrame, list[RejectedRow]]:
    """Write documents as columns.

    Parameters
    ----------
    documents
        The trades' JSON, n of them.
    first_line
        Number of the first one.

    Returns
    -------
    tuple
        The columns of `SCHEMA`, a row for each trade; and what is no trade.
    """
    kept: list[bytes] = []
    found: list[_Required] = []
    rejected = []
    for line, document in enumerate(documents, first_line):
        try:
            decode_trade(document)
            found.append(_decoded(document))
        except NotATradeError as error:
            rejected.append(RejectedRow(line, document, str(error)))
        else:
            kept.append(document)
    columns = {name: _column(name, kind, found) for name, kind in SCHEMA.items() if name != "message"}
    trades = pl.DataFrame(columns)
    messages = [
        None if written == document else document.decode()
        for written, document in zip(to_json(trades, ENCODING), kept, strict=True)
    ]
    return trades.with_columns(message=pl.Series(messages, dtype=pl.String)), rejected


def to_messages(trades: pl.DataFrame) -> list[bytes]:
    """Return the trades' JSON, from the columns of `SCHEMA`."""
    written = to_json(trades, ENCODING)
    for at in trades["message"].is_not_null().arg_true():
        written[at] = trades["message"][at].encode()
    return written


def _decoded(document: bytes) -> _Required:
    try:
        return _fields.decode(document)
    except msgspec.ValidationError:
        return _required.decode(document)


def _column(name: str, kind: pl.DataType, found: Sequence[_Required]) -> pl.Series:
    values: list[Any] = [getattr(one, "timestamp" if name == "ts_event" else name, None) for one in found]
    if isinstance(kind, pl.Decimal):
        return _exact(name, [bytes(value).decode() for value in values])
    if isinstance(kind, pl.Datetime):
        text = pl.Series(name, values, dtype=pl.String)
        return text.str.to_datetime(_ISO, time_unit="ns", strict=False).dt.replace_time_zone("UTC")
    if name == "extra":
        values = [bytes(value).decode() if value else None for value in values]
    if kind == pl.Int64():
        values = [None if value is None or abs(value) >= 1 << 63 else value for value in values]
    return pl.Series(name, values, dtype=kind)


def _exact(name: str, texts: list[str]) -> pl.Series:
    """Convert numbers as they stand in JSON; one with more digits than fit is rounded."""
    numbers = pl.Series(name, texts, dtype=pl.String).cast(EXACT, strict=False)
    for at in numbers.is_null().arg_true():
        numbers[at] = _rounded(texts[at])
    return numbers


def _rounded(text: str) -> Decimal:
    """Return a number such as 1e-9 with as many decimals as there is room for; a trade's is never too big."""
    with localcontext(prec=EXACT.precision):
        return Decimal(text).quantize(Decimal(1).scaleb(-EXACT.scale))
