"""Times as text in tables and tooltips."""

import pandas as pd


def format_times(times: pd.Series) -> pd.Series:
    """Write times as `2026-03-02 15:30:34.883`, in the zone that they are in."""
    texts: pd.Series = times.dt.strftime("%Y-%m-%d %H:%M:%S.%f").str[:-3]
    return texts
