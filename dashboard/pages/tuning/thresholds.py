"""What the tuning page shows: curves of a symbol's day, and the configuration to copy."""

import datetime as dt
import shlex
from collections import OrderedDict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import streamlit as st

from dashboard.pages.tuning import data
from dashboard.pages.tuning.charts import threshold_chart
from dashboard.server.sessions import find_sessions, summarize_period
from dashboard.ui.time_ranges import Period
from dashboard.ui.url_state import note_control, read, was_changed, write
from services.common.elastic.client import Elasticsearch
from services.common.exchange_calendar import ExchangeCalendar
from services.detector.engine.columns import TradeColumns
from services.detector.profiles.profile import Profile, load_profile

T = TypeVar("T")

DAYS_KEPT = 2
"""Days whose trades are kept in memory, 50 bytes for each trade."""
RESULTS_KEPT = 12

OFF = "off"

_KEYS = "tuning-"


class Kept:
    """The newest few results, shared by all visitors.

    Parameters
    ----------
    most
        How many are kept; the one used least lately goes first.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._results: OrderedDict[object, Any] = OrderedDict()

    def __contains__(self, key: object) -> bool:
        return key in self._results

    def get(self, key: object, make: Callable[[], T]) -> T:
        """Return what is kept under a key, or make it and keep it."""
        result = self._results.pop(key, None)
        if result is None:
            result = make()
        self._results[key] = result
        while len(self._results) > self._most:
            self._results.popitem(last=False)
        return result


@st.cache_resource
def kept(kind: str, most: int) -> Kept:
    """Return the place for one kind of results."""
    del kind  # it tells the places apart
    return Kept(most)


def show(client: Elasticsearch) -> None:
    """Show the page."""
    if was_changed():
        # A view was opened, or the person went back: what was chosen before no longer counts.
        for name in [name for name in st.session_state if str(name).startswith(_KEYS)]:
            del st.session_state[name]
    sessions = find_sessions(client)
    if not sessions:
        st.info("There are no trades in Elasticsearch yet.", icon=":material/hourglass_empty:")
        st.text("Start the pipeline with `make demo`; a day can be tuned once its trades are indexed.")
        return
    with st.container(horizontal=True, gap="medium"):
        symbol_place = st.container(width=200)
        day = dt.date.fromisoformat(
            _choose("Session", "day", [str(day) for day in sessions], str(sessions[0]), _day_title)
        )
        period = Period(day, day)
        summary = summarize_period(client, period.time_range)
        if summary is None:
            st.info("There are no trades in this session any more. Choose another one.")
            return
        with symbol_place:
            symbol = _choose("Symbol", "symbol", summary.symbols, summary.most_anomalous, width=200)
        source = _choose("Profile", "profile", data.profile_names(Path.cwd()), "default")
    st.caption(
        "Profiles are the built-in ones and the YAML files in the folder where the dashboard was started."
    )
    show_day(client, symbol, period, source)


def show_day(client: Elasticsearch, symbol: str, period: Period, source: str) -> None:
    """Show a symbol's day, after its trades have been read."""
    profile = load_profile(source)
    time_zone = ExchangeCalendar(profile.exchange).time_zone
    trades = data.count_trades(client, symbol, period.time_range)
    # While a day is being indexed it grows, and what was measured is no longer true.
    day_key = (symbol, period.first, trades, time_zone)
    days, results = kept("days", DAYS_KEPT), kept("results", RESULTS_KEPT)
    key = (day_key, profile.hash)
    if key not in results and day_key not in days:
        question = st.empty()
        with question.container():
            st.text(
                f"To draw the curves, all trades of {symbol} on this day are read once and kept; "
                f"at most {data.MAX_TRADES:,} can be."
            )
            if not st.button(f"Read {_many(trades)}", type="primary", icon=":material/query_stats:"):
                return
        question.empty()

    def columns() -> TradeColumns:
        with _Progress("Reading trades") as bar:
            return days.get(
                day_key,
                lambda: data.read_trades(client, symbol, period.time_range, trades, time_zone, bar),
            )

    def measured() -> data.Measured:
        tape = columns()
        with _Progress("Measuring trades") as bar:
            return data.measure(tape, profile, symbol, bar)

    found = results.get(key, measured)
    late = f"; {found.late_trades:,} came late or repeated and are not judged" if found.late_trades else ""
    st.text(f"{_many(found.trades)} judged{late}.")
    chosen: dict[str, dict[str, float] | None] = {}
    st.subheader("Rules", anchor=False)
    places = _grid(len(data.RULES) + 1)
    for place, rule in zip(places, data.RULES, strict=False):
        with place:
            chosen[rule.detector] = show_rule(rule, found, profile, symbol)
    with places[-1]:
        forest_key = (*key, "forest")
        chosen[data.CONTAMINATION.detector] = show_forest(forest_key, columns, profile, symbol)
    alerts = data.alerts_of(profile, symbol)
    if alerts:
        st.subheader("Calibrated detectors", anchor=False)
        st.caption(
            "From one run with the present levels: a detector with another level also learns a little "
            "differently, so other levels are close, not exact. A burst counts once, however often it grows."
        )
        for place, alert in zip(_grid(len(alerts)), alerts, strict=True):
            with place:
                chosen[alert.detector] = show_alert(alert, found, profile, symbol)
    show_configuration(profile, source, symbol, period, chosen)


