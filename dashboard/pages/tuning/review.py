"""Prints above and below a threshold, judged one after the other without what the detectors say of them."""

import datetime as dt
from html import escape
from pathlib import Path
from typing import Any

import pandas as pd
import streamlit as st

from dashboard.pages.tuning.state import KEYS
from dashboard.server.elastic import search_first
from dashboard.server.one_anomaly import Document, find_trades_around
from dashboard.ui.around_charts import AroundView, around_price_chart, around_size_chart
from dashboard.ui.error_boundary import show_error
from dashboard.ui.prices import price_text, tick_decimals
from dashboard.ui.times import format_times
from dashboard.ui.trades_around import around_legend_html
from dashboard.ui.who import ask_who, needed
from dashboard.ui.zone import zone
from services.common.elastic.client import Elasticsearch
from services.common.errors import TapewatchError
from services.contracts.indices import TRADES_INDICES
from services.contracts.trade import SIDE_WORDS, size_text
from services.detector.offline.tuning.evidence.document import Evidence, Print, read_evidence
from services.detector.offline.tuning.evidence.findings import find
from services.review.history import Person
from services.review.verdicts import Decision, blind_verdicts, record

AROUND = 100
"""Trades shown before and after a print."""

ANSWERS = {
    Decision.CONFIRMED: ("An anomaly", "y"),
    Decision.FALSE_ALARM: ("Nothing unusual", "n"),
}
"""What a reviewer says, and the keys for it."""


def show_review(client: Elasticsearch, name: str) -> None:
    """Show the next print that is to be judged, or what the reviews say.

    Parameters
    ----------
    client
        Client of the cluster.
    name
        Of the folder with the samples, in the folder where the dashboard was started.
    """
    evidence = read_evidence(Path.cwd() / name)
    judged = blind_verdicts(client, [one.trade_id for one in evidence.prints])
    missing = st.session_state.setdefault(f"{KEYS}not-indexed-{name}", set())
    left = [one for one in evidence.prints if one.trade_id not in judged]
    waiting = [one for one in left if one.trade_id not in missing]
    st.progress(
        1 - len(left) / max(len(evidence.prints), 1),
        f"{len(judged):,} of {len(evidence.prints):,} prints reviewed",
    )
    if waiting:
        show_print(client, waiting[0], len(judged), missing)
        return
    if left:
        st.warning(
            f"{len(left):,} prints are not indexed, and cannot be shown. Index their days to review them.",
            icon=":material/search_off:",
        )
    show_findings(evidence, judged)


def show_print(client: Elasticsearch, one: Print, number: int, missing: set[str]) -> None:
    """Show a print among its neighbours, and let it be judged; `number` tells it from those before."""
    trade = find_print(client, one)
    if trade is None:
        missing.add(one.trade_id)
        st.rerun()
    st.caption(
        "Is this print, the ringed one, an anomaly: would you want to be told of it? Nothing that the "
        "detectors say of any print is shown. Your verdict goes into the print's history."
    )
    # What is said of the neighbours would give the print away.
    trades = find_trades_around(client, trade, AROUND, AROUND).assign(severity="", label="")
    st.html(print_html(trade, trades))
    with st.container(gap=None):
        view = AroundView()
        st.altair_chart(around_price_chart(trades, view), width="stretch")
        st.altair_chart(around_size_chart(trades, view), width="stretch")
    st.html(around_legend_html(trades, view))
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        person = ask_who(f"{KEYS}review-who")
        # Keys with a number: an answer that is given twice must not be one to a print that was not seen yet.
        chosen = [
            decision
            for decision, (words, key) in ANSWERS.items()
            if st.button(words, key=f"{KEYS}review-{number}-{key}", shortcut=key, type="primary")
        ]
    if chosen:
        judge(client, trade, chosen[0], person)


def judge(client: Elasticsearch, trade: Document, decision: Decision, person: Person | None) -> None:
    """Record a verdict and go to the next print; else say why not."""
    try:
        by = needed(person)
        record(client, trade, decision, "", by.name, signed_in=by.signed_in, blind=True)
    except TapewatchError as error:
        show_error("Nothing was recorded: try again.", error)
        return
    st.rerun()


def find_print(client: Elasticsearch, one: Print) -> Document | None:
    """Return a print as it is indexed; None if it is not.

    Raises
    ------
    TapewatchError
        Elasticsearch does not answer, or rejects the request.
    """
    then = {"range": {"@timestamp": {"gte": one.time, "lte": one.time}}}
    query = {"bool": {"filter": [{"term": {"trade_id": one.trade_id}}, then]}}
    return search_first(client, TRADES_INDICES, query=query)


def print_html(trade: dict[str, Any], trades: pd.DataFrame) -> str:
    """Return what was traded and when, as HTML in which what comes from the data is only text."""
    (time,) = format_times(pd.Series(pd.to_datetime([trade["@timestamp"]], format="ISO8601", utc=True)))
    price = price_text(trade["price"], tick_decimals(trades["price"]))
    side = SIDE_WORDS.get(trade["side"], trade["side"])
    conditions = ", ".join(str(one).replace("_", " ") for one in trade.get("conditions") or ())
    text = f"{size_text(trade['size'])} at {price} · {side} · {time} {zone().city}"
    return (
        f'<div style="font-size:1.15rem"><b style="font-weight:600">{escape(str(trade["symbol"]))}</b>&ensp;'
        f"{escape(text)}{escape(f' · {conditions}') if conditions else ''}</div>"
    )


def show_findings(evidence: Evidence, judged: dict[str, bool]) -> None:
    """Show what the reviews say of each threshold, and what changed since the profile before."""
    st.subheader("What the reviews say", anchor=False)
    made = dt.datetime.fromisoformat(evidence.made_at)
    st.caption(
        f"Drawn on {made:%Y-%m-%d} by the seed {evidence.seed} from {evidence.trades:,} trades, for the "
        f"profile {evidence.profile}. `tapewatch evidence` prints the same."
    )
    for finding in find(evidence, judged):
        first, *others = finding.sentences()
        st.markdown(f"**{first}**")
        for sentence in others:
            st.text(sentence)
    with st.expander(f"What changed since the profile {evidence.before}"):
        for change in evidence.changes:
            st.text(change)
