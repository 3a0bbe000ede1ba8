"""Compares what an engine published with what it had to publish."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import orjson

from services.common.kafka.records import Record

Key = tuple[str, int]
"""Id of the trade, and the revision where something grows."""

Rows = Mapping[Key, Mapping[str, object]]


@dataclass(frozen=True)
class Differences:
    """How an output differs from the one wanted; all 0 if it does not.

    Parameters
    ----------
    lost
        Rows wanted that did not come.
    doubled
        Rows that came again, each time counted.
    different
        Names whose rows are not all as wanted, or that nobody wanted.
    """

    lost: int
    doubled: int
    different: int


def compare(wanted: Rows, found: Sequence[tuple[Key, Mapping[str, object]]]) -> Differences:
    """Compare an output with the one wanted; the order does not count.

    Parameters
    ----------
    wanted
        Rows by name.
    found
        Rows with their names, as published.
    """
    times = Counter(key for key, _ in found)
    wrong = {key for key, row in found if key not in wanted or row != wanted[key]}
    return Differences(
        lost=len(wanted.keys() - times.keys()),
        doubled=sum(count - 1 for count in times.values()),
        different=len(wrong),
    )


def trade_rows(records: Sequence[Record]) -> list[tuple[Key, Mapping[str, object]]]:
    """Return trades with their ids; the form of their JSON does not count, a field that is null is none."""
    rows: list[tuple[Key, Mapping[str, object]]] = []
    for record in records:
        fields = orjson.loads(record.value() or b"{}")
        kept = {name: value for name, value in fields.items() if value is not None}
        rows.append(((str(fields.get("trade_id")), 1), kept))
    return rows


def large_trades(records: Iterable[Record], threshold_shares: int) -> list[Record]:
    """Return the records of trades larger than a threshold."""
    return [record for record in records if orjson.loads(record.value() or b"{}")["size"] > threshold_shares]
