"""The verdict on one anomaly, and the form that records another."""

from collections.abc import Sequence

import streamlit as st

from dashboard.server.one_anomaly import Document
from dashboard.ui.anomaly_details import said_by, verdict_html
from dashboard.ui.draft import draft, forget_draft
from dashboard.ui.error_boundary import show_error
from dashboard.ui.who import needed
from services.common.elastic.client import Elasticsearch
from services.common.errors import TapewatchError
from services.review.history import MAX_COMMENT, Person
from services.review.verdicts import Decision, Verdict, history_of, record, verdicts_of, withdraw

VERDICT_KEYS = {Decision.CONFIRMED: "y", Decision.FALSE_ALARM: "n"}
"""Keys that record a verdict: is it one?"""

_TOLD = "verdict-told"


def show_verdict(
    client: Elasticsearch, anomaly: Document, person: Person | None, has_keys: bool = True
) -> None:
    """Show the anomaly's verdict, and let one be recorded or withdrawn.

    Parameters
    ----------
    client
        Elasticsearch client.
    anomaly
        As it is indexed.
    person
        Who records; None if that is not known.
    has_keys
        Whether keys record a verdict, too.
    """
    trade_id = anomaly["trade_id"]
    place = st.container()
    current = verdicts_of(client, [trade_id]).get(trade_id)
    comment = draft("Comment", f"verdict-{trade_id}", MAX_COMMENT)
    with st.container(horizontal=True, gap="small"):
        # No part of a button's key is the anomaly's: a key pressed right after the one that chose another row
        # is meant for that one.
        wanted = [
            one
            for one, key in VERDICT_KEYS.items()
            if st.button(
                one.capitalize(),
                key=f"verdict-{one}",
                shortcut=key if has_keys else None,
                type="primary" if one is Decision.CONFIRMED else "secondary",
            )
        ]
        # Who reopens a case takes back its verdict.
        can_withdraw = current is not None and current.alert_id is None
        is_withdrawn = can_withdraw and st.button("Withdraw verdict", icon=":material/undo:", type="tertiary")
    with place:
        if wanted or is_withdrawn:
            judge(client, anomaly, next(iter(wanted), None), comment, person)
        told, replaced = st.session_state.pop(_TOLD, (None, None))
        if told == trade_id:
            st.success("Recorded.")
            if replaced is not None:
                st.text(f"It replaces “{replaced.verdict}” {said_by(replaced)}.")
        show_current_verdict(current, history_of(client, trade_id))


def judge(
    client: Elasticsearch, anomaly: Document, verdict: Decision | None, comment: str, person: Person | None
) -> None:
    """Record a verdict or, for None, take it back, and show the page again; else say why not."""
    trade_id = anomaly["trade_id"]
    try:
        by = needed(person)
        if verdict is None:
            withdraw(client, trade_id, by.name, comment, by.signed_in)
        else:
            replaced = record(client, anomaly, verdict, comment, by.name, signed_in=by.signed_in)
            st.session_state[_TOLD] = (trade_id, replaced)
    except TapewatchError as error:
        show_error("Nothing was recorded. What you typed is still here: try again.", error)
        return
    forget_draft(f"verdict-{trade_id}")
    st.rerun()


def show_current_verdict(current: Verdict | None, history: Sequence[Verdict]) -> None:
    """Show the verdict that counts, and those before."""
    if current is not None:
        st.html(verdict_html(current))
    elif history:
        st.caption("No verdict counts now: the last one was withdrawn.")
    else:
        st.caption("No verdict has been recorded yet.")
    if len(history) > 1:
        with st.expander(f"All {len(history)} entries"):
            st.html("".join(map(verdict_html, reversed(history))))
