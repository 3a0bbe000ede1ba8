"""State of live feeds, from the metrics of the service that reads them; for whoever shows it."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from services.common.observability.samples import Samples

SILENT_AFTER_S = 60.0
"""A connection without a record for so long is silent. Venues send heartbeats more often than that; where one
sends none, the feed asks the venue's history, and counts an answer without newer prints as a record."""

STALLED_AFTER_S = 120.0
"""A question to history that has brought no newer print for so long will hardly fill its gap: pages take a
minute at most, and a venue that is busy asks for two minutes at most."""

QUIET_AFTER_S = 60.0
"""Without a print for so long a market is quiet."""


class FeedStatus(StrEnum):
    """How a feed is; a quiet market is healthy, a silent connection or a fill that stands still is not."""

    LIVE = "live"
    QUIET = "quiet market"
    WAITING = "no print yet"
    FILLING = "filling gaps"
    STALLED = "gaps not filled"
    SILENT = "silent connection"
    AWAY = "not connected"


HEALTHY = (FeedStatus.LIVE, FeedStatus.QUIET, FeedStatus.WAITING, FeedStatus.FILLING)


@dataclass(frozen=True)
class FeedHealth:
    """One feed.

    Parameters
    ----------
    venue
        Its name, such as `coinbase`.
    is_connected
        Whether it is connected now.
    record_age_s
        Time since the last record of any kind.
    print_age_s
        Now minus the tape time of the newest print; None before the first.
    reconnects
        Connections that ended without being asked to, by reason, the most frequent first.
    gaps_open
        Symbols for which history is being asked.
    fill_stalled_s
        Longest time for which a question to history has brought no newer print.
    history_failures
        Questions to history that had to be asked again, by reason, the most frequent first.
    gaps_filled, gaps_lost
        Gaps since the start, by what became of them.
    prints_filled, prints_lost
        Prints in them, where known.
    held
        Live prints held back while history is asked.
    repeats
        Prints that came again and were dropped.
    unknown_conditions
        Prints with a sale condition that nobody knows.
    """

    venue: str
    is_connected: bool
    record_age_s: float
    print_age_s: float | None
    reconnects: Mapping[str, int]
    gaps_open: int
    fill_stalled_s: float
    history_failures: Mapping[str, int]
    gaps_filled: int
    gaps_lost: int
    prints_filled: int
    prints_lost: int
    held: int
    repeats: int
    unknown_conditions: int

    @property
    def status(self) -> FeedStatus:
        """How it is."""
        if not self.is_connected:
            return FeedStatus.AWAY
        if self.record_age_s >= SILENT_AFTER_S:
            return FeedStatus.SILENT
        if self.gaps_open:
            return FeedStatus.FILLING if self.fill_stalled_s < STALLED_AFTER_S else FeedStatus.STALLED
        if self.print_age_s is None:
            return FeedStatus.WAITING
        return FeedStatus.QUIET if self.print_age_s >= QUIET_AFTER_S else FeedStatus.LIVE


def feeds_health(samples: Samples) -> tuple[FeedHealth, ...]:
    """Return the feeds of a service, sorted by name; empty for a service that reads none."""
    venues = {labels["venue"] for labels, _ in samples.get("tapewatch_feed_connected", ())}
    return tuple(_feed_health(samples, venue) for venue in sorted(venues))


def _feed_health(samples: Samples, venue: str) -> FeedHealth:
    def values(name: str) -> list[tuple[dict[str, str], float]]:
        found = samples.get(f"tapewatch_feed_{name}", [])
        return [(labels, value) for labels, value in found if labels.get("venue") == venue]

    def total(name: str, **wanted: str) -> int:
        return int(sum(value for labels, value in values(name) if wanted.items() <= labels.items()))

    def reasons(name: str) -> dict[str, int]:
        found = {labels["reason"]: int(value) for labels, value in values(name)}
        return dict(sorted(found.items(), key=lambda one: -one[1]))

    ages = [value for _, value in values("lag_seconds")]
    return FeedHealth(
        venue=venue,
        is_connected=total("connected") > 0,
        record_age_s=sum(value for _, value in values("last_record_age_seconds")),
        print_age_s=ages[0] if ages else None,
        reconnects=reasons("reconnects_total"),
        gaps_open=total("gaps_open"),
        fill_stalled_s=sum(value for _, value in values("fill_stalled_seconds")),
        history_failures=reasons("history_failures_total"),
        gaps_filled=total("gaps_total", state="gap_filled"),
        gaps_lost=total("gaps_total", state="gap_lost"),
        prints_filled=total("gap_prints_total", state="gap_filled"),
        prints_lost=total("gap_prints_total", state="gap_lost"),
        held=total("held_trades"),
        repeats=total("repeats_total"),
        unknown_conditions=total("unknown_conditions_total"),
    )
