"""What happened to a feed, as marks on the chart of prices: stretches of time, and moments."""

import datetime as dt
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import pandas as pd

from dashboard.ui.time_ranges import TimeRange


class FeedMarkKind(StrEnum):
    """What a mark says, as the legend has it."""

    HALTED = "Trading halted"
    AWAY = "Feed not connected"
    LOST = "Prints lost"
    FILLING = "Gap being filled"
    FILLED = "Gap filled"
    SLOW = "Reader too slow"


BANDS = {
    FeedMarkKind.HALTED: "#5c6f9c",
    FeedMarkKind.AWAY: "#c08a1e",
    FeedMarkKind.LOST: "#d1425b",
    FeedMarkKind.FILLING: "#3fa7a0",
}
"""Colours of stretches of time."""

TICKS = {FeedMarkKind.FILLED: "#3fa7a0", FeedMarkKind.SLOW: "#c08a1e"}
"""Colours of moments."""


@dataclass(frozen=True)
class _Open:
    """What has begun and not ended yet."""

    since: pd.Timestamp
    text: str


def feed_marks(
    events: Sequence[Mapping[str, Any]], sources: Collection[str], time_range: TimeRange, now: dt.datetime
) -> pd.DataFrame:
    """Turn events into marks.

    Parameters
    ----------
    events
        As indexed, in order of time; those of other feeds are left out.
    sources
        The field `source` of the trades that are shown.
    time_range
        What the chart shows; marks are cut to it, and others left out.
    now
        UTC; what has not ended lasts until then.

    Returns
    -------
    pandas.DataFrame
        A row for each mark, in order of time: `start`, `end` (UTC), `kind` and `text`.
    """
    marks: list[tuple[pd.Timestamp, pd.Timestamp, FeedMarkKind, str]] = []
    begun: dict[tuple[str, str, str | None], _Open] = {}
    for event in events:
        venue = event["venue"]
        if venue.partition(":")[0] not in sources:
            continue
        at, symbol, reason = pd.Timestamp(event["@timestamp"]), event.get("symbol"), event.get("reason") or ""
        match event["event"]:
            case "lost" | "silent":
                begun.setdefault((venue, "away", None), _Open(at, f"{venue}: {reason}"))
            case "connected":
                if (away := begun.pop((venue, "away", None), None)) is not None:
                    marks.append((away.since, at, FeedMarkKind.AWAY, away.text))
            case "halt":
                begun.setdefault((venue, "halt", symbol), _Open(at, reason or f"{venue} halted trading"))
            case "resume":
                if (halt := begun.pop((venue, "halt", symbol), None)) is not None:
                    marks.append((halt.since, at, FeedMarkKind.HALTED, halt.text))
            case "gap_opened":
                begun[venue, "gap", symbol] = _Open(at, _gap_text(event))
            case "gap_filled":
                gap = begun.pop((venue, "gap", symbol), None)
                since = gap.since if gap is not None else at
                marks.append((since, since, FeedMarkKind.FILLED, _gap_text(event)))
            case "gap_lost":
                gap = begun.pop((venue, "gap", symbol), None)
                start, end = _lost_span(event, gap.since if gap is not None else at, at)
                marks.append((start, end, FeedMarkKind.LOST, _gap_text(event)))
            case "slow_reader":
                marks.append((at, at, FeedMarkKind.SLOW, f"{venue}: {reason}"))
    kinds = {"away": FeedMarkKind.AWAY, "halt": FeedMarkKind.HALTED, "gap": FeedMarkKind.FILLING}
    until = pd.Timestamp(now)
    marks += [
        (one.since, max(one.since, until), kinds[kind], one.text) for (_, kind, _), one in begun.items()
    ]
    first, last = pd.Timestamp(time_range.start), pd.Timestamp(time_range.end)
    inside = [
        (max(start, first), min(end, last), kind, text)
        for start, end, kind, text in marks
        if end >= first and start < last
    ]
    frame = pd.DataFrame(sorted(inside), columns=["start", "end", "kind", "text"])
    for name in ("start", "end"):
        frame[name] = pd.to_datetime(frame[name], utc=True)
    return frame


def _lost_span(
    event: Mapping[str, Any], since: pd.Timestamp, at: pd.Timestamp
) -> tuple[pd.Timestamp, pd.Timestamp]:
    """Return when lost prints were traded, as the event says; without times, when they were missed."""
    ends = [event.get(name) for name in ("from", "to")]
    start, end = (pd.Timestamp(one) if isinstance(one, str) else None for one in ends)
    return start or since, end or at


def _gap_text(event: Mapping[str, Any]) -> str:
    count, reason = event.get("count"), event.get("reason")
    prints = "prints" if count is None else f"{count:,} print{'' if count == 1 else 's'}"
    said = f"{event['venue']}: {prints}"
    return f"{said}, {reason}" if reason else said
