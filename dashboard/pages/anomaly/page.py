"""The page of one anomaly: why it was flagged, the trades around it, and its verdict."""

import datetime as dt
from collections.abc import Mapping
from urllib.parse import quote

import pandas as pd
import streamlit as st

from dashboard.pages.anomaly.charts import (
    around_price_chart,
    around_size_chart,
    contributions_chart,
    contributions_table,
)
from dashboard.pages.anomaly.details import (
    SIDE_WORDS,
    Document,
    around_legend_html,
    detections_html,
    headline_html,
    said_by,
    verdict_html,
)
from dashboard.pages.anomaly.queries import MAX_EARLIER, find_anomaly, find_earlier, find_trades_around
from dashboard.settings import DashboardSettings
from dashboard.ui import url_state
from dashboard.ui.anomaly_table import column_config, price_decimals, size_format, to_judged_table
from dashboard.ui.exchange import exchange
from dashboard.ui.kibana_links import discover_url
from dashboard.ui.times import format_times
from services.common.elastic.client import Elasticsearch
from services.review.corrections import VenueCorrection, corrections_of
from services.review.verdicts import MAX_COMMENT, MAX_NAME, Decision, record, verdicts_of, withdraw

AROUND = (20, 50, 200)
"""Trades before and after that can be chosen."""

TABLE_HEIGHT = 300
_WHO = "verdict-recorded-by"


def show(client: Elasticsearch) -> None:
    """Show the anomaly that the address names."""
    trade_id = url_state.read("id", str, "")
    if not trade_id:
        ask_for_id()
        return
    anomaly = find_anomaly(client, trade_id)
    if anomaly is None:
        st.info("No anomaly with this id is indexed.", icon=":material/search_off:")
        st.text(trade_id)
        st.text(
            "Check that the id is complete. The anomaly may also have been deleted because of its age, or a "
            "later run of the detector no longer flags this trade. Look for it on the search page."
        )
        ask_for_id()
        return
    st.html(headline_html(anomaly, corrections_of(client, [trade_id]).get(trade_id)))
    show_links(anomaly)
    why, verdict = st.columns([2, 1], gap="large")
    with why:
        show_why(anomaly)
    with verdict:
        show_verdict(client, anomaly)
    show_around(client, anomaly)
    show_earlier(client, anomaly)


def ask_for_id() -> None:
    """Let an anomaly be opened by its id."""
    trade_id = st.text_input("Trade id of the anomaly", key="asked-id", max_chars=512, width=420)
    if trade_id.strip() and trade_id.strip() != st.query_params.get("id"):
        url_state.write(id=trade_id.strip())
        st.rerun()
    st.caption("Each row of the tables on the overview and the search page links to its anomaly.")


def show_links(anomaly: Document) -> None:
    """Show the link to this very view, and the one to Kibana."""
    kibana = DashboardSettings().kibana
    time = dt.datetime.fromisoformat(anomaly["@timestamp"])
    with st.container(horizontal=True, vertical_alignment="center"):
        with st.popover("Link to this view", icon=":material/link:"):
            st.code(f"{st.context.url or ''}?id={quote(anomaly['trade_id'], safe='')}", language=None)
        st.link_button(
            "Open in Kibana",
            discover_url(kibana, anomaly["trade_id"], time) if kibana else "about:blank",
            icon=":material/open_in_new:",
            disabled=kibana is None,
            help=None if kibana else "Set TAPEWATCH_KIBANA to the URL of Kibana, and restart the dashboard.",
        )


def show_why(anomaly: Document) -> None:
    """Show what each detector saw, and the contribution of each feature."""
    st.markdown("#### Why it was flagged")
    st.html(detections_html(anomaly.get("detections") or []))
    contributions = anomaly.get("contributions")
    if contributions:
        st.markdown("**Contribution of each feature**")
        table = contributions_table(contributions, anomaly.get("features") or {})
        st.altair_chart(contributions_chart(table), width="stretch")
    if features := anomaly.get("features"):
        with st.expander("All features"):
            st.dataframe(
                pd.DataFrame(
                    {"Feature": [name.replace("_", " ") for name in features], "Value": features.values()}
                ),
                hide_index=True,
                width="stretch",
            )


