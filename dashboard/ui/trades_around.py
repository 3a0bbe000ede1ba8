"""The trades before and after an anomaly, as charts and as tables."""

from collections.abc import Mapping

import pandas as pd
import streamlit as st

from dashboard.server.one_anomaly import Document, Stretch, find_stretch, find_trades_around
from dashboard.ui import url_state
from dashboard.ui.around_charts import (
    AroundView,
    around_price_chart,
    around_size_chart,
    prices_beyond,
    shown_prices,
)
from dashboard.ui.decimals import decimals_of, price_texts, size_format
from dashboard.ui.expected import expected_of
from dashboard.ui.legend import BROKEN_LINE, LINE, entry
from dashboard.ui.navigation import link_to
from dashboard.ui.palette import (
    EXPECTED_COLOR,
    RING_COLOR,
    SHAPE_SIGNS,
    SIDE_COLORS,
    SIDE_NAMES,
    STRETCH_COLOR,
    label_shapes,
)
from dashboard.ui.prices import limit_text, price_text
from dashboard.ui.times import format_times
from dashboard.ui.zone import zone
from services.common.elastic.client import Elasticsearch
from services.contracts.anomaly import SEVERITY_COLORS
from services.contracts.trade import SIDE_WORDS, mean_size_text
from services.review.corrections import VenueCorrection, corrections_of

AROUND = (20, 50, 200)
"""Trades before and after that can be chosen."""

STRETCH = "Whole stretch"
MAX_STRETCH = 1_000
"""So many trades of a stretch are drawn at most."""
_BESIDE = 0.15
"""Share of a stretch that is drawn before and after it as well; `AROUND[0]` trades at least."""

AROUND_DAY = pd.Timedelta(minutes=5)
"""So much time before and after the trades is seen where the charts of the day are opened."""

BY_NUMBER, BY_TIME = "By trade", "By time"

TABLE_HEIGHT = 300


def show_around(client: Elasticsearch, anomaly: Document, has_tables: bool = True) -> None:
    """Show the trades before and after as a chart and, where there is room, as tables."""
    st.markdown("#### Trades before and after")
    stretch = find_stretch(client, anomaly)
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        before, after = _choose_trades(stretch)
        is_by_time = _choose("Axis", "by", (BY_NUMBER, BY_TIME), "time")
        toggle_place = st.container(width="content")
        link_place = st.container(width="content")
    trades = find_trades_around(client, anomaly, before, after)
    if len(trades) == 1:
        st.info("No other trade of this symbol is indexed: the day may have been deleted because of its age.")
        return
    with link_place:
        link_to("", "See it in the day", ":material/show_chart:", **day_view(anomaly, trades))
    has_all_prices = False
    if prices_beyond(trades) is not None:
        with toggle_place:
            has_all_prices = _choose("Price axis", "axis", ("The market", "All prices"), "all")
    inside = None if stretch is None else (max(-stretch.before, -before), min(stretch.after, after))
    view = AroundView(is_by_time, has_all_prices, inside, expected_of(anomaly))
    if stretch is not None and inside is not None:
        st.text(stretch_text(stretch, trades, inside))
    st.html(around_legend_html(trades, view))
    with st.container(gap=None):
        st.altair_chart(around_price_chart(trades, view), width="stretch")
        st.altair_chart(around_size_chart(trades, view), width="stretch")
    if not has_tables:
        return
    corrections = corrections_of(client, trades["trade_id"].tolist())
    left, right = st.columns(2)
    trades = trades.assign(price_text=price_texts(trades["price"], pd.Series("", trades.index)))
    sizes = size_format(trades["size"])
    with left:
        st.caption("Before, nearest first")
        show_trades(trades[trades["place"] < 0].iloc[::-1], sizes, corrections)
    with right:
        st.caption("After, nearest first")
        show_trades(trades[trades["place"] > 0], sizes, corrections)


