"""An anomaly, and a retraction, as the alerter reads them from the topic `anomalies`."""

import datetime as dt
from collections.abc import Sequence
from typing import Annotated

import msgspec
from msgspec import Meta

from services.contracts.alert import Print, Worst
from services.contracts.anomaly import (
    BROUGHT_AT,
    JUDGED_AGAIN,
    TAPE_CLOCK,
    TRADE_OFFSET,
    TRADE_TIME,
    Detection,
    Severity,
)
from services.contracts.detectors import by_label
from services.contracts.retraction import TRADE_ID
from services.contracts.trade import FIRST_YEAR, ISO_TIME, LAST_YEAR

Headers = Sequence[tuple[str, str | bytes | None]] | None
"""As a message of Kafka has them."""

MOST_BYTES = 64 * 1024
"""Of an anomaly. The detector's have a tenth of it; alerts and checkpoints hold several, and have a limit."""

_MOST_NS = 2**63
_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_FAMILIES = {label: spec.family.title for label, spec in by_label().items()}


class NotAnAnomalyError(ValueError):
    """A message in `anomalies` that is none; says why."""


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """An anomaly, or a later revision of one."""

    symbol: str
    trade_id: str
    event_ns: int
    """Event time of its own trade, ns since 1970."""
    clock_ns: int
    """The tape's clock just before the trade that brings it; `event_ns` where the message does not say."""
    labels: tuple[str, ...]
    severity: Severity
    score: float
    message: str
    session: str
    worst: Worst
    """Its trade and its detections, as an alert shows them."""
    source: str | None = None
    venue: str | None = None
    revision: int = 1
    last_trade: str
    """The last print of its stretch so far; its own trade if it does not grow."""
    brought_ns: int | None = None
    """Event time of the trade that brings the message; None where it does not say."""
    trade_offset: int | None = None
    """Offset of its trade in the partition of `trades` of the same number."""
    trade_time_ms: int | None = None
    """When Kafka got its trade, ms since 1970."""
    is_judged_again: bool = False
    """Whether its trade had been judged before a reset of the detector."""

    @property
    def grown_ns(self) -> int:
        """The event time up to which it is known to last.

        Its own; of a later revision the tape's clock, but not what other symbols are ahead.
        """
        if self.revision == 1:
            return self.event_ns
        clock_ns = self.clock_ns if self.brought_ns is None else min(self.clock_ns, self.brought_ns)
        return max(self.event_ns, clock_ns)

    @property
    def families(self) -> tuple[str, ...]:
        """Titles of its labels' families, each once, in the order of the labels."""
        return tuple(dict.fromkeys(family_of(label) for label in self.labels))


class Retracted(msgspec.Struct, frozen=True):
    """A trade that is not flagged any more."""

    symbol: str
    trade_id: str
    clock_ns: int | None
    """The tape's clock at the reset; None where the message does not say."""
    is_judged_again: bool = False
    """Whether a reset of the detector brings it, after which the trade is judged again."""


class _Message(msgspec.Struct, gc=False):
    timestamp: str = msgspec.field(name="@timestamp")
    trade_id: str
    symbol: str
    price: float
    size: float
    anomalies: list[str]
    score: Annotated[float, Meta(ge=0, le=1)]
    severity: Severity
    message: str
    detections: list[Detection]
    session: str
    side: str | None = None
    source: str | None = None
    venue: str | None = None
    revision: Annotated[int, Meta(ge=1, lt=2**31)] | None = None
    last_trade: str | None = None


_decoder = msgspec.json.Decoder(_Message)


def read_seen(value: bytes, headers: Headers = None) -> Seen:
    """Read an anomaly's message.

    Raises
    ------
    NotAnAnomalyError
        It is not JSON, lacks a field, or a field has a wrong type or an impossible value; or it is too long.
    """
    if len(value) > MOST_BYTES:
        raise NotAnAnomalyError(f"not an anomaly: it has {len(value):,} bytes, more than {MOST_BYTES:,}")
    try:
        read = _decoder.decode(value)
    except msgspec.ValidationError as error:
        raise NotAnAnomalyError(f"not an anomaly: {error}") from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise NotAnAnomalyError(f"not JSON: {error}") from error
    if not read.anomalies or not read.trade_id or not read.symbol:
        raise NotAnAnomalyError("not an anomaly: it has no label, no trade_id or no symbol")
    event_ns = ns_of(read.timestamp)
    given = dict(headers or ())
    clock_ns = _number(given.get(TAPE_CLOCK))
    trade = Print(read.trade_id, read.timestamp, read.price, read.size, read.side)
    return Seen(
        symbol=read.symbol,
        trade_id=read.trade_id,
        event_ns=event_ns,
        clock_ns=event_ns if clock_ns is None else clock_ns,
        labels=tuple(read.anomalies),
        severity=read.severity,
        score=read.score,
        message=read.message,
        session=read.session,
        worst=Worst(trade, read.detections, read.source, read.venue),
        source=read.source,
        venue=read.venue,
        revision=read.revision or 1,
        last_trade=read.last_trade or read.trade_id,
        brought_ns=_number(given.get(BROUGHT_AT)),
        trade_offset=_number(given.get(TRADE_OFFSET)),
        trade_time_ms=_number(given.get(TRADE_TIME)),
        is_judged_again=_text(given.get(JUDGED_AGAIN)) == "1",
    )


def read_retracted(key: bytes | None, headers: Headers) -> Retracted:
    """Read the message of a retraction, whose value is null.

    Parameters
    ----------
    key
        The message's: the symbol.
    headers
        The message's.

    Raises
    ------
    NotAnAnomalyError
        It does not name the trade or the symbol.
    """
    given = dict(headers or ())
    symbol, trade_id = _text(key), _text(given.get(TRADE_ID))
    if not symbol or not trade_id:
        raise NotAnAnomalyError("a null value without the key of a symbol and the header trade_id")
    is_again = _text(given.get(JUDGED_AGAIN)) == "1"
    return Retracted(symbol, trade_id, _number(given.get(TAPE_CLOCK)), is_again)


def family_of(label: str) -> str:
    """Return the title of a label's family; the label itself where no detector has it."""
    return _FAMILIES.get(label, label)


def ns_of(time: str) -> int:
    """Return an ISO 8601 UTC time of up to nanoseconds as ns since 1970.

    Raises
    ------
    NotAnAnomalyError
        It is not such a time, or its year is none of a trade's.
    """
    if not ISO_TIME.fullmatch(time):
        raise NotAnAnomalyError(f"not an anomaly: {time!r} is not an ISO 8601 UTC time")
    if not FIRST_YEAR <= time[:4] <= LAST_YEAR:
        raise NotAnAnomalyError(f"not an anomaly: {time!r} is not from {FIRST_YEAR} to {LAST_YEAR}")
    try:
        second = dt.datetime.fromisoformat(f"{time[:19]}+00:00")
    except ValueError as error:
        raise NotAnAnomalyError(f"not an anomaly: no calendar has the day of {time!r}") from error
    since = second - _EPOCH
    return (since.days * 86_400 + since.seconds) * 1_000_000_000 + int(time[20:-1].ljust(9, "0"))


def _text(value: str | bytes | None) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else value or ""


def _number(value: str | bytes | None) -> int | None:
    """Read an offset or a time; None where there is none, or an impossible one."""
    try:
        number = int(_text(value))
    except ValueError:
        return None
    return number if 0 <= number < _MOST_NS else None
