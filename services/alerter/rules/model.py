"""What a rules file says: which anomalies are told, how they are grouped, and where they are sent."""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any, Literal

from services.contracts.anomaly import Severity

SEVERITIES = tuple(Severity)
"""From the least urgent to the most."""

GroupBy = Literal["label", "family", "none"]


def rank(severity: Severity) -> int:
    """Return how urgent a severity is, 0 for the least."""
    return SEVERITIES.index(severity)


@dataclass(frozen=True)
class Match:
    """Which anomalies a rule is about: those that fit every condition; an empty one fits all.

    Parameters
    ----------
    symbols
        Names, or patterns with `*` and `?`.
    labels, families
        One of the anomaly's labels must be among them, or be of one of the families, by their titles.
    severity
        The floor: anomalies as urgent as that and more; never `info`.
    score
        The least score, 0 to 1.
    venues
        Of the trade's `venue`, or of its `source` where it has none; patterns as of symbols.
    sessions
        Parts of the exchange's day: `pre`, `regular`, `post`; empty for all, and for markets without a close.
    """

    symbols: tuple[str, ...] = ()
    labels: frozenset[str] = frozenset()
    families: frozenset[str] = frozenset()
    severity: Severity = Severity.LOW
    score: float = 0.0
    venues: tuple[str, ...] = ()
    sessions: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Hours:
    """When a route sends.

    Parameters
    ----------
    days
        Weekdays, 0 for Monday.
    start, end
        Local times; an end at or before the start is on the next day.
    time_zone
        Name in the IANA database.
    """

    days: frozenset[int]
    start: dt.time
    end: dt.time
    time_zone: str


@dataclass(frozen=True)
class Route:
    """One channel of a rule.

    Parameters
    ----------
    channel
        Its name in the file.
    severity
        Alerts as urgent as that and more are sent there.
    hours
        None for always.
    """

    channel: str
    severity: Severity = Severity.LOW
    hours: Hours | None = None


@dataclass(frozen=True)
class Rule:
    """One rule; an anomaly that fits several is in an alert of each.

    Parameters
    ----------
    name
        Unique in the file; part of its alerts' ids.
    match
        Which anomalies.
    group_by
        What anomalies of one alert share besides the symbol: their first label, its family, or nothing.
    quiet_s
        An anomaly belongs to the open alert if it is at most so long after its last one, in seconds.
    inhibited_by
        While an alert of that severity or more is open on the symbol, less urgent ones are not sent; None for
        never.
    send
        Where it is sent.
    """

    name: str
    match: Match
    group_by: GroupBy
    quiet_s: float
    inhibited_by: Severity | None
    send: tuple[Route, ...]


@dataclass(frozen=True)
class ChannelSpec:
    """A channel as the file describes it.

    Parameters
    ----------
    name
        How routes name it.
    kind
        A key of `services.alerter.channels.registry.CHANNELS`.
    options
        What else is said of it, checked by its kind.
    budget_per_hour
        How many messages it sends in an hour at most, digests aside; None for any number.
    """

    name: str
    kind: str
    options: Mapping[str, Any]
    budget_per_hour: int | None = None


@dataclass(frozen=True)
class Rules:
    """A whole file.

    Parameters
    ----------
    rules
        In their order.
    channels
        By name.
    hash
        16 hexadecimal digits of the rules without the channels: what decides which alerts there are.
    """

    rules: tuple[Rule, ...]
    channels: Mapping[str, ChannelSpec]
    hash: str


def fits_one(patterns: tuple[str, ...], text: str) -> bool:
    """Tell whether a text is one of the names or patterns, or there are none."""
    return not patterns or any(fnmatchcase(text, pattern) for pattern in patterns)
