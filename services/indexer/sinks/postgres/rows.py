"""From messages to rows: which column a field goes into, and what a message must be for that.

A field without a column is in `rest`, so a row has all that its message has; only of a trade, of which there
are many, must every field have a column.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, NamedTuple, cast

import msgspec
import orjson

from services.common.kafka.records import Headers, Record
from services.contracts import retraction
from services.contracts.anomaly import JUDGED_AGAIN
from services.contracts.indices import MAX_ID_BYTES
from services.contracts.postgres import ALERTS_TABLE, ANOMALIES_TABLE, CORRECTIONS_TABLE, TRADES_TABLE
from services.contracts.topics import ALERTS_TOPIC, ANOMALIES_TOPIC, CORRECTIONS_TOPIC, TRADES_TOPIC
from services.indexer.sinks.base import RejectedRecordError
from services.indexer.sinks.postgres.csv import Cell, array_text, csv_line
from services.indexer.sinks.postgres.times import moment_of, ns_of, time_of

_Integer = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]
# As in Elasticsearch, so that both have the same rows; an entry of Postgres's index takes 2,700 bytes.
_Id = Annotated[str, msgspec.Meta(min_length=1, max_length=MAX_ID_BYTES)]
_Text = Annotated[str, msgspec.Meta(min_length=1)]

_PLACE = ("kafka_topic_id", "kafka_partition", "kafka_offset")
"""Columns with the place of the message: of two versions of a row, they tell which is the later one."""


class _Trade(msgspec.Struct, gc=False, frozen=True, forbid_unknown_fields=True):
    """A trade's fields, in the order of `TRADE_COLUMNS`."""

    timestamp: str = msgspec.field(name="@timestamp")
    trade_id: _Id
    symbol: _Text
    price: float
    size: float
    side: str
    source: str | None = None
    ts_recv: str | None = None
    publisher_id: _Integer | None = None
    instrument_id: _Integer | None = None
    action: str | None = None
    depth: _Integer | None = None
    flags: _Integer | None = None
    ts_in_delta: _Integer | None = None
    sequence: _Integer | None = None
    rtype: _Integer | None = None
    venue: str | None = None
    tape: str | None = None
    conditions: list[str] | None = None
    conditions_raw: list[str] | None = None
    price_eligible: bool | None = None
    anchor_eligible: bool | None = None
    volume_eligible: bool | None = None
    tape_time: str | None = None
    kind: str | None = None
    extra: dict[str, Any] | None = None
    reconciled: bool | None = None


_NS_COLUMNS = {"ts_recv": "ts_recv_ns", "tape_time": "tape_time_ns"}
TRADE_COLUMNS = (
    "day",
    "ts_ns",
    "time",
    *(_NS_COLUMNS.get(name, name) for name in _Trade.__struct_fields__[1:]),
)


class _Anomaly(msgspec.Struct, frozen=True):
    """What of an anomaly has columns, under the names of its fields."""

    timestamp: str = msgspec.field(name="@timestamp")
    trade_id: _Id
    symbol: _Text
    price: float
    size: float
    side: str
    anomalies: Annotated[list[str], msgspec.Meta(min_length=1)]
    score: float
    severity: str
    message: str
    detections: list[dict[str, Any]]
    contributions: dict[str, Any]
    features: dict[str, Any]
    session: str
    source: str | None = None
    venue: str | None = None
    first_trade: str | None = None
    last_trade: str | None = None
    count: _Integer | None = None
    revision: _Integer | None = None
    events: list[str] | None = None
    late_s: float | None = None
    detected_at: str | None = None


class _Correction(msgspec.Struct, frozen=True):
    """The same of a correction."""

    timestamp: str = msgspec.field(name="@timestamp")
    correction_id: _Id
    trade_id: str | None
    symbol: _Text
    action: str
    source: str | None = None
    price: float | None = None
    size: float | None = None
    conditions: list[str] | None = None
    original: dict[str, Any] | None = None


class _Alert(msgspec.Struct, frozen=True):
    """The same of an alert's revision."""

    timestamp: str = msgspec.field(name="@timestamp")
    alert_id: _Id
    revision: _Integer
    state: str
    symbol: _Text
    session: str
    rule: str
    group: str
    labels: list[str]
    severity: str
    score: float
    count: _Integer
    message: str
    first_trade: str
    last_trade: str
    last_time: str
    anomalies: list[str]
    sending: str


@dataclass(frozen=True)
class Table:
    """A table with rows of one topic.

    Parameters
    ----------
    name
        Its name.
    key
        Columns of its primary key.
    columns
        All that a row of CSV has, in its order; the first is `day`.
    updates
        When a row that is there gives way to one of the same key, as a condition on `old` and `EXCLUDED`;
        None for never.
    """

    name: str
    key: tuple[str, ...]
    columns: tuple[str, ...]
    updates: str | None = None


