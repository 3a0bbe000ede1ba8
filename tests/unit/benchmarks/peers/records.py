"""Records as a topic has them."""

import json
from collections.abc import Mapping

from services.common.kafka.records import Headers, Record


class FixedRecord:
    """A record with a value, and nothing else of interest."""

    def __init__(self, value: bytes | None) -> None:
        self._value = value

    def topic(self) -> str:
        return "topic"

    def partition(self) -> int:
        return 0

    def offset(self) -> int:
        return 0

    def key(self) -> bytes | None:
        return None

    def value(self) -> bytes | None:
        return self._value

    def headers(self) -> Headers | None:
        return None

    def timestamp(self) -> tuple[int, int]:
        return 1, 0


def records(*rows: Mapping[str, object] | None) -> list[Record]:
    """Return a record for each row; None is a deletion."""
    return [FixedRecord(None if row is None else json.dumps(row).encode()) for row in rows]
