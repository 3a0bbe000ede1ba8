"""From messages to the body of a bulk request; the documents pass through as bytes.

An entry's target names index and id; it is written as the line that stands before a document to index. Its
content is the document without line ends.
"""

import re
from collections.abc import Iterator
from datetime import date
from functools import lru_cache
from itertools import chain
from typing import cast

import orjson

from services.common.kafka.records import Headers, Record
from services.contracts.indices import ANOMALIES_INDEX_PREFIX, TRADES_INDEX_PREFIX
from services.contracts.retraction import TIMESTAMP, TRADE_ID
from services.contracts.topics import ANOMALIES_TOPIC, TRADES_TOPIC
from services.contracts.trade import FIRST_YEAR, LAST_YEAR
from services.indexer.sinks.base import Entry, RejectedRecordError

# How Tapewatch's own services begin a document, with an id that JSON writes as it is; anything else is
# parsed in full.
_USUAL_START = re.compile(
    rb'\{"@timestamp":"(\d{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01]))T[0-9:.]+Z",'
    rb'"trade_id":("[ !#-\[\]-~]{1,512}")'
)
_DAY = re.compile(r"\d{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01])(?=T)", re.ASCII)
_LINE_END, _BACKSLASH = b"\n\\"
DAYS_KEPT = 4096
MAX_ID_BYTES = 512
"""Elasticsearch's limit for an `_id`."""


def to_document(record: Record, /) -> Entry:
    """Find a record's index and id, see `Sink.prepare`.

    Parameters
    ----------
    record
        Of `trades` or `anomalies`. An anomaly without a value is a retraction.

    Raises
    ------
    RejectedRecordError
        It has no usable `trade_id` or `@timestamp`.
    """
    value = record.value()
    topic = record.topic()
    if not value:
        if value is None and topic == ANOMALIES_TOPIC:
            return _to_retraction(record.headers())
        raise RejectedRecordError("the message is empty")
    start = _USUAL_START.match(value)
    # What an escape stands for has to be looked at: half a surrogate pair would be in nobody's answers' JSON.
    if start and _LINE_END not in value and _BACKSLASH not in value:
        day, quoted_id = start.groups()
        return _target_start(topic, day) + quoted_id + b"}}", value
    try:
        fields = orjson.loads(value)
    except orjson.JSONDecodeError as error:
        raise RejectedRecordError(f"not JSON: {error}") from error
    if not isinstance(fields, dict):
        raise RejectedRecordError("not a JSON object")
    target = _checked_target(topic, fields.get("trade_id"), fields.get("@timestamp"), "@timestamp")
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
    target = _checked_target(
        ANOMALIES_TOPIC, fields.get(TRADE_ID), fields.get(TIMESTAMP), f"the header {TIMESTAMP}"
    )
    return target, None


def _checked_target(topic: str, trade_id: object, timestamp: object, timestamp_name: str) -> bytes:
    if not isinstance(trade_id, str) or not 0 < len(trade_id.encode()) <= MAX_ID_BYTES:
        raise RejectedRecordError(f"trade_id is not a text of 1 to {MAX_ID_BYTES} bytes")
    day = _DAY.match(timestamp) if isinstance(timestamp, str) else None
    if day is None:
        raise RejectedRecordError(f"{timestamp_name} is not an ISO 8601 time")
    return _target_start(topic, day[0].encode()) + orjson.dumps(trade_id) + b"}}"


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
    year, month, day_of_month = day.split(b"-")
    if topic == TRADES_TOPIC:
        index = b"%b%b.%b.%b" % (TRADES_INDEX_PREFIX.encode(), year, month, day_of_month)
    elif topic == ANOMALIES_TOPIC:
        index = b"%b%b.%b" % (ANOMALIES_INDEX_PREFIX.encode(), year, month)
    else:
        raise RejectedRecordError(f"no index for the topic {topic}")
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
