"""Which anomalies the demo shows: the highest scores of each label, one for each event."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from services.common.terminal import Striking
from services.contracts.anomaly import Severity

EVENT_S = 1.0
"""Anomalies of one symbol that are no further apart than this count as one event."""

PER_LABEL = 2
SHOWN = 12
"""The table stays on a screen."""


def one_per_event(documents: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Choose what the table shows.

    Parameters
    ----------
    documents
        Anomalies as indexed, in any order.

    Returns
    -------
    list of dict
        The highest score first, `SHOWN` at most, `PER_LABEL` of a label at most; of several within `EVENT_S`
        on one symbol only the highest.
    """
    shown: list[dict[str, Any]] = []
    of_label: dict[str, int] = {}
    for document in sorted(documents, key=lambda one: (-one["score"], one["@timestamp"], one["trade_id"])):
        label = label_of(document)
        if of_label.get(label, 0) < PER_LABEL and not any(_is_same_event(document, one) for one in shown):
            of_label[label] = of_label.get(label, 0) + 1
            shown.append(document)
    return shown[:SHOWN]


def worst_severity(counts: dict[str, int]) -> Severity | None:
    """Return the most urgent severity that anomalies have; None without anomalies."""
    return next((severity for severity in reversed(Severity) if counts.get(severity)), None)


def label_of(document: dict[str, Any]) -> str:
    """Return the label under which an anomaly is listed."""
    labels: Sequence[str] = document["anomalies"]
    return labels[0]


def as_striking(document: dict[str, Any]) -> Striking:
    """Return an anomaly's document as a row of the table of striking anomalies."""
    time_utc = document["@timestamp"][:23].replace("T", " ")
    return Striking(
        label=label_of(document),
        symbol=document["symbol"],
        time=f"{time_utc} UTC",
        price=document["price"],
        size=document["size"],
        score=document["score"],
        severity=Severity(document["severity"]),
        message=document["message"],
    )


def _is_same_event(one: dict[str, Any], other: dict[str, Any]) -> bool:
    if one["symbol"] != other["symbol"]:
        return False
    times = [datetime.fromisoformat(document["@timestamp"]) for document in (one, other)]
    return abs((times[0] - times[1]).total_seconds()) <= EVENT_S
