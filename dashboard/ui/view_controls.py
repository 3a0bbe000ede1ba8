"""Controls that hold parts of a page's view: each shows a part, and changes it when a person does."""

import datetime as dt
from collections.abc import Callable, Sequence
from typing import Any

import streamlit as st

from dashboard.ui import opened_session
from dashboard.ui.address_times import MINUTE
from dashboard.ui.time_ranges import Period, Rolling, TimeRange, find_period, within
from dashboard.ui.wall_screen import is_wall
from dashboard.ui.zone import zone


class ViewControls:
    """The controls of one page.

    Parameters
    ----------
    page
        Begins the keys of its widgets; the page of `opened_session`.
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

    def choose_period(self, wanted: str | None, choices: Sequence[Period | Rolling]) -> Period | Rolling:
        """Let a session or several be chosen, or the last minutes; returns what is shown.

        Where none was chosen, the page stays with the session that it was opened with, and offers a newer
        one. On a wall screen nobody could take the offer: there it goes to the newer one by itself.

        Parameters
        ----------
        wanted
            The view's `period`.
        choices
            At least one session; the first of them is the newest.
        """
        by_name = {period.name: period for period in choices}
        newest = next(period for period in choices if isinstance(period, Period))
        chosen = find_period(choices, wanted)
        period: Period | Rolling = newest
        if chosen is not None:
            period = chosen
        elif not is_wall():
            period = by_name.get(opened_session.opened_with(self._page, newest.name), newest)

        def take(name: str) -> str:
            self._change(time_range=None)  # another session has other times
            return name

        self.show(
            st.selectbox,
            "Session",
            "period",
            period.name,
            list(by_name),
            to_part=take,
            format_func=lambda name: by_name[name].title,
            width=200,
        )
        if chosen is None and period is not newest:
            st.button(
                f"Newer session: {newest.title}",
                icon=":material/event_upcoming:",
                on_click=self._take_newest,
                help="This page stays with the session that it was opened with",
                key=f"{self._page}-newer",
            )
        return period

    def _take_newest(self) -> None:
        opened_session.open_again(self._page)
        self._change(period=None, time_range=None)

    def choose_time(self, wanted: TimeRange | None, longest: TimeRange, *, by_minute: bool) -> TimeRange:
        """Let a part of a time range be chosen; returns what is shown.

        Parameters
        ----------
        wanted, longest
            The view's `time_range` and the whole, as `within` takes them.
        by_minute
            Whether it is chosen by the minute, such as of one session, or by the hour.
        """
        chosen = within(wanted, longest)
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
