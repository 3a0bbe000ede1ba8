"""Says which period or time of an address was not found, and what is shown instead."""

from collections.abc import Sequence

import streamlit as st

from dashboard.ui.time_ranges import Period, Rolling, TimeRange, find_period


def tell_not_found(
    period: str | None, time_range: TimeRange | None, choices: Sequence[Period | Rolling], shown: TimeRange
) -> None:
    """Say so.

    Parameters
    ----------
    period, time_range
        What the address asks for; None for nothing.
    choices
        What there is to choose from.
    shown
        The time range that is shown.
    """
    if period is not None and find_period(choices, period) is None:
        st.info("The session in the address has no trades. Showing the newest session instead.")
    if time_range is not None and (time_range.end <= shown.start or shown.end <= time_range.start):
        st.info("The time in the address is outside this session. Showing the whole session instead.")