def _choose_trades(stretch: Stretch | None) -> tuple[int, int]:
    """Let the number of trades be chosen; returns how many before and after the anomaly."""
    choices: tuple[str | int, ...] = AROUND if stretch is None else (STRETCH, *AROUND)
    count = st.segmented_control(
        "Trades on each side",
        choices,
        default=url_state.read("around", lambda text: _to_count(text, choices), choices[0]),
        required=True,
        key=f"around-{stretch is None}",
    )
    url_state.write(around=None if count == choices[0] else count)
    if stretch is None or isinstance(count, int):
        return int(count), int(count)
    beside = max(AROUND[0], int(_BESIDE * min(stretch.trades, MAX_STRETCH)))
    # Of a stretch that is too long, its end is left out; of what came before it fired, its beginning.
    before = min(stretch.before, MAX_STRETCH // 2)
    return before + beside, min(stretch.after, MAX_STRETCH - before) + beside


def _choose(label: str, name: str, choices: tuple[str, str], value: str) -> bool:
    """Let one of two be chosen; returns whether it is the second, which the address has as `value`."""
    chosen = st.segmented_control(
        label,
        choices,
        default=url_state.read(name, {value: choices[1]}.__getitem__, choices[0]),
        required=True,
        key=f"around-{name}",
    )
    is_second = chosen == choices[1]
    url_state.write(**{name: value if is_second else None})
    return is_second


def day_view(anomaly: Document, trades: pd.DataFrame) -> dict[str, str | None]:
    """Return the parameters of the symbol's page that show its charts around these trades."""
    times = trades["time"]
    start = (times.iloc[0] - AROUND_DAY).floor("s")
    end = (times.iloc[-1] + AROUND_DAY).ceil("s")
    return {
        "symbol": anomaly["symbol"],
        "session": anomaly.get("session"),
        "from": f"{start:%Y-%m-%dT%H:%M:%S}Z",
        "to": f"{end:%Y-%m-%dT%H:%M:%S}Z",
        "selected": anomaly["trade_id"],
    }


def stretch_text(stretch: Stretch, trades: pd.DataFrame, inside: tuple[int, int]) -> str:
    """Say how long a stretch is, as far as it is drawn.

    Parameters
    ----------
    stretch
        The stretch.
    trades
        Those that are drawn.
    inside
        The places of its first and last print among them.
    """
    times = trades[trades["place"].between(*inside)]["time"]
    begun, ended = times.iloc[0], times.iloc[-1]
    first, last = format_times(pd.Series([begun, ended])).str[11:]
    seconds = (ended - begun).total_seconds()
    length = f"{1000 * seconds:,.3g} ms" if seconds < 1 else f"{seconds:,.1f} s"
    drawn, city = inside[1] - inside[0] + 1, zone().city
    text = f"The stretch: {stretch.count:,} prints by the detector's count, among {stretch.trades:,} trades"
    if drawn < stretch.trades:
        return f"{text}; drawn are {drawn:,} of them, {length} from {first} to {last} {city}."
    return f"{text} in {length}, from {first} to {last} {city}."


def show_trades(trades: pd.DataFrame, sizes: str, corrections: Mapping[str, VenueCorrection]) -> None:
    """Show trades, one a row, with this format of sizes, and what the venue said of them."""
    said = [corrections[one].short(zone().zone) if one in corrections else "" for one in trades["trade_id"]]
    st.dataframe(
        pd.DataFrame(
            {
                "Trade": trades["place"].map("{:+d}".format),
                zone().heading: format_times(trades["time"]).str[11:],
                "Price": trades["price_text"],
                "Size": trades["size"],
                "Side": trades["side"].map(lambda side: SIDE_WORDS.get(side, side)),
                "Anomaly": trades["severity"],
                **({"Venue": said} if any(said) else {}),
            }
        ),
        hide_index=True,
        width="stretch",
        height=TABLE_HEIGHT,
        column_config={
            "Price": st.column_config.TextColumn(alignment="right"),
            "Size": st.column_config.NumberColumn(format=sizes),
        },
    )


def _to_count(text: str, choices: tuple[str | int, ...]) -> str | int:
    return {str(choice): choice for choice in choices}[text]


def around_legend_html(trades: pd.DataFrame, view: AroundView) -> str:
    """Return what the signs in the charts of the trades around an anomaly mean.

    Parameters
    ----------
    trades
        As `one_anomaly.find_trades_around` returns them.
    view
        How they are drawn.
    """
    known = set(trades["severity"])
    entries = [
        ("○", RING_COLOR, "this trade"),
        *(
            ("●", color, severity)
            for severity, color in reversed(SEVERITY_COLORS.items())
            if severity in known
        ),
        *(
            (SHAPE_SIGNS[shape], "inherit", label)
            for label, shape in label_shapes(set(trades["label"]) - {""}).items()
        ),
        *(("■", SIDE_COLORS[side], name) for side, name in SIDE_NAMES.items()),
        *([("▮", STRETCH_COLOR, "its stretch")] if view.stretch is not None else []),
        *((sign, EXPECTED_COLOR, text) for sign, text in expected_texts(trades, view)),
    ]
    shown = "".join(entry(*one) for one in entries)
    return f'<div style="display:flex;flex-wrap:wrap;gap:0.15rem 1.1rem;font-size:0.875rem">{shown}</div>'


def expected_texts(trades: pd.DataFrame, view: AroundView) -> list[tuple[str, str]]:
    """Say what was expected, and from where on it would have been flagged, each after its sign.

    What is not known is left out; a limit that is not drawn has no sign.
    """
    expected = view.expected
    (own,) = trades["price"][trades["place"] == 0]
    decimals = decimals_of(own, expected.low, expected.high)
    texts = []
    if expected.low is not None and expected.high is not None:
        low, high = (price_text(price, decimals) for price in (expected.low, expected.high))
        range_text = low if low == high else f"{low} to {high}"
        texts.append(("▮", f"recent prices it was compared with: {range_text}"))
    if expected.price_limit is not None:
        text = f"a price is flagged beyond {limit_text(expected.price_limit, own, decimals)}"
        is_drawn = expected.price_limit in shown_prices(trades, view)
        texts.append((BROKEN_LINE, text) if is_drawn else ("", f"{text}, which is off this chart"))
    if expected.size is not None:
        texts.append((LINE, f"usual size: {mean_size_text(expected.size)}"))
    if expected.size_limit is not None:
        texts.append((BROKEN_LINE, f"a size is flagged above {mean_size_text(expected.size_limit)}"))
    return texts
