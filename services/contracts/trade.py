"""A trade as the topic `trades` carries it: what makes a message one, and its time in nanoseconds."""

import datetime as dt
import re
from decimal import Decimal
from typing import Annotated, Literal

import msgspec

ISO_TIME = re.compile(
    r"\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])T([01]\d|2[0-3]):[0-5]\d:[0-5]\d(\.\d{1,9})?Z", re.ASCII
)

MAX_INTEGER = 2**63 - 1
LEAST_PRICE, MOST_PRICE = 1e-18, 1e18
"""Limits of a price without its sign, unless it is 0: far beyond any market, and still computable."""

LEAST_SIZE = 1e-18
"""Least size that is not 0."""

FIRST_YEAR, LAST_YEAR = "1970", "2261"
"""What nanoseconds since 1970 hold; Elasticsearch's `date_nanos` too."""


SIDE_COLORS = {"B": "#0f9d8a", "A": "#b0703c", "N": "#8a8f98"}
"""Colours of trades by the aggressor's side: buys, sells and those without, wherever they are drawn."""

SIDE_WORDS = {"B": "Buy", "A": "Sell", "N": "No side"}
"""The sides in words, wherever people read them."""


class Trade(msgspec.Struct, gc=False, frozen=True):
    """The fields that detection needs; a message may have more."""

    timestamp: str = msgspec.field(name="@timestamp")
    """Event time, ISO 8601 UTC, up to nanoseconds."""
    trade_id: str
    symbol: str
    price: float
    size: Annotated[int, msgspec.Meta(le=MAX_INTEGER)] | Annotated[float, msgspec.Meta(le=float(MAX_INTEGER))]
    """Shares, contracts or coins, not negative; with decimals where the venue has them."""
    side: Literal["A", "B", "N"]
    sequence: Annotated[int, msgspec.Meta(ge=-MAX_INTEGER, le=MAX_INTEGER)] = 0
    """The venue's number, where the source has one."""
    price_eligible: bool = True
    """Whether the price says something about the market at this time."""
    anchor_eligible: bool = True
    """Whether a later price may be compared with this one alone."""
    volume_eligible: bool = True
    """Whether the size was not already counted elsewhere."""
    kind: Literal["trade", "bar"] = "trade"
    """A bar is one print at its end; detectors that learn from single prints do not judge it."""
    publisher_id: Annotated[int, msgspec.Meta(ge=-MAX_INTEGER, le=MAX_INTEGER)] | str = 0
    """Databento's number of who published it; each publisher's trades are in an order of their own."""
    venue: str | None = None
    """Where it was traded, which orders trades like `publisher_id`."""
    ts_recv: str | None = None
    """When it was received, in the form of `timestamp`."""
    tape_time: str | None = None
    """When the tape showed it, in the form of `timestamp`, where the source needs it for the order."""
    reconciled: bool = False
    """Whether it came after its session, from the venue's own record of the day: it is not judged live."""
    extra: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    """What the source has besides, as it stands there: of any names and types."""


def size_text(size: float) -> str:
    """Write a size for people, such as `50,000` or `0.25`: all its digits, and no more."""
    return f"{int(size):,}" if size == int(size) else f"{Decimal(repr(float(size))):,f}"


def mean_size_text(size: float) -> str:
    """Write a mean size for people: a whole number, or three digits of one below 1."""
    return f"{size:,.0f}" if size >= 1 or size == 0 else size_text(float(f"{size:.3g}"))


class NotATradeError(ValueError):
    """A message in `trades` that is not a trade; says why."""


_decoder = msgspec.json.Decoder(Trade)


def decode_trade(value: bytes | None) -> Trade:
    """Decode one message.

    Raises
    ------
    NotATradeError
        It is not JSON, lacks a field, or a field has a wrong type or an impossible value.
    """
    if not value:
        raise NotATradeError("the message is empty")
    try:
        trade = _decoder.decode(value)
    except msgspec.ValidationError as error:
        raise NotATradeError(f"not a trade: {error}") from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise NotATradeError(f"not JSON: {error}") from error
    except RecursionError as error:
        raise NotATradeError("not JSON that can be read: it is nested too deeply") from error
    if trade.price and not LEAST_PRICE <= abs(trade.price) <= MOST_PRICE:
        raise NotATradeError(f"not a trade: the price is out of all bounds ({trade.price})")
    if trade.size < 0:
        raise NotATradeError(f"not a trade: size is negative ({trade.size})")
    if 0 < trade.size < LEAST_SIZE:
        raise NotATradeError(f"not a trade: the size is out of all bounds ({trade.size})")
    if not trade.trade_id or not trade.symbol:
        raise NotATradeError("not a trade: trade_id or symbol is empty")
    _check_time("@timestamp", trade.timestamp)
    if trade.tape_time is not None:
        _check_time("tape_time", trade.tape_time)
    elif trade.sequence <= 0 and trade.ts_recv is not None:
        _check_time("ts_recv", trade.ts_recv)
    return trade


def _check_time(name: str, text: str) -> None:
    if not ISO_TIME.fullmatch(text):
        raise NotATradeError(f"not a trade: {name} is not an ISO 8601 UTC time ({text!r})")
    if not FIRST_YEAR <= text[:4] <= LAST_YEAR:
        raise NotATradeError(f"not a trade: {name} is not from {FIRST_YEAR} to {LAST_YEAR}")
    try:
        if text[8:10] > "28":
            dt.date.fromisoformat(text[:10])
    except ValueError as error:
        raise NotATradeError(f"not a trade: no calendar has the day of {name} ({error})") from error