def show_verdict(client: Elasticsearch, anomaly: Document) -> None:
    """Show the anomaly's verdict, and let one be recorded."""
    st.markdown("#### Verdict")
    place = st.container()
    trade_id = anomaly["trade_id"]
    with st.form(f"verdict-{trade_id}", border=False):
        verdict = st.segmented_control(
            "What is it?", list(Decision), format_func=str.capitalize, key=f"decision-{trade_id}"
        )
        comment = st.text_area("Comment", max_chars=MAX_COMMENT, height=90, key=f"comment-{trade_id}")
        name = st.text_input("Your name", value=st.session_state.get(_WHO, ""), max_chars=MAX_NAME)
        is_submitted = st.form_submit_button("Record", type="primary")
    with place:
        if is_submitted:
            st.session_state[_WHO] = name
            if verdict is None:
                st.warning("Choose a verdict: confirmed, or false alarm.")
            elif not name.strip():
                st.warning("Enter your name: others see who gave the verdict.")
            else:
                replaced = record(client, anomaly, verdict, comment, name)
                st.success("Recorded.")
                if replaced is not None:
                    st.text(f"It replaces “{replaced.verdict}” {said_by(replaced)}.")
        current = verdicts_of(client, [trade_id]).get(trade_id)
        if current is None:
            st.caption("No verdict has been recorded yet.")
            return
        st.html(verdict_html(current))
        # Not in a callback: what fails there, no page can explain.
        if st.button("Withdraw verdict", icon=":material/undo:", type="tertiary"):
            withdraw(client, trade_id)
            st.rerun()


def show_around(client: Elasticsearch, anomaly: Document) -> None:
    """Show the trades before and after as a chart and as tables."""
    st.markdown("#### Trades before and after")
    count = st.segmented_control(
        "Trades on each side",
        AROUND,
        default=url_state.read("around", _to_count, AROUND[0]),
        required=True,
        key="around",
    )
    url_state.write(around=None if count == AROUND[0] else count)
    trades = find_trades_around(client, anomaly, count)
    if len(trades) == 1:
        st.info("No other trade of this symbol is indexed: the day may have been deleted because of its age.")
        return
    st.html(around_legend_html(trades))
    with st.container(gap=None):
        st.altair_chart(around_price_chart(trades), width="stretch")
        st.altair_chart(around_size_chart(trades), width="stretch")
    corrections = corrections_of(client, trades["trade_id"].tolist())
    before, after = st.columns(2)
    formats = {"Price": f"%.{price_decimals(trades['price'])}f", "Size": size_format(trades["size"])}
    with before:
        st.caption("Before, nearest first")
        show_trades(trades[trades["place"] < 0].iloc[::-1], formats, corrections)
    with after:
        st.caption("After, nearest first")
        show_trades(trades[trades["place"] > 0], formats, corrections)


def show_trades(
    trades: pd.DataFrame, formats: Mapping[str, str], corrections: Mapping[str, VenueCorrection]
) -> None:
    """Show trades, one a row, with the given formats of price and size, and what the venue said of them."""
    local = {} if exchange().is_utc else {exchange().city: exchange().local(trades["time"])}
    said = [corrections[one].short if one in corrections else "" for one in trades["trade_id"]]
    st.dataframe(
        pd.DataFrame(
            {
                "Trade": trades["place"].map("{:+d}".format),
                "Time (UTC)": format_times(trades["time"]).str[11:],
                **{city: times.dt.strftime("%H:%M:%S") for city, times in local.items()},
                "Price": trades["price"],
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
            name: st.column_config.NumberColumn(format=number_format)
            for name, number_format in formats.items()
        },
    )


def show_earlier(client: Elasticsearch, anomaly: Document) -> None:
    """Show anomalies of the same kind on the same symbol."""
    earlier = find_earlier(client, anomaly)
    st.markdown("#### Earlier anomalies of the same kind")
    if not earlier.total:
        st.text(f"{anomaly['symbol']} has no earlier anomaly with the label {earlier.label}.")
        return
    shown = f"the newest {MAX_EARLIER} of {earlier.total:,}" if earlier.total > MAX_EARLIER else "all of them"
    st.text(f"{anomaly['symbol']}, {earlier.label}: {shown}")
    ids = earlier.rows["trade_id"].tolist()
    st.dataframe(
        to_judged_table(earlier.rows, verdicts_of(client, ids), corrections_of(client, ids)),
        hide_index=True,
        width="stretch",
        column_config=column_config(earlier.rows),
    )


def _to_count(text: str) -> int:
    if int(text) not in AROUND:
        raise ValueError(text)
    return int(text)
