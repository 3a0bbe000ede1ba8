"""The anomalies before and after one, in the list that it was opened from."""

from dataclasses import dataclass

import streamlit as st

from dashboard.server.anomaly_search import PAGE_ROWS, Filters, Order, Place, Side, SortBy, find_page
from dashboard.server.one_anomaly import Document
from dashboard.ui import url_state
from dashboard.ui.navigation import go_to
from dashboard.ui.search_address import from_reference, to_parameters
from services.common.elastic.client import Elasticsearch

_PARAMETER = "list"


@dataclass(frozen=True)
class Neighbours:
    """Where an anomaly stands in a list."""

    before: str | None
    """Its `trade_id`; None at the beginning."""
    after: str | None
    number: int | None
    """Counted from 1; None if it is not, or no longer, in the list."""
    total: int


def show_neighbours(client: Elasticsearch, anomaly: Document) -> None:
    """Show where the anomaly stands, and the ways to the ones before and after it, and to the list."""
    own_list = url_state.read(_PARAMETER, from_reference, None)
    filters, order = own_list or (Filters(symbols=(anomaly["symbol"],)), Order(SortBy.TIME, False))
    found = find_neighbours(client, filters, order, anomaly["trade_id"])
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        for name, key, icon, trade_id in (
            ("Previous", "k", "chevron_left", found.before),
            ("Next", "j", "chevron_right", found.after),
        ):
            st.button(
                name,
                shortcut=key,
                icon=f":material/{icon}:",
                disabled=trade_id is None,
                on_click=_open,
                args=(trade_id,),
            )
        if own_list is not None and st.button("List", icon=":material/list:", shortcut="u"):
            # One that is not on the list's first page begins a page.
            at = f"after:{found.before}" if (found.number or 0) > PAGE_ROWS else ""
            go_to("search", **to_parameters(filters, order), at=at, selected=anomaly["trade_id"])
        where = "of the list" if own_list is not None else f"of {anomaly['symbol']} by time"
        if found.number is not None:
            st.text(f"{found.number:,} of {found.total:,} {where}", width="content")


def find_neighbours(client: Elasticsearch, filters: Filters, order: Order, trade_id: str) -> Neighbours:
    """Return where an anomaly stands among those that a search finds.

    Raises
    ------
    TapewatchError
        Elasticsearch does not answer, or rejects the request.
    """
    after = find_page(client, filters, order, Place(Side.AFTER, trade_id), 1)
    before = find_page(client, filters, order, Place(Side.BEFORE, trade_id), 1)
    if after is None or before is None:
        return Neighbours(None, None, None, 0)
    preceding = before.skipped + len(before.rows)
    return Neighbours(
        next(iter(before.rows["trade_id"]), None),
        next(iter(after.rows["trade_id"]), None),
        after.skipped if after.skipped == preceding + 1 else None,
        after.total,
    )


def _open(trade_id: str) -> None:
    url_state.write(id=trade_id)