def show_rule(
    rule: data.Threshold, found: data.Measured, profile: Profile, symbol: str
) -> dict[str, float] | None:
    """Show a rule's curve and let a threshold be tried; returns what goes into the configuration."""
    now = data.present(profile, symbol, rule)
    seen = found.seen[rule.detector]
    runs = _title(rule, now, profile, symbol)
    chosen = _number(rule, now, profile, symbol)
    curve = data.curve_of(seen, rule, found.trades, now.value)
    st.altair_chart(threshold_chart(curve, found.trades, now, chosen, is_log=True), width="stretch")
    _tell(seen.flagged(chosen), found.trades, seen.flagged(now.value), now)
    return _setting(rule, chosen, now, runs)


def show_alert(
    alert: data.Threshold, found: data.Measured, profile: Profile, symbol: str
) -> dict[str, float] | None:
    """Do as `show_rule` for a calibrated detector's alert level."""
    now = data.present(profile, symbol, alert)
    seen = found.seen[alert.detector]
    runs = _title(alert, now, profile, symbol)
    chosen = _number(alert, now, profile, symbol)
    curve = data.curve_of(seen, alert, found.trades, now.value)
    st.altair_chart(threshold_chart(curve, found.trades, now, chosen, is_log=False), width="stretch")
    _tell(
        seen.flagged(chosen), found.trades, found.flagged[alert.detector], now, is_exact=chosen == now.value
    )
    return _setting(alert, chosen, now, runs)


def show_forest(
    key: object, columns: Callable[[], TradeColumns], profile: Profile, symbol: str
) -> dict[str, float] | None:
    """Do as `show_rule` for the forest's contamination, once it is asked for: it takes long."""
    rule = data.CONTAMINATION
    now = data.present(profile, symbol, rule)
    results = kept("results", RESULTS_KEPT)
    runs = _title(rule, now, profile, symbol)
    options = data.contaminations(now.value)
    name = _key(rule, profile, symbol)
    if name not in st.session_state:
        st.session_state[name] = read(
            rule.detector, lambda text: _one_of(options, _parsed(rule, text, float, now.value)), now.value
        )
    chosen = st.select_slider(f"Threshold: {rule.unit}", options, key=name, on_change=note_control)
    if key not in results:
        place = st.empty()
        with place.container():
            st.text(
                "This forest is fitted again and again as the day goes on: 200,000 trades take 10 s or more."
            )
            if not st.button("Fit the forests", icon=":material/forest:"):
                return _setting(rule, chosen, now, runs)
        place.empty()

    def counts() -> tuple[int, dict[float, int]]:
        tape = columns()
        with _Progress("Fitting forests") as bar:
            return len(tape), data.measure_forest(tape, profile, symbol, bar)

    trades, by_contamination = results.get(key, counts)
    curve = data.Curve(*(np.array(one) for one in (options, list(by_contamination.values()))))
    st.altair_chart(threshold_chart(curve, trades, now, chosen, is_log=True), width="stretch")
    _tell(by_contamination[chosen], trades, by_contamination[now.value], now)
    return _setting(rule, chosen, now, runs)


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
        "The thresholds chosen above, for this symbol alone. Copy it into a file, such as tuned.yaml, "
        "and check what it flags altogether:"
    )
    text = data.configuration(
        profile, source, symbol, chosen, [f"Thresholds chosen for {symbol} on {period.first}."]
    )
    times = period.time_range
    command = (
        f"tapewatch backtest --from {times.start:%Y-%m-%dT%H:%M:%S} --to {times.end:%Y-%m-%dT%H:%M:%S} "
        f"--symbol {shlex.quote(symbol)} --profile tuned.yaml --output anomalies.ndjson"
    )
    st.code(command, language="shell", wrap_lines=True)
    st.code(text, language="yaml")


