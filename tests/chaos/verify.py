"""Compares the results of a run with those of an undisturbed run; each comparison lists its violations."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from services.contracts.indices import ANOMALIES_INDEX_PREFIX, TRADES_INDEX_PREFIX
from tests.narrow import present

EXAMPLES = 5

Fields = Mapping[str, Any]


@dataclass(frozen=True)
class Violation:
    """A difference from the expected result.

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


@dataclass(frozen=True)
class Record:
    """A committed record of a topic.

    Parameters
    ----------
    partition, offset
        Where it is.
    key, value
        What it is.
    trade_offset
        The header of that name, which an anomaly has.
    """

    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    trade_offset: bytes | None = None


@dataclass(frozen=True)
class Document:
    """A document in Elasticsearch."""

    index: str
    document_id: str
    fields: Fields


def compare_trades(expected: Sequence[Trade], published: Sequence[Record]) -> list[Violation]:
    """Compare the topic `trades` with the file: every trade once, the same bytes, in order by symbol.

    Parameters
    ----------
    expected
        The file's trades, in its order.
    published
        The committed records, in the order of their partition.
    """
    where = "topic trades"
    wanted = {trade.trade_id: trade for trade in expected}
    found: dict[str, list[Record]] = {}
    order: dict[str, list[str]] = {}
    for record in published:
        fields = orjson.loads(present(record.value))
        if fields["trade_id"] not in found:
            order.setdefault(fields["symbol"], []).append(fields["trade_id"])
        found.setdefault(fields["trade_id"], []).append(record)
    different = [
        f"{trade_id} ({_difference(wanted[trade_id], record)})"
        for trade_id, records in found.items()
        if trade_id in wanted
        for record in records
        if record.value != wanted[trade_id].value or record.key != wanted[trade_id].symbol.encode()
    ]
    return [
        *_compare_ids(where, wanted.keys(), {trade_id: len(records) for trade_id, records in found.items()}),
        *_violation(where, "different", different),
        *_compare_order(where, expected, order),
    ]


def compare_anomalies(expected: Mapping[str, Fields], published: Sequence[Record]) -> list[Violation]:
    """Compare the topic `anomalies` with a backtest's: each with the same content but `detected_at`, once.

    One that grows has revisions from 1, without a gap, in their order, of which the backtest has the last.

    Parameters
    ----------
    expected
        Anomalies by `trade_id`.
    published
        The committed records, in the order of their partition; one without a value withdraws an anomaly,
        which only a reset may do.
    """
    where = "topic anomalies"
    found: dict[str, list[Fields]] = {}
    for record in published:
        if record.value is not None:
            fields = orjson.loads(record.value)
            found.setdefault(fields["trade_id"], []).append(fields)
    withdrawn = sum(record.value is None for record in published)
    counts: Counter[str] = Counter()
    disordered = []
    last: list[tuple[str, Fields]] = []
    for trade_id, revisions in found.items():
        numbers = [fields.get("revision", 1) for fields in revisions]
        last += [
            (trade_id, fields) for fields, one in zip(revisions, numbers, strict=True) if one == max(numbers)
        ]
        counts[trade_id] = max(Counter(numbers).values())
        if counts[trade_id] == 1 and numbers != list(range(1, len(numbers) + 1)):
            disordered.append(f"{trade_id}: {numbers}")
    return [
        *_compare_ids(where, expected.keys(), counts),
        *_violation(where, "revisions missing", disordered),
        *_compare_content(where, expected, last),
        *_violation(where, "withdrawn", ["a record without a value"] * withdrawn),
    ]


