"""From messages to the body of a bulk request; the documents pass through as bytes.

An entry's target names index and id; it is written as the line that stands before a document to index. Its
content is the document without line ends.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from functools import cached_property, lru_cache
from hashlib import blake2b
from itertools import chain
from typing import cast

import orjson

from services.common.kafka.records import Headers, Record
from services.contracts.indices import (
    ALERT_DELIVERIES_INDEX_PREFIX,
    ALERTS_INDEX_PREFIX,
    ANOMALIES_INDEX_PREFIX,
    CORRECTIONS_INDEX_PREFIX,
    FEED_EVENTS_INDEX_PREFIX,
    MAX_ID_BYTES,
    PROFILES_INDEX,
    SILENCES_INDEX,
    TRADES_INDEX_PREFIX,
)
from services.contracts.retraction import TIMESTAMP, TRADE_ID
from services.contracts.topics import (
    ALERT_DELIVERIES_TOPIC,
    ALERTS_TOPIC,
    ANOMALIES_TOPIC,
    CORRECTIONS_TOPIC,
    FEED_EVENTS_TOPIC,
    PROFILES_TOPIC,
    SILENCES_TOPIC,
    TRADES_TOPIC,
)
from services.contracts.trade import FIRST_YEAR, LAST_YEAR
from services.indexer.sinks.base import Entry, RejectedRecordError

_DAILY, _MONTHLY, _ALL = 10, 7, 0
_DAY_FORM = r"\d{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01])"


@dataclass(frozen=True)
class _Kind:
    """Where the documents of a topic go.

    Parameters
    ----------
    prefix
        Of the index's name; the day or the month of `@timestamp` follows.
    period_chars
        How much of the day, as in 2024-12-02, follows: `_DAILY`, `_MONTHLY`, or `_ALL` for one index.
    id_field
        The field that is the id; None where the id is a digest of the document.
    """

    prefix: str
    period_chars: int
    id_field: str | None

    @cached_property
    def usual_start(self) -> re.Pattern[bytes]:
        """How Tapewatch's own services begin a document, with an id that JSON writes as it is.

        Anything else is parsed in full.
        """
        start = rf'\{{"@timestamp":"({_DAY_FORM})T[0-9:.]+Z",'
        return re.compile(
            (
                start if self.id_field is None else rf'{start}"{self.id_field}":("[ !#-\[\]-~]{{1,512}}")'
            ).encode()
        )


_KINDS = {
    TRADES_TOPIC: _Kind(TRADES_INDEX_PREFIX, _DAILY, id_field="trade_id"),
    ANOMALIES_TOPIC: _Kind(ANOMALIES_INDEX_PREFIX, _MONTHLY, id_field="trade_id"),
    CORRECTIONS_TOPIC: _Kind(CORRECTIONS_INDEX_PREFIX, _MONTHLY, id_field="correction_id"),
    FEED_EVENTS_TOPIC: _Kind(FEED_EVENTS_INDEX_PREFIX, _MONTHLY, id_field=None),
    # Every revision of an alert has the time of its first anomaly, and so replaces the one before.
    ALERTS_TOPIC: _Kind(ALERTS_INDEX_PREFIX, _MONTHLY, id_field="alert_id"),
    ALERT_DELIVERIES_TOPIC: _Kind(ALERT_DELIVERIES_INDEX_PREFIX, _MONTHLY, id_field=None),
    SILENCES_TOPIC: _Kind(SILENCES_INDEX, _ALL, id_field="silence_id"),
    PROFILES_TOPIC: _Kind(PROFILES_INDEX, _ALL, id_field=None),
}
_DAY = re.compile(rf"{_DAY_FORM}(?=T)", re.ASCII)
_LINE_END, _BACKSLASH = b"\n\\"
DAYS_KEPT = 4096
_DIGEST_BYTES = 16


def to_document(record: Record, /) -> Entry:
    """Find a record's index and id, see `Sink.prepare`.

    Parameters
    ----------
    record
        Of one of the topics in `_KINDS`. An anomaly without a value is a retraction.

    Raises
    ------
    RejectedRecordError
        It has no usable id or `@timestamp`.
    """
    value = record.value()
    topic = record.topic()
    if not value:
        if value is None and topic == ANOMALIES_TOPIC:
            return _to_retraction(record.headers())
        raise RejectedRecordError("the message is empty")
    kind = _KINDS.get(topic)
    if kind is None:
        raise RejectedRecordError(f"no index for the topic {topic}")
    start = kind.usual_start.match(value)
    # What an escape stands for has to be looked at: half a surrogate pair would be in nobody's answers' JSON.
    if start and _LINE_END not in value and _BACKSLASH not in value:
        if kind.id_field is None:
            return _target_start(topic, start[1]) + _digest(value) + b"}}", value
        day, quoted_id = start.groups()
        return _target_start(topic, day) + quoted_id + b"}}", value
    try:
        fields = orjson.loads(value)
    except orjson.JSONDecodeError as error:
        raise RejectedRecordError(f"not JSON: {error}") from error
    if not isinstance(fields, dict):
        raise RejectedRecordError("not a JSON object")
    quoted_id = (
        _digest(value) if kind.id_field is None else _quoted_id(kind.id_field, fields.get(kind.id_field))
    )
    target = _target(topic, quoted_id, fields.get("@timestamp"), "@timestamp")
    if b"\n" not in value and b"\r" not in value:
        return target, value
    try:
        # Written again because a line end inside a document would cut the bulk request there.
        return target, orjson.dumps(fields)
    except orjson.JSONEncodeError as error:
        raise RejectedRecordError(f"not JSON that can be written: {error}") from error


def _to_retraction(headers: Headers | None) -> Entry:
    """Find the anomaly that a message without a value takes back."""
    try:
        fields = {name: text.decode() for name, text in headers or [] if text is not None}
    except UnicodeDecodeError as error:
        raise RejectedRecordError(f"a header is not UTF-8: {error}") from error
    quoted_id = _quoted_id(TRADE_ID, fields.get(TRADE_ID))
    return _target(ANOMALIES_TOPIC, quoted_id, fields.get(TIMESTAMP), f"the header {TIMESTAMP}"), None


def _digest(value: bytes) -> bytes:
    """Return a document's id, in quotes: the same document twice is one."""
    return b'"%b"' % blake2b(value, digest_size=_DIGEST_BYTES).hexdigest().encode()


