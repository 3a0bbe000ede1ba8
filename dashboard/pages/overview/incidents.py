"""Incidents: anomalies of several symbols in one moment, which are one thing that happened."""

from collections.abc import Iterable
from dataclasses import dataclass

from services.contracts.anomaly import Severity

MIN_SYMBOLS = 3
WITHIN_NS = 1_000_000_000
"""Anomalies of `MIN_SYMBOLS` symbols within so long are an incident."""

_RANKS = {str(severity): rank for rank, severity in enumerate(Severity)}


@dataclass(frozen=True, order=True)
class Sighting:
    """When an anomaly of a symbol was, and how severe it is."""

    at_ns: int
    """Nanoseconds since 1970."""
    trade_id: str
    symbol: str
    severity: str


@dataclass(frozen=True)
class Incident:
    """Anomalies of several symbols in one moment."""

    first_ns: int
    last_ns: int
    """Times of its first and its last anomaly, nanoseconds since 1970; at most `WITHIN_NS` apart."""
    symbols: tuple[str, ...]
    """In the order of their first anomaly, `MIN_SYMBOLS` at least."""
    anomalies: int
    worst: str
    """The highest severity of its anomalies."""


def find_incidents(sightings: Iterable[Sighting]) -> list[Incident]:
    """Return the incidents, the worst first; no anomaly belongs to two.

    An incident begins with the earliest anomaly after which there are anomalies of enough symbols, and has
    all anomalies of `WITHIN_NS` from there on.

    Parameters
    ----------
    sightings
        In any order.
    """
    ordered = sorted(sightings)
    found = []
    first = 0
    end = 0
    while first < len(ordered):
        end = max(end, first)
        while end < len(ordered) and ordered[end].at_ns - ordered[first].at_ns <= WITHIN_NS:
            end += 1
        moment = ordered[first:end]
        symbols = tuple(dict.fromkeys(one.symbol for one in moment))
        if len(symbols) < MIN_SYMBOLS:
            first += 1
            continue
        worst = max((one.severity for one in moment), key=_RANKS.__getitem__)
        found.append(Incident(moment[0].at_ns, moment[-1].at_ns, symbols, len(moment), worst))
        first = end
    return sorted(found, key=lambda one: (-_RANKS[one.worst], -len(one.symbols), -one.first_ns))
