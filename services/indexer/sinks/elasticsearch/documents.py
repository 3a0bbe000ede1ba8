"""From messages to the body of a bulk request; the documents pass through as bytes."""

import re
from datetime import date
from functools import lru_cache
from itertools import chain

import orjson

from services.contracts.indices import ANOMALIES_INDEX_PREFIX, TRADES_INDEX_PREFIX
from services.contracts.topics import ANOMALIES_TOPIC, TRADES_TOPIC
from services.contracts.trade import FIRST_YEAR, LAST_YEAR

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

Headers = list[tuple[str, bytes | None]] | None
"""A message's headers, as the client gives them."""


class NotADocumentError(ValueError):
    """A message without a usable id or day; says why."""


Document = tuple[bytes, bytes | None]
"""What one message asks Elasticsearch to do: its target, and the source.

The target names index and id: what it is about, and known by; it is written as the line that stands before a
document to index. The source is the document without line ends, or None if it is to be deleted. A plain
tuple, as there are a hundred thousand of them a second.
"""


def to_document(topic: str, value: bytes | None) -> Document:
    """Find a message's index and id.

    Parameters
    ----------
    topic
        `trades` or `anomalies`.
    value
        The message.

    Raises
    ------
    NotADocumentError
        It has no usable `trade_id` or `@timestamp`.
    """
    if not value:
        raise NotADocumentError("the message is empty")
    start = _USUAL_START.match(value)
    # What an escape stands for has to be looked at: half a surrogate pair would be in nobody's answers' JSON.
    if start and _LINE_END not in value and _BACKSLASH not in value:
        day, quoted_id = start.groups()
        return _target_start(topic, day) + quoted_id + b"}}", value
    try:
        fields = orjson.loads(value)
    except orjson.JSONDecodeError as error:
        raise NotADocumentError(f"not JSON: {error}") from error
    if not isinstance(fields, dict):
        raise NotADocumentError("not a JSON object")
    target = _checked_target(topic, fields.get("trade_id"), fields.get("@timestamp"), "@timestamp")
    if b"\n" not in value and b"\r" not in value:
        return target, value
    try:
        # Written anew because a line end inside a document would cut the bulk request there.
        return target, orjson.dumps(fields)
    except orjson.JSONEncodeError as error:
        raise NotADocumentError(f"not JSON that can be written: {error}") from error


def to_retraction(headers: Headers) -> Document:
    """Find the anomaly that a message without a value takes back.

    Parameters
    ----------
    headers
        `trade_id`, and `timestamp` as in the anomaly's `@timestamp`.

    Raises
    ------
    NotADocumentError
        One is missing or not usable.
    """
    try:
        fields = {name: text.decode() for name, text in headers or [] if text is not None}
    except UnicodeDecodeError as error:
        raise NotADocumentError(f"a header is not UTF-8: {error}") from error
    target = _checked_target(
        ANOMALIES_TOPIC, fields.get("trade_id"), fields.get("timestamp"), "the header timestamp"
    )
    return target, None


def _checked_target(topic: str, trade_id: object, timestamp: object, timestamp_name: str) -> bytes:
    if not isinstance(trade_id, str) or not 0 < len(trade_id.encode()) <= MAX_ID_BYTES:
        raise NotADocumentError(f"trade_id is not a text of 1 to {MAX_ID_BYTES} bytes")
    day = _DAY.match(timestamp) if isinstance(timestamp, str) else None
    if day is None:
        raise NotADocumentError(f"{timestamp_name} is not an ISO 8601 time")
    return _target_start(topic, day[0].encode()) + orjson.dumps(trade_id) + b"}}"


@lru_cache(DAYS_KEPT)
def _target_start(topic: str, day: bytes) -> bytes:
    """Return a target up to its id; `day` as in 2024-12-02.

    A day that cannot be is refused here, before an index is made for it.
    """
    try:
        date.fromisoformat(day.decode())
    except ValueError as error:
        raise NotADocumentError(f"no calendar has the day {day.decode()} ({error})") from error
    if not FIRST_YEAR <= day[:4].decode() <= LAST_YEAR:
        raise NotADocumentError(f"the day {day.decode()} is not from {FIRST_YEAR} to {LAST_YEAR}")
    year, month, day_of_month = day.split(b"-")
    if topic == TRADES_TOPIC:
        index = b"%b%b.%b.%b" % (TRADES_INDEX_PREFIX.encode(), year, month, day_of_month)
    elif topic == ANOMALIES_TOPIC:
        index = b"%b%b.%b" % (ANOMALIES_INDEX_PREFIX.encode(), year, month)
    else:
        raise NotADocumentError(f"no index for the topic {topic}")
    return b'{"index":{"_index":"%b","_id":' % index


def bulk_body(documents: list[Document]) -> bytes:
    """Join documents into one request."""
    lines = chain.from_iterable(documents)
    if any(source is None for _, source in documents):
        lines = chain.from_iterable(map(_lines, documents))
    return b"\n".join(chain(lines, [b""]))


def _lines(document: Document) -> tuple[bytes, ...]:
    """Return what a request says of a document."""
    target, source = document
    if source is None:
        return (target.replace(b'{"index"', b'{"delete"', 1),)
    return target, source