def _quoted_id(name: str, given: object) -> bytes:
    if not isinstance(given, str) or not 0 < len(given.encode()) <= MAX_ID_BYTES:
        raise RejectedRecordError(f"{name} is not a text of 1 to {MAX_ID_BYTES} bytes")
    return orjson.dumps(given)


def _target(topic: str, quoted_id: bytes, timestamp: object, timestamp_name: str) -> bytes:
    day = _DAY.match(timestamp) if isinstance(timestamp, str) else None
    if day is None:
        raise RejectedRecordError(f"{timestamp_name} is not an ISO 8601 time")
    return _target_start(topic, day[0].encode()) + quoted_id + b"}}"


@lru_cache(DAYS_KEPT)
def _target_start(topic: str, day: bytes) -> bytes:
    """Return a target up to its id; `day` as in 2024-12-02.

    A day that cannot be is rejected here, before an index is made for it.
    """
    try:
        date.fromisoformat(day.decode())
    except ValueError as error:
        raise RejectedRecordError(f"no calendar has the day {day.decode()} ({error})") from error
    if not FIRST_YEAR <= day[:4].decode() <= LAST_YEAR:
        raise RejectedRecordError(f"the day {day.decode()} is not from {FIRST_YEAR} to {LAST_YEAR}")
    kind = _KINDS[topic]
    index = kind.prefix.encode() + day[: kind.period_chars].replace(b"-", b".")
    return b'{"index":{"_index":"%b","_id":' % index


def bulk_body(documents: list[Entry]) -> bytes:
    """Join documents into one request."""
    lines = chain.from_iterable(documents)
    if any(content is None for _, content in documents):
        lines = chain.from_iterable(map(_lines, documents))
    return b"\n".join(cast(Iterator[bytes], chain(lines, [b""])))


def _lines(document: Entry) -> tuple[bytes, ...]:
    """Return what a request says of a document."""
    target, content = document
    if content is None:
        return (target.replace(b'{"index"', b'{"delete"', 1),)
    return target, content
