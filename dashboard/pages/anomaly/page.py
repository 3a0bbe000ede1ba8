"""The page of one anomaly: why it was flagged, the trades around it, and its verdict."""

import datetime as dt
import shlex
from urllib.parse import quote

import pandas as pd
import streamlit as st

from dashboard.pages.anomaly.charts import contributions_chart, contributions_table
from dashboard.pages.anomaly.neighbours import show_neighbours
from dashboard.pages.anomaly.queries import MAX_EARLIER, find_earlier
from dashboard.server.anomaly_rows import to_anomaly_rows
from dashboard.server.one_anomaly import find_anomaly
from dashboard.settings import DashboardSettings
from dashboard.ui import url_state
from dashboard.ui.anomaly_details import Document, detections_html, facts_html, sentence_html
from dashboard.ui.anomaly_table import show_anomaly_table
from dashboard.ui.navigation import link_to
from dashboard.ui.page_title import set_title
from dashboard.ui.trades_around import show_around
from dashboard.ui.verdict_form import show_verdict
from dashboard.ui.who import ask_who
from services.common.elastic.client import Elasticsearch
from services.common.elastic.kibana_links import discover_url
from services.review.corrections import corrections_of
from services.review.verdicts import verdicts_of

EARLIER_HEIGHT = 400


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
        st.text("If it is a trade that was not flagged, this says how far it was from that:")
        st.code(reproduce_command(trade_id), language="shell", wrap_lines=True)
        ask_for_id()
        return
    set_title(*title_of(anomaly))
    show_neighbours(client, anomaly)
    st.html(sentence_html(anomaly, corrections_of(client, [trade_id]).get(trade_id)))
    st.html(facts_html(anomaly))
    show_links(anomaly)
    why, verdict = st.columns([2, 1], gap="large")
    with why:
        show_why(anomaly)
    with verdict:
        st.markdown("#### Verdict")
        show_verdict(client, anomaly, ask_who("verdict-who"))
    show_around(client, anomaly)
    show_earlier(client, anomaly)


def ask_for_id() -> None:
    """Let an anomaly be opened by its id."""
    trade_id = st.text_input("Trade id of the anomaly", key="asked-id", max_chars=512, width=420)
    if trade_id.strip() and trade_id.strip() != st.query_params.get("id"):
        url_state.write(id=trade_id.strip())
        st.rerun()
    st.caption("Every anomaly on the overview, on a symbol's page and on the search page links to its own.")


def show_links(anomaly: Document) -> None:
    """Show the link to this very view, and the one to Kibana."""
    kibana = DashboardSettings().kibana
    time = dt.datetime.fromisoformat(anomaly["@timestamp"])
    with st.container(horizontal=True, vertical_alignment="center"):
        with st.popover("Link to this view", icon=":material/link:"):
            st.code(f"{st.context.url or ''}?id={quote(anomaly['trade_id'], safe='')}", language=None)
        with st.popover("Judge it again", icon=":material/replay:"):
            st.code(reproduce_command(anomaly["trade_id"]), language="shell", wrap_lines=True)
            st.caption(
                "Run where Tapewatch is installed, this rebuilds the session up to this trade, and shows "
                "what mattered and how far beyond each threshold it is."
            )
        link_to("", "Last five sessions", ":material/date_range:", symbol=anomaly["symbol"], session="last-5")
        st.link_button(
            "Open in Kibana",
            discover_url(kibana, anomaly["trade_id"], time) if kibana else "about:blank",
            icon=":material/open_in_new:",
            disabled=kibana is None,
            help=None if kibana else "Set TAPEWATCH_KIBANA to the URL of Kibana, and restart the dashboard.",
        )


def reproduce_command(trade_id: str) -> str:
    """Return what to type to judge a trade again."""
    separator = "-- " if trade_id.startswith("-") else ""
    return f"tapewatch reproduce {separator}{shlex.quote(trade_id)}"


def show_why(anomaly: Document) -> None:
    """Show what each detector saw, and the contribution of each feature."""
    st.markdown("#### Why it was flagged")
    st.html(detections_html(anomaly))
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
    show_anomaly_table(
        earlier.rows, verdicts_of(client, ids), corrections_of(client, ids), "earlier", height=EARLIER_HEIGHT
    )


def title_of(anomaly: Document) -> tuple[str, str, str]:
    """Return what tells the anomaly from others: its symbol, the minute (UTC) and what it is."""
    time = dt.datetime.fromisoformat(anomaly["@timestamp"])
    return anomaly["symbol"], f"{time:%H:%M}", to_anomaly_rows([anomaly])["label"][0]
