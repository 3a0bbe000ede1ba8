"""The part of the pipeline page about the channels that alerts are sent through."""

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd
import streamlit as st

from dashboard.pages.pipeline.feeds import age
from services.common.observability.samples import Samples
from services.contracts.alert import Outcome


@dataclass(frozen=True)
class ChannelHealth:
    """One channel, over all alerters.

    Parameters
    ----------
    name
        As in the rules file.
    is_failing
        Whether its last tries have failed, or it is switched off.
    waiting
        Messages that are still to be sent.
    oldest_s
        Age of the oldest of them, in seconds.
    held
        Revisions held back that no digest has told of yet.
    sent, failed, dead
        Tries since the start of the alerters that were accepted, that are made again, and what was given up.
    """

    name: str
    is_failing: bool
    waiting: int
    oldest_s: float
    held: int
    sent: int
    failed: int
    dead: int


def channels_health(alerters: Sequence[Samples]) -> list[ChannelHealth]:
    """Return the channels of all alerters, sorted by name; only one alerter sends at a time."""

    def values(metric: str, **wanted: str) -> list[float]:
        return [
            value
            for samples in alerters
            for labels, value in samples.get(f"tapewatch_alert_{metric}", ())
            if wanted.items() <= labels.items()
        ]

    def total(metric: str, **wanted: str) -> int:
        return int(sum(values(metric, **wanted)))

    names = {
        labels["channel"]
        for samples in alerters
        for labels, _ in samples.get("tapewatch_alert_queue_length", ())
    }
    return [
        ChannelHealth(
            name=name,
            is_failing=total("channel_open", channel=name) > 0,
            waiting=total("queue_length", channel=name),
            oldest_s=max(values("oldest_unsent_seconds", channel=name), default=0.0),
            held=total("held_back", channel=name),
            sent=total("deliveries_total", channel=name, outcome=Outcome.SENT),
            failed=total("deliveries_total", channel=name, outcome=Outcome.FAILED),
            dead=total("deliveries_total", channel=name, outcome=Outcome.DEAD),
        )
        for name in sorted(names)
    ]


def show_channels(channels: Sequence[ChannelHealth]) -> None:
    """Show a row for each channel."""
    st.dataframe(
        to_table(channels),
        hide_index=True,
        width="stretch",
        key="channels",
        column_config={
            name: st.column_config.TextColumn(alignment="right")
            for name in ("Waiting", "Oldest", "Held back", "Sent", "Failed tries", "Given up")
        },
    )
    st.caption(
        "Waiting: messages still to be sent, and the age of the oldest. Held back: not told yet, as the "
        "budget is used up or it is outside its hours. The rest: since the start of the alerter."
    )


def to_table(channels: Sequence[ChannelHealth]) -> pd.DataFrame:
    """Lay channels out under the headings that a person sees, one a row."""
    return pd.DataFrame(
        [
            {
                "Channel": one.name,
                "State": "failing, or switched off" if one.is_failing else "working",
                "Waiting": f"{one.waiting:,}",
                "Oldest": age(one.oldest_s) if one.waiting else "",
                "Held back": f"{one.held:,}",
                "Sent": f"{one.sent:,}",
                "Failed tries": f"{one.failed:,}",
                "Given up": f"{one.dead:,}",
            }
            for one in channels
        ]
    )
