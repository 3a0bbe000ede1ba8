"""Addresses that lead from the overview to a symbol, or to another stretch of time."""

from dataclasses import replace
from urllib.parse import urlencode

from dashboard.pages.overview.state import View, address_of
from dashboard.ui.time_ranges import ROLLING_NAMES, Period, Rolling, TimeRange, session_of


def linked(view: View, shown: Period | Rolling, newest: Period) -> View:
    """Return the view as links keep it: with what is shown, where that is not the newest session.

    Parameters
    ----------
    view
        The view of all symbols.
    shown
        What the page shows: it may have been the newest session when the page was opened.
    newest
        The session that is the newest now, which links without a session lead to.
    """
    return view if shown == newest else replace(view, period=shown.name)


def symbol_address(view: View, symbol: str, time_range: TimeRange | None = None) -> dict[str, str]:
    """Return the query parameters of a symbol's page, with the view's session, time and filters.

    Parameters
    ----------
    view
        The view of all symbols.
    symbol
        The symbol.
    time_range
        The stretch that is shown; None for the view's own.
    """
    return {"symbol": symbol} | _texts(view, time_range)


def symbol_url(view: View, symbol: str) -> str:
    """Return the address of a symbol's page, relative to the overview."""
    return f"?{urlencode(symbol_address(view, symbol))}"


def moment_url(view: View, time_range: TimeRange) -> str:
    """Return the address of the overview of another stretch of time."""
    return f"?{urlencode(_texts(view, time_range))}"


def zoomed(view: View, time_range: TimeRange) -> View:
    """Return the view of a stretch of time.

    The last minutes move on, and would leave it behind: instead of them the view has its session.
    """
    is_rolling = view.period in ROLLING_NAMES
    period = session_of(time_range.start).name if is_rolling else view.period
    return replace(view, period=period, time_range=time_range)


def _texts(view: View, time_range: TimeRange | None) -> dict[str, str]:
    parts = address_of(zoomed(view, time_range) if time_range else view)
    joined = {name: ",".join(part) if isinstance(part, tuple) else part for name, part in parts.items()}
    return {name: str(part) for name, part in joined.items() if part}
