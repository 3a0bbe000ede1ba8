"""Controls that hold parts of a page's view: each shows a part, and changes it when a person does."""

import datetime as dt
from collections.abc import Callable
from typing import Any

import streamlit as st

from dashboard.ui.address_times import MINUTE
from dashboard.ui.time_ranges import TimeRange
from dashboard.ui.zone import zone


class ViewControls:
    """The controls of one page.

    Parameters
    ----------
    page
        Begins the keys of its widgets.
    change
        Sets parts of the view, by name.
    """

    def __init__(self, page: str, change: Callable[..., None]) -> None:
        self._page = page
        self._change = change

    def show(
        self,
        widget: Callable[..., object],
        label: str,
        part: str,
        value: object,
        *arguments: object,
        key: str = "",
        to_part: Callable[[Any], object] | None = None,
        **options: object,
    ) -> None:
        """Show a widget that holds a part of the view, and changes the view when a person changes it."""
        key = key or f"{self._page}-{part}"

        def take() -> None:
            taken = st.session_state[key]
            self._change(**{part: taken if to_part is None else to_part(taken)})

        if key not in st.session_state or st.session_state[key] != value:
            st.session_state[key] = value
        widget(label, *arguments, key=key, on_change=take, **options)

    def choose_time(self, wanted: TimeRange | None, longest: TimeRange, *, by_minute: bool) -> TimeRange:
        """Let a part of a time range be chosen; returns what is shown.

        Parameters
        ----------
        wanted
            The view's `time_range`; None, or one that is outside, for the whole.
        longest
            The whole.
        by_minute
            Whether it is chosen by the minute, such as of one session, or by the hour.
        """
        chosen = wanted
        if chosen is not None:
            chosen = TimeRange(max(chosen.start, longest.start), min(chosen.end, longest.end))
        if chosen is None or chosen.start >= chosen.end:
            chosen = longest
        first, last, start, end = (
            time.astimezone(zone().zone).replace(tzinfo=None)
            for time in (longest.start, longest.end, chosen.start, chosen.end)
        )

        def take(ends: tuple[dt.datetime, dt.datetime]) -> TimeRange | None:
            start, end = (time.replace(tzinfo=zone().zone).astimezone(dt.UTC) for time in ends)
            taken = TimeRange(start, max(end, start + MINUTE))
            return None if taken == longest else taken

        with st.container(width="stretch"):
            self.show(
                st.slider,
                zone().heading,
                "time_range",
                (start, end),
                first,
                last,
                # A slider of other ends is another slider.
                key=f"{self._page}-time-{first:%Y%m%d%H%M}-{last:%Y%m%d%H%M}",
                to_part=take,
                step=dt.timedelta(minutes=1 if by_minute else 60),
                format="HH:mm" if by_minute else "D MMM HH:mm",
            )
        return chosen
