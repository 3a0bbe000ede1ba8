"""The part of the pipeline page about live feeds: how each is, and what happened to them last."""

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import pandas as pd
import streamlit as st

from dashboard.server.elastic import search
from dashboard.ui.times import format_times
from dashboard.ui.zone import zone
from services.common.durations import duration_text
from services.common.elastic.client import Elasticsearch
from services.contracts.indices import FEED_EVENTS_INDICES
from services.sources.feeds.health import HEALTHY, FeedHealth, FeedStatus

MAX_EVENTS = 50
EVENTS_HEIGHT = 250

_BADGES: Mapping[FeedStatus, tuple[Literal["green", "blue", "orange", "red", "gray"], str]] = {
    FeedStatus.LIVE: ("green", ":material/bolt:"),
    FeedStatus.QUIET: ("green", ":material/bedtime:"),
    FeedStatus.WAITING: ("gray", ":material/hourglass_empty:"),
    FeedStatus.FILLING: ("blue", ":material/sync:"),
    FeedStatus.STALLED: ("red", ":material/sync_problem:"),
    FeedStatus.SILENT: ("red", ":material/volume_off:"),
    FeedStatus.AWAY: ("red", ":material/link_off:"),
}

EXPLANATIONS = {
    FeedStatus.LIVE: "Prints are coming.",
    FeedStatus.QUIET: "The connection is alive; nobody trades at the moment.",
    FeedStatus.WAITING: "Connected; no print has come yet.",
    FeedStatus.FILLING: "Live prints wait while missing ones are read from the venue's history.",
    FeedStatus.STALLED: "Live prints wait, but history does not bring what is missing. It is asked again.",
    FeedStatus.SILENT: "Connected, but no record of any kind comes: the feed is about to connect again.",
    FeedStatus.AWAY: "The feed connects again after growing waits; what it misses is read from history then.",
}


def show_feeds(feeds: Sequence[FeedHealth]) -> None:
    """Show a card for each feed."""
    for feed in feeds:
        with st.container(border=True):
            _show_feed(feed)


def _show_feed(feed: FeedHealth) -> None:
    color, icon = _BADGES[feed.status]
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(f"**`{feed.venue}`**", width="content")
        st.badge(str(feed.status), color=color, icon=icon)
        st.caption(EXPLANATIONS[feed.status], width="stretch")
    with st.container(horizontal=True):
        for name, value, note in numbers(feed):
            with st.container(width="stretch", gap=None):
                st.metric(name, value)
                st.caption(note or "\u00a0")
    if feed.status not in HEALTHY:
        for title, reasons in (
            ("Connections ended so far", feed.reconnects),
            ("Questions to history that failed so far", feed.history_failures),
        ):
            if reasons:
                listed = [f"{reason} ({count:,})" for reason, count in reasons.items()]
                st.text(f"{title}: {', '.join(listed[:5])}")


def numbers(feed: FeedHealth) -> list[tuple[str, str, str]]:
    """Return a feed's numbers: name, value, and a note below."""
    reconnects = sum(feed.reconnects.values())
    main_reason = next(iter(feed.reconnects), "")
    return [
        (
            "Last record",
            age(feed.record_age_s),
            "of any kind, ago" if feed.is_connected else "before the end",
        ),
        ("Newest print", age(feed.print_age_s), "ago, by the tape's clock"),
        ("Reconnects", f"{reconnects:,}", f"mostly: {main_reason}" if main_reason else "since its start"),
        ("Gaps open", f"{feed.gaps_open:,}", f"{feed.held:,} prints held back"),
        ("Gaps filled", f"{feed.gaps_filled:,}", f"{feed.prints_filled:,} prints"),
        ("Gaps lost", f"{feed.gaps_lost:,}", f"{feed.prints_lost:,} prints"),
        ("Repeats dropped", f"{feed.repeats:,}", _conditions(feed.unknown_conditions)),
    ]


def age(seconds: float | None) -> str:
    """Write an age in the largest unit that fits; `none` for None."""
    return "none" if seconds is None else duration_text(seconds, decimals=1)


def _conditions(unknown: int) -> str:
    return f"{unknown:,} unknown conditions" if unknown else ""


def show_feed_events(client: Elasticsearch) -> None:
    """Show what happened to feeds last, newest first; nothing where there never was a feed."""
    table = to_event_table(newest_events(client))
    if table.empty:
        return
    st.caption("What happened to feeds last")
    st.dataframe(
        table,
        hide_index=True,
        width="stretch",
        height=EVENTS_HEIGHT,
        key="feed-events",
        column_config={
            zone().heading: st.column_config.TextColumn(width=175),
            "Feed": st.column_config.TextColumn(width=110),
            "Event": st.column_config.TextColumn(width=110),
            "Symbol": st.column_config.TextColumn(width=100),
            "Prints": st.column_config.TextColumn(width=80, alignment="right"),
        },
    )


def newest_events(client: Elasticsearch) -> list[dict[str, Any]]:
    """Return the newest events of all feeds, newest first.

    Raises
    ------
    TapewatchError
        Elasticsearch does not answer, or rejects the request.
    """
    answer = search(
        client,
        FEED_EVENTS_INDICES,
        sort=[{"@timestamp": {"order": "desc", "unmapped_type": "date_nanos"}}],
        size=MAX_EVENTS,
        track_total_hits=False,
    )
    return [hit["_source"] for hit in answer["hits"]["hits"]]


def to_event_table(events: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """Lay events out under the headings that a person sees, in the order given."""
    times = pd.Series(
        pd.to_datetime([event["@timestamp"] for event in events], format="ISO8601", utc=True),
        dtype="datetime64[ns, UTC]",
    )
    return pd.DataFrame(
        {
            zone().heading: format_times(times),
            "Feed": [event["venue"] for event in events],
            "Event": [event["event"].replace("_", " ") for event in events],
            "Symbol": [event.get("symbol") or "all" for event in events],
            "From": [_end(event.get("from")) for event in events],
            "To": [_end(event.get("to")) for event in events],
            "Prints": ["" if event.get("count") is None else f"{event['count']:,}" for event in events],
            "Why": [event.get("reason") or "" for event in events],
        }
    )


def _end(value: int | str | None) -> str:
    """Write one end of a gap: a number, or a time without its day's end in nanoseconds."""
    if value is None:
        return ""
    if isinstance(value, int):
        return f"{value:,}"
    return dt.datetime.fromisoformat(value).astimezone(zone().zone).strftime("%H:%M:%S.%f")[:-3]
