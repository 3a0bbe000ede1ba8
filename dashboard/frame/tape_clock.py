"""The words of the clock in the header: how far the tape is, and whether it stands still."""

import datetime as dt
from dataclasses import dataclass
from enum import StrEnum

from dashboard.frame.arrivals import Arrival
from dashboard.server.tape_end import TapeEnd
from dashboard.ui.time_ranges import LIVE_WITHIN, ago
from dashboard.ui.times import format_time
from dashboard.ui.zone import zone

BEHIND = dt.timedelta(minutes=2)
"""A live tape is no further behind; one whose newest trade is older stands still, or is late."""

ARRIVING = dt.timedelta(seconds=20)
"""So long after the last new trades, trades count as arriving."""


class Tone(StrEnum):
    """How urgent the clock's words are."""

    CALM = "calm"
    LATE = "late"
    AWAY = "away"


@dataclass(frozen=True)
class TapeClock:
    """What the clock says."""

    text: str
    tone: Tone


AWAY = TapeClock("Elasticsearch does not answer", Tone.AWAY)


def tape_clock(end: TapeEnd, arrival: Arrival, now: dt.datetime) -> TapeClock:
    """Say how far the tape is.

    A tape is live while its newest trade is less than `LIVE_WITHIN` old: it was within minutes of the clock
    lately. One that is older, or is dated ahead as settings allow, is a replay while trades arrive, and else
    over.

    Parameters
    ----------
    end
        Where it ends.
    arrival
        When trades last arrived.
    now
        UTC.
    """
    if end.newest is None:
        return TapeClock("no trades yet", Tone.CALM)
    age = now - end.newest
    behind = ago(age.total_seconds())
    is_arriving = arrival.trades > 0 and now - arrival.at <= ARRIVING
    if abs(age) < BEHIND:
        return TapeClock(f"{behind} behind", Tone.CALM)
    if BEHIND <= age < LIVE_WITHIN:
        return TapeClock(f"{behind} behind" if is_arriving else f"no trade for {behind}", Tone.LATE)
    local = end.newest.astimezone(zone().zone)
    day = f"{local.day} {local:%B %Y}"
    return TapeClock(f"replaying {day}" if is_arriving else f"last trade {day}", Tone.CALM)


def details(end: TapeEnd, arrival: Arrival, now: dt.datetime) -> list[tuple[str, str]]:
    """Return what is behind the clock's words: a name and a text each."""
    since = ago((now - arrival.at).total_seconds())
    rows = [
        ("Newest trade", _when(end.newest, now)),
        ("Trades", f"{end.trades:,}"),
        (
            "Last indexed",
            f"{since} ago ({arrival.trades:,} {'trade' if arrival.trades == 1 else 'trades'})"
            if arrival.trades
            else f"nothing new since this dashboard first looked, {since} ago",
        ),
        ("Newest anomaly", _when(end.newest_anomaly, now)),
        ("Last detected", _ago(end.newest_detection, now)),
        ("Dated in the future", end.future and f"{format_time(end.future)}: not counted here"),
    ]
    return [(name, text) for name, text in rows if text]


def _when(time: dt.datetime | None, now: dt.datetime) -> str:
    return f"{format_time(time)}, {_ago(time, now)}" if time else ""


def _ago(time: dt.datetime | None, now: dt.datetime) -> str:
    return f"{ago((now - time).total_seconds())} ago" if time else ""
