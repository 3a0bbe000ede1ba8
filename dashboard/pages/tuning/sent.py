"""What a symbol's day would have sent with the thresholds that are chosen, by some rules for alerts."""

from collections.abc import Callable
from html import escape

import pandas as pd
import streamlit as st

from dashboard.pages.tuning.state import KEYS
from dashboard.server.kept import kept
from dashboard.ui.error_boundary import error_boundary
from dashboard.ui.markdown import show_text
from dashboard.ui.progress import Progress
from dashboard.ui.times import format_times
from dashboard.ui.zone import zone
from services.alerter.offline.dry_run import DryRun, Fate, dry_run, read_published
from services.alerter.offline.rules import built_in_text, rules_of_text
from services.common.errors import TapewatchError
from services.contracts.alert import Alert
from services.contracts.anomaly import SEVERITY_COLORS
from services.contracts.trade import size_text
from services.detector.offline.tuning.anomalies import find_anomalies
from services.detector.offline.tuning.indexed_day import IndexedDay
from services.detector.offline.tuning.profile_choice import Profile

WORST_SHOWN = 5
MAX_RULES_CHARS = 20_000
DAYS_KEPT = 2
RUNS_KEPT = 4

_BUILT_IN, _OWN = "The built-in rules", "A rules file"
_FAINT = "opacity:0.65"


@st.fragment
def show_sent(day_key: object, tape: Callable[[], IndexedDay], profile: Profile, symbol: str) -> None:
    """Show what would have been sent, once it is asked for: all detectors run over the day for it.

    Parameters
    ----------
    day_key
        Tells days apart, also one that has grown.
    tape
        Reads the day's trades, unless they are kept.
    profile
        With the thresholds that are chosen.
    symbol
        The symbol.
    """
    st.subheader("What would have been sent", anchor=False)
    with error_boundary():
        text = choose_rules()
        try:
            rules = rules_of_text(text)
        except TapewatchError as error:
            st.error("These rules cannot be used.", icon=":material/rule:")
            show_text(error.cause)
            show_text(error.hint)
            return
        key = (day_key, profile.hash)
        days, runs = kept("anomalies", DAYS_KEPT), kept("dry runs", RUNS_KEPT)
        if key not in days and (key, text) not in runs:
            question = st.empty()
            with question.container():
                st.text("Runs all detectors over the day with the thresholds chosen above. Nothing is sent.")
                if not st.button("Count alerts", icon=":material/notifications:"):
                    return
            question.empty()

        def run() -> DryRun:
            def found() -> list[tuple[bytes, int]]:
                day = tape()
                with Progress("Detecting") as bar:
                    return [*find_anomalies(day, profile, symbol, bar)]

            return dry_run((read_published(*one) for one in days.get(key, found)), rules)

        show_run(runs.get((key, text), run))


def choose_rules() -> str:
    """Let rules be chosen; returns their text."""
    chosen = st.segmented_control(
        "By",
        [_BUILT_IN, _OWN],
        default=_BUILT_IN,
        required=True,
        key=f"{KEYS}rules",
        label_visibility="collapsed",
    )
    if chosen == _BUILT_IN:
        return built_in_text()
    return st.text_area(
        "Paste a rules file here; it is not stored, and channels are not opened.",
        value=built_in_text(),
        height=260,
        max_chars=MAX_RULES_CHARS,
        key=f"{KEYS}rules-text",
    )


def show_run(run: DryRun) -> None:
    """Show alerts and messages by rule and channel and by severity, and the worst alerts."""
    st.markdown(f"**{run.summary()}**")
    left, right = st.columns([2, 1])
    numbers = st.column_config.NumberColumn(format="localized", width="small")
    with left:
        table = to_channel_table(run)
        st.dataframe(
            table, hide_index=True, width="stretch", column_config=dict.fromkeys(table.columns[2:], numbers)
        )
    if not run.alerts:
        return
    with right:
        table = to_severity_table(run)
        st.dataframe(
            table, hide_index=True, width="stretch", column_config=dict.fromkeys(table.columns[1:], numbers)
        )
    st.html(worst_html(run.worst(WORST_SHOWN)))
    st.caption(
        "The same as `tapewatch alert --dry-run`: hours and budgets are applied to the trades' own times, "
        "silences are not, and digests are not counted."
    )


def to_channel_table(run: DryRun) -> pd.DataFrame:
    """Count by rule and channel the alerts that would have been told, and what becomes of messages."""
    rows = [
        (rule, channel, run.told(rule, channel), *(fates[fate] for fate in Fate))
        for (rule, channel), fates in run.fates().items()
    ]
    return pd.DataFrame(
        rows, columns=["Rule", "Channel", "Alerts", *(str(fate).capitalize() for fate in Fate)]
    )


def to_severity_table(run: DryRun) -> pd.DataFrame:
    """Count alerts and messages sent by severity, the most urgent first."""
    rows = [(str(severity), *counts) for severity, counts in run.severities().items()]
    return pd.DataFrame(rows, columns=["Severity", "Alerts", "Sent"])


def worst_html(alerts: list[Alert]) -> str:
    """Return the worst alerts as HTML in which what comes from the data is only text."""
    times = pd.Series(
        pd.to_datetime([alert.worst.trade.time for alert in alerts], format="ISO8601", utc=True),
        dtype="datetime64[ns, UTC]",
    )
    shown = "".join(
        '<div style="padding:0.45rem 0;border-top:1px solid rgba(128,128,128,0.25)">'
        f'<span style="color:{SEVERITY_COLORS[alert.severity]}">●</span> '
        f'<b style="font-weight:600">{escape(alert.severity)}</b>&ensp;{escape(alert.message)}'
        f'<div style="{_FAINT};font-size:0.85rem">{escape(", ".join(alert.labels))} · {time} '
        f"{escape(zone().city)} · price {alert.worst.trade.price:,.10g} · "
        f"size {size_text(alert.worst.trade.size)} · score {alert.score:.3f}</div></div>"
        for alert, time in zip(alerts, format_times(times), strict=True)
    )
    return f'<div style="line-height:1.45;overflow-wrap:anywhere"><b>The worst alerts</b>{shown}</div>'