class _Progress:
    """A bar that shows how many trades are done, until the end of the block."""

    def __init__(self, title: str) -> None:
        self._title = title

    def __enter__(self) -> data.OnProgress:
        self._bar = st.progress(0.0, f"{self._title} …")
        return self._move

    def __exit__(self, *_: object) -> None:
        self._bar.empty()

    def _move(self, done: int, of: int) -> None:
        self._bar.progress(min(done / max(of, 1), 1.0), f"{self._title}: {done:,} of {of:,}")


def _choose(
    label: str,
    name: str,
    options: Sequence[str],
    default: str,
    title: Callable[[str], str] = str,
    width: int = 220,
) -> str:
    """Let one be chosen; it stands in the address, unless it is the default."""
    key = f"{_KEYS}{name}"
    if st.session_state.get(key) not in options:
        st.session_state[key] = read(name, lambda text: _one_of(options, text), default)
    chosen = st.selectbox(label, options, key=key, format_func=title, width=width, on_change=note_control)
    write(**{name: chosen})
    return chosen


def _one_of(options: Sequence[T], value: T) -> T:
    """Return a value that is an option; raises ValueError for another one."""
    return options[options.index(value)]


def _day_title(day: str) -> str:
    date = dt.date.fromisoformat(day)
    return Period(date, date).title


def _grid(places: int) -> list[Any]:
    """Return bordered places, two in a row; one below the other in a narrow window."""
    found = []
    for _ in range(0, places, 2):
        found += [
            column.container(border=True, height="stretch") for column in st.columns(2)[: places - len(found)]
        ]
    return found


def _key(threshold: data.Threshold, profile: Profile, symbol: str) -> str:
    # With another profile or symbol, another setting is the present one.
    return f"{_KEYS}{threshold.detector}-{profile.hash}-{symbol}"


def _title(threshold: data.Threshold, now: data.Present, profile: Profile, symbol: str) -> bool:
    """Show a detector's name, and let it be switched; returns whether it shall run."""
    with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
        st.markdown(f"**{threshold.title}**", width="content")
        key = _key(threshold, profile, symbol) + "-runs"
        if key not in st.session_state:
            st.session_state[key] = read(
                threshold.detector,
                lambda text: text != OFF and _parsed(threshold, text, float, now.value) is not None,
                now.runs,
            )
        return st.toggle(
            "In the configuration",
            key=key,
            width="content",
            help="Whether the detector runs with the configuration at the end of this page",
            on_change=note_control,
        )


def _number(threshold: data.Threshold, now: data.Present, profile: Profile, symbol: str) -> float:
    """Let a threshold be tried."""
    kind = int if threshold.is_whole else float
    key = _key(threshold, profile, symbol)
    if key not in st.session_state:
        st.session_state[key] = read(
            threshold.detector, lambda text: _parsed(threshold, text, kind, kind(now.value)), kind(now.value)
        )
    step = 0.05 if threshold.parameter == "alert" else float(f"{now.value / 20:.1g}") or 1.0
    return st.number_input(
        f"Threshold: {threshold.unit}",
        min_value=kind(min(threshold.least, now.value)),
        max_value=kind(max(threshold.most, now.value)),
        step=kind(max(step, 1) if threshold.is_whole else step),
        format="%d" if threshold.is_whole else "%.6g",
        key=key,
        on_change=note_control,
    )


def _parsed(threshold: data.Threshold, text: str, kind: type[float], present: float) -> float:
    """Read what the address says of a threshold; raises ValueError for what it cannot be."""
    if text == OFF:
        return present
    value = kind(text)
    if not threshold.least <= value <= threshold.most:
        raise ValueError(f"{value} is out of range")
    return value


def _setting(
    threshold: data.Threshold, chosen: float, now: data.Present, runs: bool
) -> dict[str, float] | None:
    """Put a choice into the address, and return what it means in a profile."""
    is_as_before = runs == now.runs and (not runs or chosen == now.value)
    write(**{threshold.detector: None if is_as_before else f"{chosen:.12g}" if runs else OFF})
    return {threshold.parameter: chosen} if runs else None


def _tell(count: int, trades: int, count_now: int, now: data.Present, is_exact: bool = False) -> None:
    """Say how many trades the chosen threshold flags, and how many the present one."""
    shown = count_now if is_exact else count
    value = f"{now.value:,.6g}" if now.value < 1e6 else f"{now.value:,.0f}"
    about = (
        f"The present setting, {value}, flags {count_now:,}."
        if now.runs
        else f"This profile does not run it; its default, {value}, would flag {count_now:,}."
    )
    rate = f"{1000 * shown / max(trades, 1):.3f}".rstrip("0").rstrip(".")
    st.text(f"{shown:,} flagged, {rate} in 1,000 trades. {about}")


def _many(trades: int) -> str:
    return f"{trades:,} trade{'' if trades == 1 else 's'}"
