"""Says which days cannot be true, and so are no sessions unless somebody asks for them."""

from collections.abc import Sequence

import streamlit as st

from dashboard.server import plausible_times
from dashboard.server.sessions import SetAside
from dashboard.ui.time_ranges import Period

_MOST_NAMED = 3


def tell_set_aside(aside: Sequence[SetAside]) -> None:
    """Say how many trades were set aside, why, and how to look at them; nothing where there are none."""
    if aside:
        st.caption(f":orange[:material/warning:] {text_of(aside)}")


def text_of(aside: Sequence[SetAside]) -> str:
    """Return the sentence, in Markdown that contains no text from the data."""
    trades = sum(one.trades for one in aside)
    named = [Period(one.day, one.day).title for one in aside[:_MOST_NAMED]]
    if more := len(aside) - len(named):
        named.append(f"{more:,} more {'day' if more == 1 else 'days'}")
    is_early = [one.day < plausible_times.EARLIEST for one in aside]
    why = "too long ago to be true" if all(is_early) else "ahead of the clock"
    if any(is_early) and not all(is_early):
        why = "ahead of the clock, or too long ago to be true"
    return (
        f"{trades:,} {'trade was' if trades == 1 else 'trades were'} set aside: dated {', '.join(named)}, "
        f"{why}. To look at {'it' if trades == 1 else 'them'}, choose the day at the end of the list of "
        "sessions."
    )