_SAME_PARTITION = (
    "old.kafka_topic_id = EXCLUDED.kafka_topic_id AND old.kafka_partition = EXCLUDED.kafka_partition"
)
_LATER = f"({_SAME_PARTITION} AND EXCLUDED.kafka_offset > old.kafka_offset)"
_FIRST = ("day", "ts_ns", "time")

TRADES = Table(TRADES_TABLE, ("day", "trade_id"), TRADE_COLUMNS)
ANOMALIES = Table(
    ANOMALIES_TABLE,
    ("day", "trade_id"),
    (
        *(
            *_FIRST,
            "trade_id",
            "symbol",
            "price",
            "size",
            "side",
            "source",
            "venue",
            "label",
            "labels",
            "score",
        ),
        *("severity", "message", "detections", "contributions", "features", "session", "profile"),
        *(
            "first_trade",
            "last_trade",
            "count",
            "revision",
            "events",
            "late_s",
            "detected_at",
            "judged_again",
        ),
        *("rest", *_PLACE),
    ),
    # A message that is read again never replaces what came after it; one that was put back from the dead
    # letters is later and yet older, which its revision shows. A reset starts the revisions again.
    updates=f"""(EXCLUDED.revision > old.revision
            OR (EXCLUDED.judged_again AND NOT old.judged_again AND {_SAME_PARTITION}))
        AND ({_LATER} OR NOT ({_SAME_PARTITION}))""",
)
CORRECTIONS = Table(
    CORRECTIONS_TABLE,
    ("day", "correction_id"),
    (
        *(*_FIRST, "correction_id", "trade_id", "symbol", "action", "source", "price", "size", "conditions"),
        *("original", "rest", *_PLACE),
    ),
)
ALERTS = Table(
    ALERTS_TABLE,
    ("day", "alert_id", "revision"),
    (
        *(*_FIRST, "alert_id", "revision", "state", "symbol", "session", "rule", "alert_group", "labels"),
        *("severity", "score", "count", "message", "first_trade", "last_trade", "last_time", "anomalies"),
        *("sending", "rest", *_PLACE),
    ),
    updates=_LATER,  # after a reset, revisions have the same numbers again
)


class Row(NamedTuple):
    """A row and what it is about."""

    key: str
    """Its primary key, in a text."""
    line: bytes
    """Of CSV."""


@dataclass(frozen=True)
class _Kind:
    """How messages of a topic become rows."""

    table: Table
    to_row: Callable[[bytes, Record, str], "Row"]


_decode_trade = msgspec.json.Decoder(_Trade).decode
_trade_cells = msgspec.structs.astuple


def trade_row(value: bytes) -> tuple[bytes, bytes]:
    """Return a trade's id and its line of CSV.

    Raises
    ------
    RejectedRecordError
        It is not a trade, or has a field without a column.
    """
    try:
        trade = _decode_trade(value)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise _not_one("trade", error) from error
    text = trade.timestamp
    ns = ns_of("@timestamp", text)
    recv_ns = None if trade.ts_recv is None else ns_of("ts_recv", trade.ts_recv)
    cells = cast("tuple[Cell, ...]", _trade_cells(trade))
    if (
        trade.conditions is not None
        or trade.conditions_raw is not None
        or trade.extra is not None
        or trade.tape_time is not None
    ):
        cells = _with_rare(trade, cells)
    trade_id = trade.trade_id.encode()
    if len(trade_id) > MAX_ID_BYTES:
        raise RejectedRecordError(f"trade_id has more than {MAX_ID_BYTES} bytes")
    line = (text[:10], ns, time_of(text), *cells[1:_RECV_AT], recv_ns, *cells[_RECV_AT + 1 :])
    return trade_id, csv_line(line)


_AT = {name: at for at, name in enumerate(_Trade.__struct_fields__)}
_RECV_AT = _AT["ts_recv"]


def _with_rare(trade: _Trade, cells: tuple[Cell, ...]) -> tuple[Cell, ...]:
    """Return a trade's cells with what a column has in another form than the message, and few trades have."""
    changed = list(cells)
    if trade.tape_time is not None:
        changed[_AT["tape_time"]] = ns_of("tape_time", trade.tape_time)
    changed[_AT["conditions"]] = array_text(trade.conditions)
    changed[_AT["conditions_raw"]] = array_text(trade.conditions_raw)
    changed[_AT["extra"]] = _json_or_none(trade.extra)
    return tuple(changed)


def _anomaly_row(value: bytes, record: Record, topic_id: str) -> Row:
    fields, one = _read(value, _Anomaly, "anomaly")
    moment = moment_of("@timestamp", one.timestamp)
    profile = fields.get("model")
    headers = dict(record.headers() or [])
    cells: list[Cell] = [
        *(moment.day, moment.ns, moment.time, one.trade_id, one.symbol, one.price, one.size, one.side),
        *(one.source, one.venue, one.anomalies[0], array_text(one.anomalies), one.score),
        *(one.severity, one.message, _json(one.detections), _json(one.contributions), _json(one.features)),
        *(one.session, profile.get("profile") if isinstance(profile, dict) else None),
        *(one.first_trade, one.last_trade, one.count, one.revision or 1, array_text(one.events)),
        *(one.late_s, _cut("detected_at", one.detected_at), headers.get(JUDGED_AGAIN) is not None),
        *(_rest(fields, _Anomaly), topic_id, record.partition(), record.offset()),
    ]
    return Row(f"{moment.day} {one.trade_id}", csv_line(cells))


