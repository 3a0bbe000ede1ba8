"""From messages to the body of a bulk request; the documents pass through as bytes."""

import re
from typing import NamedTuple

import orjson

from services.common.contracts import (
    ANOMALIES_INDEX_PREFIX,
    ANOMALIES_TOPIC,
    TRADES_INDEX_PREFIX,
    TRADES_TOPIC,
)

# How Tapewatch's own services begin a document; anything else is parsed in full.
_USUAL_START = re.compile(
    rb'\{"@timestamp":"(\d{4})-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])T[0-9:.]+Z",'
    rb'"trade_id":"([^"\\\x00-\x1f]{1,512})"'
)
_DAY = re.compile(r"(\d{4})-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])T", re.ASCII)
MAX_ID_BYTES = 512
"""Elasticsearch's limit for an `_id`."""

Headers = list[tuple[str, bytes | None]] | None
"""A message's headers, as the client gives them."""


class NotADocumentError(ValueError):
    """A message without a usable id or day; says why."""


class Document(NamedTuple):
    """What one message asks Elasticsearch to do."""

    target: bytes
    """Index and id, as JSON: what it is about, and known by."""
    source: bytes | None
    """The document, without line ends; None if it is to be deleted."""


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
    if start and b"\n" not in value:
        try:
            return Document(_target(topic, *(part.decode() for part in start.groups())), value)
        except UnicodeDecodeError as error:
            raise NotADocumentError(f"not JSON: {error}") from error
    try:
        fields = orjson.loads(value)
    except orjson.JSONDecodeError as error:
        raise NotADocumentError(f"not JSON: {error}") from error
    if not isinstance(fields, dict):
        raise NotADocumentError("not a JSON object")
    target = _checked_target(topic, fields.get("trade_id"), fields.get("@timestamp"), "@timestamp")
    # Written anew because a line end inside a document would cut the bulk request there.
    return Document(target, orjson.dumps(fields) if b"\n" in value or b"\r" in value else value)


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
    return Document(target, None)


def _checked_target(topic: str, trade_id: object, timestamp: object, timestamp_name: str) -> bytes:
    if not isinstance(trade_id, str) or not 0 < len(trade_id.encode()) <= MAX_ID_BYTES:
        raise NotADocumentError(f"trade_id is not a text of 1 to {MAX_ID_BYTES} bytes")
    day = _DAY.match(timestamp) if isinstance(timestamp, str) else None
    if day is None:
        raise NotADocumentError(f"{timestamp_name} is not an ISO 8601 time")
    return _target(topic, *day.groups(), trade_id)


def _target(topic: str, year: str, month: str, day: str, trade_id: str) -> bytes:
    if topic == TRADES_TOPIC:
        index = f"{TRADES_INDEX_PREFIX}{year}.{month}.{day}"
    elif topic == ANOMALIES_TOPIC:
        index = f"{ANOMALIES_INDEX_PREFIX}{year}.{month}"
    else:
        raise NotADocumentError(f"no index for the topic {topic}")
    return b'{"_index":"%s","_id":%s}' % (index.encode(), orjson.dumps(trade_id))


def bulk_body(documents: list[Document]) -> bytes:
    """Join documents into one request."""
    lines = []
    for target, source in documents:
        if source is None:
            lines.append(b'{"delete":%s}' % target)
        else:
            lines += (b'{"index":%s}' % target, source)
    lines.append(b"")
    return b"\n".join(lines)
