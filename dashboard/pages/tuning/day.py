"""A symbol's day on the tuning page: the curve of each threshold, and the configuration to copy."""

import shlex
from collections.abc import Callable
from pathlib import Path

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from dashboard.pages.tuning.charts import threshold_chart
from dashboard.pages.tuning.controls import key_of, number_input, parsed, setting, switch
from dashboard.pages.tuning.sent import show_sent
from dashboard.pages.tuning.state import choose, one_of
from dashboard.server.kept import kept
from dashboard.ui.progress import Progress
from dashboard.ui.time_ranges import Period
from dashboard.ui.url_state import note_control, read
from services.common.elastic.client import Elasticsearch
from services.common.exchange_calendar import ExchangeCalendar
from services.detector.offline.tuning.day import MeasuredDay, measure_day, measure_forest
from services.detector.offline.tuning.indexed_day import (
    MAX_TRADES,
    IndexedDay,
    count_trades,
    read_trades,
)
from services.detector.offline.tuning.profile_choice import (
    Profile,
    configuration,
    load_profile,
    profile_names,
    tuned_profile,
)
from services.detector.offline.tuning.thresholds import (
    CONTAMINATION,
    RULES,
    Present,
    Threshold,
    alerts_of,
    contaminations,
    curve_of,
    curve_through,
    present,
)

DAYS_KEPT = 2
"""Days whose trades are kept in memory, 50 bytes for each trade."""
RESULTS_KEPT = 12


def choose_profile() -> str:
    """Let a profile be chosen; returns its name."""
    return choose("Profile", "profile", profile_names(Path.cwd()), "default")


def show_day(client: Elasticsearch, symbol: str, period: Period, source: str) -> None:
    """Show a symbol's day, after its trades have been read."""
    profile = load_profile(source)
    time_zone = ExchangeCalendar(profile.exchange).time_zone
    times = period.time_range
    trades = count_trades(client, symbol, times.start, times.end)
    # While a day is being indexed it grows, and what was measured is no longer true.
    day_key = (symbol, period.first, trades, time_zone)
    days, results = kept("days", DAYS_KEPT), kept("results", RESULTS_KEPT)
    key = (day_key, profile.hash)
    if key not in results and day_key not in days:
        question = st.empty()
        with question.container():
            st.text(
                f"To draw the curves, all trades of {symbol} on this day are read once and kept "
                f"in memory, at most {MAX_TRADES:,}."
            )
            if not st.button(f"Read {_many(trades)}", type="primary", icon=":material/query_stats:"):
                return
        question.empty()

    def tape() -> IndexedDay:
        with Progress("Reading trades") as bar:
            return days.get(
                day_key,
                lambda: read_trades(client, symbol, times.start, times.end, trades, time_zone, bar),
            )

    def measured() -> MeasuredDay:
        columns = tape().columns
        with Progress("Measuring trades") as bar:
            return measure_day(columns, profile, symbol, bar)

    found = results.get(key, measured)
    late = f"; {found.late_trades:,} late or repeated ones skipped" if found.late_trades else ""
    st.text(f"{_many(found.trades)} scored{late}.")
    chosen: dict[str, dict[str, float] | None] = {}
    st.subheader("Rules", anchor=False)
    places = _grid(len(RULES) + 1)
    for place, rule in zip(places, RULES, strict=False):
        with place:
            chosen[rule.detector] = show_rule(rule, found, profile, symbol)
    with places[-1]:
        forest_key = (*key, "forest")
        chosen[CONTAMINATION.detector] = show_forest(forest_key, tape, profile, symbol)
    alerts = alerts_of(profile, symbol)
    if alerts:
        st.subheader("Calibrated detectors", anchor=False)
        st.caption(
            "Measured in one run at the current levels. At another level a detector also learns a little "
            "differently, so counts there are close, not exact. A burst counts once, however often it grows."
        )
        for place, alert in zip(_grid(len(alerts)), alerts, strict=True):
            with place:
                chosen[alert.detector] = show_alert(alert, found, profile, symbol)
    show_sent(day_key, tape, tuned_profile(profile, symbol, chosen), symbol)
    show_configuration(profile, source, symbol, period, chosen)


def show_rule(rule: Threshold, found: MeasuredDay, profile: Profile, symbol: str) -> dict[str, float] | None:
    """Show a rule's curve and let a threshold be tried; returns what goes into the configuration."""
    now = present(profile, symbol, rule)
    measured = found.measured[rule.detector]
    runs = switch(rule, now, profile, symbol)
    chosen = number_input(rule, now, profile, symbol)
    curve = curve_of(measured, rule, found.trades, now.value)
    st.altair_chart(threshold_chart(curve, found.trades, now, chosen, is_log=True), width="stretch")
    _tell(measured.flagged(chosen), found.trades, measured.flagged(now.value), now)
    return setting(rule, chosen, now, runs)


