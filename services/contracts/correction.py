"""A correction as the topic `corrections` carries it: what a venue takes back or changes.

The trade itself never changes; whoever shows it joins the two by `trade_id`.
"""

from typing import Any, Literal

import msgspec

Action = Literal["cancel", "error", "correct"]
"""The trade was cancelled, or reported in error, or replaced by one with other values."""


class Correction(msgspec.Struct, frozen=True, omit_defaults=True):
    """One correction."""

    timestamp: str = msgspec.field(name="@timestamp")
    """When the venue made it, ISO 8601 UTC, up to nanoseconds."""
    correction_id: str
    trade_id: str | None
    """The trade that it is about; None where the venue's reference fits several trades or none."""
    symbol: str
    action: Action
    source: str
    price: float | None = None
    """The corrected price, of `correct` alone; so are the next two."""
    size: float | None = None
    conditions: list[str] | None = None
    original: dict[str, Any] | None = None
    """The trade as the venue names it: its number, price and size."""


def encode_correction(correction: Correction) -> bytes:
    """Return the topic's message; `trade_id` is in it even where it is null."""
    fields = msgspec.to_builtins(correction) | {"trade_id": correction.trade_id}
    return msgspec.json.encode(fields)


_decoder = msgspec.json.Decoder(Correction)


def decode_correction(value: bytes) -> Correction:
    """Return the correction of a message; raises `msgspec.MsgspecError` if it is none."""
    return _decoder.decode(value)
