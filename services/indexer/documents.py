"""From messages to the body of a bulk request; the documents pass through as bytes."""

import re
from dataclasses import dataclass

import orjson

from services.common.contracts import (
    ANOMALIES_INDEX_PREFIX,
    ANOMALIES_TOPIC,
    TRADES_INDEX_PREFIX,
    TRADES_TOPIC,
)

# How Tapewatch's own services begin a document; anything else is parsed in full.
_USUAL_START = re.compile(
    rb'\{"@timestamp":"(\d{4})-(\d\d)-(\d\d)T[0-9:.]+Z","trade_id":"([^"\\\x00-\x1f]{1,512})"'
)
_DAY = re.compile(r"(\d{4})-(\d\d)-(\d\d)T")
MAX_ID_BYTES = 512
"""Elasticsearch's limit for an `_id`."""


class NotADocumentError(ValueError):
    """A message without a usable id or day; says why."""


@dataclass(frozen=True)
class Document:
    """One line pair of a bulk request."""

    index: str
    action: bytes
    """The line before the document: index and id."""
    source: bytes
    """The document, without line ends."""


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
        year, month, day, trade_id = (part.decode("utf-8", "replace") for part in start.groups())
        return _document(topic, year, month, day, trade_id, value)
    try:
        fields = orjson.loads(value)
    except orjson.JSONDecodeError as error:
        raise NotADocumentError(f"not JSON: {error}") from error
    if not isinstance(fields, dict):
        raise NotADocumentError("not a JSON object")
    trade_id, timestamp = fields.get("trade_id"), fields.get("@timestamp")
    if not isinstance(trade_id, str) or not 0 < len(trade_id.encode()) <= MAX_ID_BYTES:
        raise NotADocumentError(f"trade_id is not a text of 1 to {MAX_ID_BYTES} bytes")
    at = _DAY.match(timestamp) if isinstance(timestamp, str) else None
    if at is None:
        raise NotADocumentError("@timestamp is not an ISO 8601 time")
    # Written anew because a line end inside a document would cut the bulk request there.
    source = orjson.dumps(fields) if b"\n" in value or b"\r" in value else value
    return _document(topic, *at.groups(), trade_id, source)


def _document(topic: str, year: str, month: str, day: str, trade_id: str, source: bytes) -> Document:
    if topic == TRADES_TOPIC:
        index = f"{TRADES_INDEX_PREFIX}{year}.{month}.{day}"
    elif topic == ANOMALIES_TOPIC:
        index = f"{ANOMALIES_INDEX_PREFIX}{year}.{month}"
    else:
        raise NotADocumentError(f"no index for the topic {topic}")
    action = b'{"index":{"_index":"%s","_id":%s}}' % (index.encode(), orjson.dumps(trade_id))
    return Document(index, action, source)


def bulk_body(documents: list[Document]) -> bytes:
    """Join documents into one request."""
    lines = [part for document in documents for part in (document.action, document.source)]
    lines.append(b"")
    return b"\n".join(lines)