def _correction_row(value: bytes, record: Record, topic_id: str) -> Row:
    fields, one = _read(value, _Correction, "correction")
    moment = moment_of("@timestamp", one.timestamp)
    cells: list[Cell] = [
        *(moment.day, moment.ns, moment.time, one.correction_id, one.trade_id, one.symbol, one.action),
        *(one.source, one.price, one.size, array_text(one.conditions), _json_or_none(one.original)),
        *(_rest(fields, _Correction), topic_id, record.partition(), record.offset()),
    ]
    return Row(f"{moment.day} {one.correction_id}", csv_line(cells))


def _alert_row(value: bytes, record: Record, topic_id: str) -> Row:
    fields, one = _read(value, _Alert, "alert")
    moment = moment_of("@timestamp", one.timestamp)
    ns_of("last_time", one.last_time)
    cells: list[Cell] = [
        *(moment.day, moment.ns, moment.time, one.alert_id, one.revision, one.state, one.symbol),
        *(one.session, one.rule, one.group, array_text(one.labels), one.severity, one.score, one.count),
        *(one.message, one.first_trade, one.last_trade, time_of(one.last_time), array_text(one.anomalies)),
        *(one.sending, _rest(fields, _Alert), topic_id, record.partition(), record.offset()),
    ]
    return Row(f"{moment.day} {one.alert_id} {one.revision}", csv_line(cells))


_KINDS: Mapping[str, _Kind] = {
    ANOMALIES_TOPIC: _Kind(ANOMALIES, _anomaly_row),
    CORRECTIONS_TOPIC: _Kind(CORRECTIONS, _correction_row),
    ALERTS_TOPIC: _Kind(ALERTS, _alert_row),
}
TABLES: Mapping[str, Table] = {TRADES_TOPIC: TRADES} | {topic: kind.table for topic, kind in _KINDS.items()}
"""By topic."""


def to_row(record: Record, topic_id: str) -> Row:
    """Return the row of a message that is no trade.

    Parameters
    ----------
    record
        Of one of the topics of `TABLES`.
    topic_id
        Kafka's id of its topic.

    Raises
    ------
    RejectedRecordError
        It is not what the topic has.
    """
    value = record.value()
    if not value:
        raise RejectedRecordError("the message is empty")
    return _KINDS[record.topic()].to_row(value, record, topic_id)


@dataclass(frozen=True)
class Retraction:
    """An anomaly that is taken back, by its key."""

    day: str
    trade_id: str

    @property
    def key(self) -> str:
        """The key of its row, as `Row.key`."""
        return f"{self.day} {self.trade_id}"


def to_retraction(headers: Headers | None) -> Retraction:
    """Return which anomaly a message without a value takes back.

    Raises
    ------
    RejectedRecordError
        The headers do not say it.
    """
    try:
        fields = {name: text.decode() for name, text in headers or [] if text is not None}
    except UnicodeDecodeError as error:
        raise RejectedRecordError(f"a header is not UTF-8: {error}") from error
    trade_id = fields.get(retraction.TRADE_ID, "")
    if not 0 < len(trade_id.encode()) <= MAX_ID_BYTES or "\0" in trade_id:
        raise RejectedRecordError(
            f"the header {retraction.TRADE_ID} is not a text of 1 to {MAX_ID_BYTES} bytes"
        )
    name = f"the header {retraction.TIMESTAMP}"
    return Retraction(moment_of(name, fields.get(retraction.TIMESTAMP, "")).day, trade_id)


def _read(value: bytes, kind: type[Any], name: str) -> tuple[dict[str, Any], Any]:
    """Return a message's fields, and those of them that have columns, checked."""
    try:
        fields = orjson.loads(value)
        return fields, msgspec.convert(fields, kind)
    except (orjson.JSONDecodeError, msgspec.ValidationError, RecursionError) as error:
        raise _not_one(name, error) from error


def _not_one(name: str, error: Exception) -> RejectedRecordError:
    if isinstance(error, msgspec.ValidationError):
        return RejectedRecordError(f"not a row: not a {name} that the table has columns for: {error}")
    return RejectedRecordError(f"not JSON: {error}")


def _rest(fields: dict[str, Any], kind: type[Any]) -> str:
    """Return the fields without a column, as JSON."""
    known = {field.encode_name for field in msgspec.structs.fields(kind)}
    return _json({name: value for name, value in fields.items() if name not in known})


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()


def _json_or_none(value: object) -> str | None:
    return None if value is None else _json(value)


def _cut(name: str, text: str | None) -> str | None:
    """Return a time that need not be given, checked and cut to the microsecond."""
    if text is None:
        return None
    ns_of(name, text)
    return time_of(text)
