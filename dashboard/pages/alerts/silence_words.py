"""Silences in the words of the page; as HTML, what comes from the data is only text."""

import datetime as dt
from collections.abc import Mapping, Sequence
from html import escape

import pandas as pd

from dashboard.ui.zone import zone
from services.alerter.silencing.silences import seconds_left
from services.alerter.silencing.words import duration_text, matcher_text
from services.contracts.alert import Silence

_FAINT = "opacity:0.65"
_MINUTE_S = 60


def silence_html(silence: Silence, held_back: int, now: dt.datetime) -> str:
    """Return what a silence in force is about, why, until when, and what it has held back."""
    count = f"{held_back:,} held back" if held_back else "nothing held back yet"
    return (
        '<div style="line-height:1.45;overflow-wrap:anywhere">'
        f"<b>{escape(matcher_text(silence.matcher))}</b>"
        f"<div>{escape(silence.reason)}</div>"
        f'<div style="{_FAINT};font-size:0.85rem">until {minute(silence.expires_at)} {escape(zone().city)}, '
        f"{left_text(silence, now)} left · by {escape(silence.author)} · {count}</div></div>"
    )


def left_text(silence: Silence, now: dt.datetime) -> str:
    """Return how long a silence lasts yet, such as `1h30m`; to the minute, and not less than one."""
    left_s = max(seconds_left(silence, now.timestamp()), _MINUTE_S)
    return duration_text(left_s // _MINUTE_S * _MINUTE_S)


def to_ended_table(silences: Sequence[Silence], held_back: Mapping[str, int]) -> pd.DataFrame:
    """Lay silences that are over out under the headings that a person sees, in the same order."""
    return pd.DataFrame(
        {
            "Alerts": [matcher_text(one.matcher) for one in silences],
            "Reason": [one.reason for one in silences],
            "Held back": [held_back.get(one.silence_id, 0) for one in silences],
            f"From ({zone().city})": [minute(one.timestamp) for one in silences],
            f"Until ({zone().city})": [minute(one.expires_at) for one in silences],
            "Author": [one.author for one in silences],
            "Ended by": [one.expired_by or "" for one in silences],
        }
    )


def minute(time: str) -> str:
    """Write a time of a silence to the minute, by the chosen clock: `2026-01-01 12:00`."""
    return f"{dt.datetime.fromisoformat(time).astimezone(zone().zone):%Y-%m-%d %H:%M}"