def show_alert(
    alert: Threshold, found: MeasuredDay, profile: Profile, symbol: str
) -> dict[str, float] | None:
    """Do the same as `show_rule` for a calibrated detector's alert level."""
    now = present(profile, symbol, alert)
    measured = found.measured[alert.detector]
    runs = switch(alert, now, profile, symbol)
    chosen = number_input(alert, now, profile, symbol)
    curve = curve_of(measured, alert, found.trades, now.value)
    st.altair_chart(threshold_chart(curve, found.trades, now, chosen, is_log=False), width="stretch")
    _tell(
        measured.flagged(chosen),
        found.trades,
        found.flagged[alert.detector],
        now,
        is_exact=chosen == now.value,
    )
    return setting(alert, chosen, now, runs)


def show_forest(
    key: object, tape: Callable[[], IndexedDay], profile: Profile, symbol: str
) -> dict[str, float] | None:
    """Do the same as `show_rule` for the forest's contamination, once it is asked for: it takes long."""
    rule = CONTAMINATION
    now = present(profile, symbol, rule)
    results = kept("results", RESULTS_KEPT)
    runs = switch(rule, now, profile, symbol)
    options = contaminations(now.value)
    name = key_of(rule, profile, symbol)
    if name not in st.session_state:
        st.session_state[name] = read(
            rule.detector, lambda text: one_of(options, parsed(rule, text, float, now.value)), now.value
        )
    chosen = st.select_slider(f"Threshold: {rule.unit}", options, key=name, on_change=note_control)
    if key not in results:
        place = st.empty()
        with place.container():
            st.text("This forest is refitted many times during the day: 200,000 trades take 10 s or more.")
            if not st.button("Fit the forests", icon=":material/forest:"):
                return setting(rule, chosen, now, runs)
        place.empty()

    def counts() -> tuple[int, dict[float, int]]:
        columns = tape().columns
        with Progress("Fitting forests") as bar:
            return len(columns), measure_forest(columns, profile, symbol, bar)

    trades, by_contamination = results.get(key, counts)
    curve = curve_through(by_contamination)
    st.altair_chart(threshold_chart(curve, trades, now, chosen, is_log=True), width="stretch")
    _tell(by_contamination[chosen], trades, by_contamination[now.value], now)
    return setting(rule, chosen, now, runs)


def show_configuration(
    profile: Profile,
    source: str,
    symbol: str,
    period: Period,
    chosen: dict[str, dict[str, float] | None],
) -> None:
    """Show the profile with what was chosen, and how to check it."""
    st.subheader("Configuration", anchor=False)
    st.caption(
        "A profile with the thresholds chosen above, for this symbol alone. Copy it into a file, such as "
        "tuned.yaml, and check what it flags in total:"
    )
    text = configuration(
        profile, source, symbol, chosen, [f"Thresholds chosen for {symbol} on {period.first}."]
    )
    times = period.time_range
    command = (
        f"tapewatch backtest --from {times.start:%Y-%m-%dT%H:%M:%S} --to {times.end:%Y-%m-%dT%H:%M:%S} "
        f"--symbol {shlex.quote(symbol)} --profile tuned.yaml --output anomalies.ndjson"
    )
    st.code(command, language="shell", wrap_lines=True)
    st.code(text, language="yaml")


def _grid(places: int) -> list[DeltaGenerator]:
    """Return bordered places, two in a row; one below the other in a narrow window."""
    found: list[DeltaGenerator] = []
    for _ in range(0, places, 2):
        found += [
            column.container(border=True, height="stretch") for column in st.columns(2)[: places - len(found)]
        ]
    return found


def _tell(count: int, trades: int, count_now: int, now: Present, is_exact: bool = False) -> None:
    """Say how many trades the chosen threshold flags, and how many the present one."""
    shown = count_now if is_exact else count
    value = f"{now.value:,.6g}" if now.value < 1e6 else f"{now.value:,.0f}"
    about = (
        f"The current setting, {value}, flags {count_now:,}."
        if now.runs
        else f"This profile does not run this detector; its default, {value}, would flag {count_now:,}."
    )
    rate = f"{1000 * shown / max(trades, 1):.3f}".rstrip("0").rstrip(".")
    st.text(f"{shown:,} flagged, {rate} per 1,000 trades. {about}")


def _many(trades: int) -> str:
    return f"{trades:,} trade{'' if trades == 1 else 's'}"
