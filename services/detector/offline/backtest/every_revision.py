"""The anomalies of past trades as the live detector publishes them: every revision, in order."""

import datetime as dt
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from rich.console import Console

from services.contracts.anomaly import anomaly_json
from services.detector.engine.engine import Engine
from services.detector.offline.backtest.run import progress_bar
from services.detector.offline.decode import decode_chunk
from services.detector.profiles.profile import load_profile
from services.sources.base import Source


class Published(NamedTuple):
    """An anomaly, or a revision of one.

    Parameters
    ----------
    value
        Its JSON.
    brought_ns
        Event time of the trade that brings it, ns since 1970.
    """

    value: bytes
    brought_ns: int


def every_revision(sources: Sequence[Source], profile_name: str | None) -> Iterator[Published]:
    """Yield the anomalies of trades; progress goes to stderr.

    Parameters
    ----------
    sources
        Where the trades come from, in the order of their times.
    profile_name
        Name of a built-in profile, or a file; None for the default.

    Raises
    ------
    TapewatchError
        A file has no valid trades, or the profile is invalid.
    """
    engine = Engine(load_profile(profile_name))
    console = Console(stderr=True)
    trades = rejected = 0
    with progress_bar(console) as bar:
        for source in sources:
            task = bar.add_task(source.name, total=source.size)
            for chunk in source.chunks():
                decoded = decode_chunk(source, chunk, engine.time_zone)
                now = dt.datetime.now(dt.UTC)
                for at, anomaly, origin in engine.detect_columns(decoded.columns, decoded.prints):
                    yield Published(anomaly_json(origin, anomaly, now), int(decoded.columns.event_ns[at]))
                trades += len(decoded.trades)
                rejected += decoded.rejected
                description = f"{source.name}: {trades:,} trades"
                bar.update(task, completed=chunk.position, description=description)
    if rejected:
        console.print(f"Rows that are no trades, left out: {rejected:,}.", style="yellow")
