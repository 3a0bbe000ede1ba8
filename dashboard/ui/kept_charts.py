"""Charts' specifications that are kept as JSON, one for all time ranges.

Between two refreshes only the data of a chart change, not its specification (scales, axes, layers). So the
browser replaces the data in the existing chart instead of building another one; and the
specification, which takes longer to make than anything else here, is made once: for another time range, only
the labels of its time axis are put in, and the ends where the data do not hold them.
"""

import datetime as dt
import json
from collections.abc import Callable
from functools import lru_cache, wraps
from typing import Any, TypeVarTuple

from dashboard.ui.time_ranges import TimeRange, clock_js
from dashboard.ui.zone import zone

Ts = TypeVarTuple("Ts")

CHARTS_KEPT = 100
"""Number of specifications kept of each kind, of about 10 kB each."""

START, END, LABELS = "<start>", "<end>", "<labels>"
"""Stand in them for what depends on the time range: the ends of the axis, and what writes its labels."""


def kept_by_clock(make: Callable[[*Ts], dict[str, Any]]) -> Callable[[*Ts], str]:
    """Keep the last `CHARTS_KEPT` specifications that a function made, each for its arguments and clock.

    They are kept, and returned, as JSON; see `on_time_axis`.
    """
    kept = lru_cache(maxsize=CHARTS_KEPT)(lambda _, arguments: json.dumps(make(*arguments)))

    @wraps(make)
    def keep(*arguments: *Ts) -> str:
        return kept(zone(), arguments)

    return keep


def on_time_axis(kept: str, time_range: TimeRange, finest: str = "%H:%M:%S.%L") -> dict[str, Any]:
    """Return a specification, from one that is kept and the time range that its time axes show.

    Parameters
    ----------
    kept
        As JSON, with `LABELS`; also with `START` and `END`, unless the data hold the ends.
    time_range
        The time range.
    finest
        How labels are written of less than fifteen seconds.
    """
    clock = "datum.value" if zone().is_utc else clock_js(time_range, zone())
    form = _clock_format(time_range, finest)
    for name, value in (
        (START, _epoch_ms(time_range.start)),
        (END, _epoch_ms(time_range.end)),
        # A day begins with its date; less than fifteen minutes need seconds, and seconds milliseconds.
        (LABELS, f"utcFormat({clock}, ({clock}) % 86400000 ? '{form}' : '%d %b')"),
    ):
        kept = kept.replace(json.dumps(name), json.dumps(value))
    spec: dict[str, Any] = json.loads(kept)
    return spec


def _clock_format(time_range: TimeRange, finest: str) -> str:
    length = time_range.end - time_range.start
    if length < dt.timedelta(seconds=15):
        return finest
    return "%H:%M:%S" if length < dt.timedelta(minutes=15) else "%H:%M"


def _epoch_ms(time: dt.datetime) -> float:
    return time.timestamp() * 1000
