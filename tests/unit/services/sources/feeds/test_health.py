from dataclasses import replace

import pytest

from services.common.observability.samples import to_samples
from services.sources.feeds.health import HEALTHY, STALLED_AFTER_S, FeedHealth, FeedStatus, feeds_health

SCRAPED = """
tapewatch_feed_connected{venue="coinbase"} 1.0
tapewatch_feed_last_record_age_seconds{venue="coinbase"} 0.4
tapewatch_feed_lag_seconds{venue="coinbase"} 2.5
tapewatch_feed_reconnects_total{venue="coinbase",reason="closed"} 1.0
tapewatch_feed_reconnects_total{venue="coinbase",reason="no record for 10 s"} 3.0
tapewatch_feed_gaps_open{venue="coinbase"} 0.0
tapewatch_feed_fill_stalled_seconds{venue="coinbase"} 0.5
tapewatch_feed_history_failures_total{venue="coinbase",reason="HTTP 503"} 2.0
tapewatch_feed_gaps_total{venue="coinbase",state="gap_opened"} 5.0
tapewatch_feed_gaps_total{venue="coinbase",state="gap_filled"} 4.0
tapewatch_feed_gaps_total{venue="coinbase",state="gap_lost"} 1.0
tapewatch_feed_gap_prints_total{venue="coinbase",state="gap_filled"} 120.0
tapewatch_feed_gap_prints_total{venue="coinbase",state="gap_lost"} 7.0
tapewatch_feed_repeats_total{venue="coinbase",origin="live"} 2.0
tapewatch_feed_repeats_total{venue="coinbase",origin="history"} 9.0
tapewatch_feed_held_trades{venue="coinbase"} 3.0
tapewatch_feed_connected{venue="alpaca:iex"} 0.0
"""
LIVE = feeds_health(to_samples(SCRAPED))[1]


def test_a_feeds_numbers_are_its_own() -> None:
    away, live = feeds_health(to_samples(SCRAPED))
    assert live == FeedHealth(
        *("coinbase", True, 0.4, 2.5),
        {"no record for 10 s": 3, "closed": 1},
        0,
        0.5,
        {"HTTP 503": 2},
        *(4, 1, 120, 7, 3, 11, 0),
    )
    assert (away.venue, away.status, away.print_age_s) == ("alpaca:iex", FeedStatus.AWAY, None)


def test_a_service_without_a_feed_has_none() -> None:
    assert feeds_health(to_samples("tapewatch_scored_trades_total 1.0")) == ()


@pytest.mark.parametrize(
    ("changed", "status"),
    [
        ({}, FeedStatus.LIVE),
        ({"print_age_s": 3600.0}, FeedStatus.QUIET),
        ({"print_age_s": 3600.0, "record_age_s": 3600.0}, FeedStatus.SILENT),
        ({"gaps_open": 1}, FeedStatus.FILLING),
        ({"gaps_open": 1, "fill_stalled_s": STALLED_AFTER_S - 1}, FeedStatus.FILLING),
        ({"gaps_open": 1, "fill_stalled_s": STALLED_AFTER_S}, FeedStatus.STALLED),
        ({"print_age_s": None}, FeedStatus.WAITING),
        ({"is_connected": False}, FeedStatus.AWAY),
    ],
)
def test_a_quiet_market_is_another_thing_than_a_silent_connection(
    changed: dict[str, object], status: FeedStatus
) -> None:
    assert replace(LIVE, **changed).status == status  # type: ignore[arg-type]


def test_what_misses_prints_for_good_is_not_healthy() -> None:
    unhealthy = set(FeedStatus) - set(HEALTHY)
    assert unhealthy == {FeedStatus.STALLED, FeedStatus.SILENT, FeedStatus.AWAY}
