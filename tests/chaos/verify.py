"""What a run left, against what an undisturbed run leaves; each comparison lists its violations."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

EXAMPLES = 5

Fields = Mapping[str, Any]


@dataclass(frozen=True)
class Violation:
    """Something that is not as it must be.

    Parameters
    ----------
    where
        Such as "topic trades".
    kind
        Such as "lost", "doubled" or "different".
    count
        How many of the kind there are.
    examples
        Some of them.
    """

    where: str
    kind: str
    count: int
    examples: tuple[str, ...]

    def __str__(self) -> str:
        more = f", … ({self.count:,} in all)" if self.count > len(self.examples) else ""
        return f"{self.where}: {self.kind}: {', '.join(self.examples)}{more}"


@dataclass(frozen=True)
class Trade:
    """A trade as the topic must carry it."""

    trade_id: str
    symbol: str
    value: bytes


def compare_trades(
    expected: Sequence[Trade], published: Sequence[tuple[bytes | None, bytes]]
) -> list[Violation]:
    """Compare the topic `trades` with the file: every trade once, the same bytes, in order by symbol.

    Parameters
    ----------
    expected
        The file's trades, in its order.
    published
        Keys and values of the committed records, in the order of their partition.
    """
    where = "topic trades"
    wanted = {trade.trade_id: trade for trade in expected}
    found: dict[str, list[tuple[bytes | None, bytes]]] = {}
    order: dict[str, list[str]] = {}
    for key, value in published:
        fields = orjson.loads(value)
        if fields["trade_id"] not in found:
            order.setdefault(fields["symbol"], []).append(fields["trade_id"])
        found.setdefault(fields["trade_id"], []).append((key, value))
    different = [
        f"{trade_id} ({_difference(wanted[trade_id], key, value)})"
        for trade_id, records in found.items()
        if trade_id in wanted
        for key, value in records
        if value != wanted[trade_id].value or key != wanted[trade_id].symbol.encode()
    ]
    return [
        *_compare_ids(where, wanted.keys(), {trade_id: len(records) for trade_id, records in found.items()}),
        *_violation(where, "different", different),
        *_compare_order(where, expected, order),
    ]


def compare_anomalies(expected: Mapping[str, Fields], published: Iterable[bytes | None]) -> list[Violation]:
    """Compare the topic `anomalies` with a backtest's: each once, with the same content but `detected_at`.

    Parameters
    ----------
    expected
        Anomalies by `trade_id`.
    published
        Values of the committed records; None withdraws an anomaly, which only a reset may do.
    """
    where = "topic anomalies"
    values = list(published)
    found = [orjson.loads(value) for value in values if value is not None]
    counts = Counter(fields["trade_id"] for fields in found)
    return [
        *_compare_ids(where, expected.keys(), counts),
        *_compare_content(where, expected, ((fields["trade_id"], fields) for fields in found)),
        *_violation(where, "withdrawn", ["a record without a value"] * values.count(None)),
    ]


def compare_documents(
    where: str, expected: Mapping[str, Fields], found: Sequence[tuple[str, Fields]]
) -> list[Violation]:
    """Compare documents of Elasticsearch: each id once over all indices, with the same fields and values.

    Parameters
    ----------
    where
        What the violations name.
    expected
        Documents by id.
    found
        Ids and documents.
    """
    return [
        *_compare_ids(where, expected.keys(), Counter(document_id for document_id, _ in found)),
        *_compare_content(where, expected, found),
    ]


def check_dead_letters(letters: Sequence[tuple[Mapping[str, str], bytes]]) -> list[Violation]:
    """Report every dead letter: a readable day has none."""
    reasons = [f"{headers.get('service')}: {headers.get('error')}" for headers, _ in letters]
    return _violation("topic dead-letters", "unexpected", reasons)


def check_logs(logs: Mapping[str, Iterable[Fields]]) -> list[Violation]:
    """Report trades that a detector called late: each came in order, so none was.

    Parameters
    ----------
    logs
        Log entries by the log's name.
    """
    late = [
        f"{name}: {entry['late_trades']:,} late trades"
        for name, entries in logs.items()
        for entry in entries
        if entry.get("late_trades")
    ]
    return _violation("logs", "late trades", late)


def _compare_ids(where: str, expected: Iterable[str], found: Mapping[str, int]) -> list[Violation]:
    wanted = set(expected)
    return [
        *_violation(where, "lost", sorted(wanted - found.keys())),
        *_violation(where, "doubled", [f"{one} {count} times" for one, count in found.items() if count > 1]),
        *_violation(where, "unknown", sorted(found.keys() - wanted)),
    ]


def _compare_content(
    where: str, expected: Mapping[str, Fields], found: Iterable[tuple[str, Fields]]
) -> list[Violation]:
    different = []
    for document_id, fields in found:
        wanted = expected.get(document_id)
        if wanted is not None and (names := _differing_fields(wanted, fields)):
            different.append(f"{document_id} ({'; '.join(names)})")
    return _violation(where, "different", different)


def _compare_order(where: str, expected: Sequence[Trade], order: Mapping[str, list[str]]) -> list[Violation]:
    """Compare the order in which each symbol's trades came first, leaving aside what is lost or unknown."""
    wanted: dict[str, list[str]] = {}
    for trade in expected:
        wanted.setdefault(trade.symbol, []).append(trade.trade_id)
    swapped = []
    for symbol, ids in order.items():
        known, present = set(wanted.get(symbol, [])), set(ids)
        should = [trade_id for trade_id in wanted.get(symbol, []) if trade_id in present]
        came = [trade_id for trade_id in ids if trade_id in known]
        swapped += [
            f"{symbol}: {there} where {here} belongs"
            for here, there in zip(should, came, strict=True)
            if here != there
        ]
    return _violation(where, "out of order", swapped)


def _differing_fields(wanted: Fields, found: Fields) -> list[str]:
    """Describe what differs between two documents, `detected_at` aside."""
    if _bytes(wanted) == _bytes(found):
        return []
    names = [name for name in dict.fromkeys([*wanted, *found]) if name != "detected_at"]
    differing = [
        f"{name}: {_short(found, name)} instead of {_short(wanted, name)}"
        for name in names
        if _bytes({name: wanted.get(name)}) != _bytes({name: found.get(name)})
        or (name in wanted) != (name in found)
    ]
    return differing or ["the order of its fields"]


def _bytes(fields: Fields) -> bytes:
    return orjson.dumps({name: value for name, value in fields.items() if name != "detected_at"})


def _short(fields: Fields, name: str) -> str:
    if name not in fields:
        return "nothing"
    text = orjson.dumps(fields[name]).decode()
    return text if len(text) <= 60 else f"{text[:59]}…"


def _difference(wanted: Trade, key: bytes | None, value: bytes) -> str:
    if value == wanted.value:
        return f"key {key!r}"
    return "; ".join(_differing_fields(orjson.loads(wanted.value), orjson.loads(value))) or "other bytes"


def _violation(where: str, kind: str, items: Sequence[str]) -> list[Violation]:
    return [Violation(where, kind, len(items), tuple(items[:EXAMPLES]))] if items else []
