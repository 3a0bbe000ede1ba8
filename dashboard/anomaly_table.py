"""The table of anomalies."""

import pandas as pd
import streamlit as st

from dashboard.charts import format_times
from dashboard.palette import SEVERITY_COLORS
from dashboard.time_ranges import EXCHANGE_CITY, EXCHANGE_TIME_ZONE

HEIGHT = 460


def show_anomaly_table(rows: pd.DataFrame, newest_first: bool) -> None:
    """Show anomalies, one a row.

    Parameters
    ----------
    rows
        As in `AnomalySummary.rows`.
    newest_first
        Else in the order given.
    """
    if newest_first:
        rows = rows.sort_values("time", ascending=False, kind="stable")
    st.dataframe(
        to_table(rows),
        width="stretch",
        height=HEIGHT,
        hide_index=True,
        # The message takes the room that is left.
        column_config={
            "Time (UTC)": st.column_config.TextColumn(width=175),
            EXCHANGE_CITY: st.column_config.TextColumn(width=80),
            "Symbol": st.column_config.TextColumn(width=70),
            "Price": st.column_config.NumberColumn(format=f"%.{price_decimals(rows['price'])}f", width=90),
            "Size": st.column_config.NumberColumn(format="localized", width=85),
            # A cell of this kind shows as a coloured chip.
            "Severity": st.column_config.MultiselectColumn(
                options=[str(severity) for severity in SEVERITY_COLORS],
                color=list(SEVERITY_COLORS.values()),
                width=80,
            ),
            "Score": st.column_config.NumberColumn(format="%.3f", width=60),
            "Message": st.column_config.TextColumn(),
            "Labels": st.column_config.ListColumn(width=270),
        },
    )


def to_table(rows: pd.DataFrame) -> pd.DataFrame:
    """Lay anomalies out under the headings that a person sees, in the same order.

    Parameters
    ----------
    rows
        As in `AnomalySummary.rows`.
    """
    return pd.DataFrame(
        {
            "Time (UTC)": format_times(rows["time"]),
            EXCHANGE_CITY: rows["time"].dt.tz_convert(EXCHANGE_TIME_ZONE).dt.strftime("%H:%M:%S"),
            "Symbol": rows["symbol"],
            "Price": rows["price"],
            "Size": rows["size"],
            "Severity": rows["severity"].map(lambda severity: [severity]),
            "Score": rows["score"],
            "Message": rows["message"],
            "Labels": rows["labels"],
        }
    )


def price_decimals(prices: pd.Series) -> int:
    """Return how many decimals show every price in full: 2, or 4 where a price has more."""
    return 2 if ((prices - prices.round(2)).abs() < 1e-9).all() else 4
