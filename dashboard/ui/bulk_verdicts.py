"""One verdict for several anomalies of a list."""

from collections.abc import Callable, Mapping
from typing import Any

import pandas as pd
import streamlit as st

from dashboard.ui.draft import draft, forget_draft
from dashboard.ui.row_list.row_list import ticked, untick
from dashboard.ui.verdict_form import VERDICT_KEYS
from dashboard.ui.who import needed
from services.common.elastic.client import Elasticsearch
from services.common.errors import TapewatchError
from services.review.history import MAX_COMMENT, Person
from services.review.verdicts import Decision, Verdict, record, verdicts_of

_MOST_NAMED = 5
"""Anomalies that are named one by one."""


def show_bulk(
    client: Elasticsearch,
    list_key: str,
    rows: pd.DataFrame,
    verdicts: Mapping[str, Verdict],
    person: Person | None,
) -> bool:
    """Show what can be done with the ticked rows of a list, and do it.

    Parameters
    ----------
    client
        Elasticsearch client.
    list_key
        Key of the list.
    rows
        All rows of the list, as in `AnomalySummary.rows`.
    verdicts
        Those that the list shows now, by `trade_id`.
    person
        Who records; None if that is not known.

    Returns
    -------
    bool
        Whether rows are ticked.
    """
    told_key, seen_key = f"{list_key}-told", f"{list_key}-seen"
    # The person has pressed a button at the verdicts of the run before.
    seen: Mapping[str, Verdict] = st.session_state.get(seen_key, {})
    st.session_state[seen_key] = dict(verdicts)
    for show, text in st.session_state.pop(told_key, ()):
        show(text)
    ids = ticked(list_key)
    chosen = rows[rows["trade_id"].isin(ids)]
    if chosen.empty:
        return False
    count = len(chosen)
    with st.container(border=True):
        st.markdown(f"**{count} ticked**")
        said = st.container()
        comment = draft("One comment for all of them", list_key, MAX_COMMENT, height=68)
        with st.container(horizontal=True, gap="small"):
            wanted = [
                one
                for one, key in VERDICT_KEYS.items()
                if st.button(
                    f"{one.capitalize()}: {count}",
                    key=f"{list_key}-{one}",
                    shortcut=key,
                    type="primary" if one is Decision.CONFIRMED else "secondary",
                )
            ]
            st.button("Untick all", on_click=untick, args=(list_key,), type="tertiary")
        for verdict in wanted:
            try:
                with said:
                    refused = judge_all(client, chosen, verdict, comment, seen, needed(person))
            except TapewatchError as error:
                said.warning(error.cause)
                said.text(error.hint)
                continue
            st.session_state[told_key] = _told(verdict, count, refused)
            st.session_state[f"{list_key}-ticked"] = list(refused)
            if not refused:
                forget_draft(list_key)
            st.rerun()
    return True


def judge_all(
    client: Elasticsearch,
    rows: pd.DataFrame,
    verdict: Decision,
    comment: str,
    seen: Mapping[str, Verdict],
    by: Person,
) -> dict[str, str]:
    """Record a verdict on each row, but on none that somebody has judged since the person saw it.

    Returns
    -------
    dict of str to str
        By `trade_id` of those on which none was recorded, why.

    Raises
    ------
    TapewatchError
        Elasticsearch does not answer, or rejects the request: nothing was recorded.
    """
    now = verdicts_of(client, rows["trade_id"].tolist())
    refused: dict[str, str] = {}
    bar = st.progress(0.0, "Recording")
    for number, row in enumerate(rows.to_dict("records"), start=1):
        trade_id = row["trade_id"]
        if (newer := now.get(trade_id)) != seen.get(trade_id):
            refused[trade_id] = f"{row['symbol']} {row['time']:%H:%M:%S}: {_since(newer)}"
        else:
            try:
                record(client, _document(row), verdict, comment, by.name, signed_in=by.signed_in)
            except TapewatchError as error:
                refused[trade_id] = f"{row['symbol']} {row['time']:%H:%M:%S}: {error.cause} {error.hint}"
        bar.progress(number / len(rows), f"Recorded {number - len(refused)} of {len(rows)}")
    bar.empty()
    return refused


def _told(
    verdict: Decision, count: int, refused: Mapping[str, str]
) -> list[tuple[Callable[[str], object], str]]:
    """Return what is said of a verdict for several, and how."""
    if not refused:
        return [(st.success, f"Recorded as {verdict}: {count}.")]
    text = (
        f"Not recorded: {len(refused)} of {count}. They are still ticked; if you press again, "
        "your verdict counts instead."
    )
    return [(st.warning, text), *((st.text, why) for why in list(refused.values())[:_MOST_NAMED])]


def _since(newer: Verdict | None) -> str:
    if newer is None:
        return "the verdict that you see was withdrawn since."
    return f"{newer.recorded_by} has said “{newer.verdict}” since."


def _document(row: Mapping[Any, Any]) -> dict[str, Any]:
    """Return what a verdict needs of an anomaly's document."""
    time = row["time"].isoformat(timespec="nanoseconds").replace("+00:00", "Z")
    return {"trade_id": row["trade_id"], "symbol": row["symbol"], "@timestamp": time}