def compare_places(trades: Sequence[Record], anomalies: Sequence[Record]) -> list[Violation]:
    """Compare where each anomaly is with where its trade is: same key, same partition, the trade's offset.

    Parameters
    ----------
    trades, anomalies
        The topics' committed records. What is unknown or withdrawn is left to the other comparisons.
    """
    places: dict[str, set[tuple[int, bytes]]] = {}
    for record in trades:
        place = (record.partition, str(record.offset).encode())
        places.setdefault(orjson.loads(present(record.value))["trade_id"], set()).add(place)
    keys, partitions, offsets = [], [], []
    for record in anomalies:
        fields = orjson.loads(record.value or b"{}")
        trade_id = fields.get("trade_id")
        if trade_id not in places:
            continue
        if record.key != fields["symbol"].encode():
            keys.append(f"{trade_id}: key {record.key!r} instead of {fields['symbol'].encode()!r}")
        own = {partition for partition, _ in places[trade_id]}
        if record.partition not in own:
            partitions.append(f"{trade_id}: partition {record.partition} instead of {min(own)}")
        own_offsets = {offset for _, offset in places[trade_id]}
        if record.trade_offset not in own_offsets:
            offsets.append(f"{trade_id}: {record.trade_offset!r} instead of {min(own_offsets)!r}")
    where = "topic anomalies"
    return [
        *_violation(where, "wrong key", keys),
        *_violation(where, "wrong partition", partitions),
        *_violation(where, "wrong trade_offset", offsets),
    ]


def trades_index(fields: Fields) -> str:
    """Return the index in which a trade belongs: its day's in UTC."""
    day: str = fields["@timestamp"][: len("2024-12-02")]
    return TRADES_INDEX_PREFIX + day.replace("-", ".")


def anomalies_index(fields: Fields) -> str:
    """Return the index in which an anomaly belongs: its month's in UTC."""
    month: str = fields["@timestamp"][: len("2024-12")]
    return ANOMALIES_INDEX_PREFIX + month.replace("-", ".")


def compare_documents(
    where: str,
    expected: Mapping[str, Fields],
    found: Sequence[Document],
    index_of: Callable[[Fields], str],
) -> list[Violation]:
    """Compare documents of Elasticsearch: each id once over all indices, in its own, with the same values.

    Parameters
    ----------
    where
        What the violations name.
    expected
        Documents by id.
    found
        What is there.
    index_of
        Tells in which index an expected document belongs.
    """
    misplaced = [
        f"{one.document_id}: in {one.index} instead of {index_of(expected[one.document_id])}"
        for one in found
        if one.document_id in expected and one.index != index_of(expected[one.document_id])
    ]
    return [
        *_compare_ids(where, expected.keys(), Counter(one.document_id for one in found)),
        *_compare_content(where, expected, ((one.document_id, one.fields) for one in found)),
        *_violation(where, "wrong index", misplaced),
    ]


def check_dead_letters(letters: Sequence[tuple[Mapping[str, str], bytes | None]]) -> list[Violation]:
    """Report every dead letter: a readable day has none."""
    reasons = [f"{headers.get('service')}: {headers.get('error')}" for headers, _ in letters]
    return _violation("topic dead-letters", "unexpected", reasons)


def check_logs(logs: Mapping[str, Iterable[Fields]], late_trades: int) -> list[Violation]:
    """Report more late trades in the detectors' logs than the file has; a killed detector logs none.

    Parameters
    ----------
    logs
        Log entries by the log's name.
    late_trades
        How many the file has.
    """
    late = {
        name: count
        for name, entries in logs.items()
        if (count := sum(entry.get("late_trades", 0) for entry in entries))
    }
    if sum(late.values()) <= late_trades:
        return []
    counts = [f"{name}: {count:,}" for name, count in late.items()]
    return _violation("logs", f"more late trades than {late_trades:,}", counts)


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
    """Compare the order of each symbol's trades, ignoring lost, unknown and repeated ones."""
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
    """Describe the differences between two documents, except in `detected_at`."""
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


def _difference(wanted: Trade, found: Record) -> str:
    if found.value == wanted.value:
        return f"key {found.key!r}"
    differing = _differing_fields(orjson.loads(wanted.value), orjson.loads(present(found.value)))
    return "; ".join(differing) or "other bytes"


def _violation(where: str, kind: str, items: Sequence[str]) -> list[Violation]:
    return [Violation(where, kind, len(items), tuple(items[:EXAMPLES]))] if items else []
