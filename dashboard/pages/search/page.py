"""The search page: filters, a table that the server sorts and pages, and the result as a file."""

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from dashboard.pages.search.export import MAX_ROWS, FileType, export
from dashboard.pages.search.labels import MAX_LABELS_EXPORTED, export_labels
from dashboard.pages.search.queries import (
    MAX_TEXT,
    STANDINGS,
    VERDICTS,
    Filters,
    Order,
    Place,
    ResultPage,
    Side,
    SortBy,
    find_page,
    find_symbols,
)
from dashboard.pages.search.table import show_search_table
from dashboard.ui import url_state
from services.common.elastic.client import Elasticsearch
from services.contracts.anomaly import Severity
from services.contracts.detectors import LABELS
from services.review.corrections import corrections_of
from services.review.verdicts import count_verdicts, verdicts_of

PAGE_ROWS = 50
_MAX_SYMBOLS = 20
_MIME_TYPES = {FileType.CSV: "text/csv", FileType.PARQUET: "application/vnd.apache.parquet"}
_FILTERS = ("symbol", "from", "to", "label", "severity", "score", "verdict", "venue", "text", "at")
"""Names in the address."""

_PLACE, _FILE = "search-place", "search-file"


@dataclass(frozen=True)
class ReadyFile:
    """An export that is ready to be saved."""

    filters: Filters | None
    """Filters of the exported search; None for an export of labels."""
    order: Order | None
    name: str
    mime: str
    content: bytes


def show(client: Elasticsearch) -> None:
    """Show the filters and what they find."""
    symbols = find_symbols(client)
    if not symbols:
        st.info("There are no anomalies in Elasticsearch yet.", icon=":material/hourglass_empty:")
        st.text("Start the pipeline with `make demo`, or run `tapewatch detect` and `tapewatch index`.")
        return
    take_from_address()
    # Two rows: several choices in one control take room.
    choices = st.container(horizontal=True, gap="small")
    with st.container(horizontal=True, gap="small", vertical_alignment="bottom"):
        filters, order = choose_filters(symbols, choices), choose_order()
        if filters != Filters():
            st.button("Clear filters", icon=":material/filter_alt_off:", on_click=clear_filters)
    place: Place = st.session_state[_PLACE]
    write_to_address(filters, order, place)
    if filters.start and filters.end and filters.start >= filters.end:
        st.warning("The end must be later than the start. Change one of the two.")
        return
    page = find_page(client, filters, order, place, PAGE_ROWS)
    if page is None:
        st.info("The anomaly that this page starts from no longer exists. Showing the first page.")
        st.session_state[_PLACE] = Place()
        page = find_page(client, filters, order, Place(), PAGE_ROWS)
    if page is None or not page.total:
        show_nothing_found(filters, symbols)
    else:
        show_pager(page)
        judged = verdicts_of(client, list(page.rows["trade_id"]))
        corrections = corrections_of(client, list(page.rows["trade_id"]))
        show_search_table(page.rows, judged, corrections, order, on_sort=sort_by)
        st.caption(
            "Click a heading to sort all results, not only this page. "
            "Double-click a cell to read its full text."
        )
        # In a container: what comes and goes in it must not move, and so close, the part below.
        with st.container():
            show_exports(client, filters, order, page.total)
    show_labels_export(client)


def take_from_address() -> None:
    """Set the controls to what the address says, unless it is the one that they wrote themselves."""
    state = st.session_state
    was_changed = url_state.was_changed()
    if "search-symbols" in state and not was_changed:
        return
    low, high = url_state.read("score", _to_scores, (0.0, 1.0))
    state["search-symbols"] = url_state.read("symbol", _to_symbols, list[str]())
    state["search-from"] = url_state.read("from", _to_time, None)
    state["search-to"] = url_state.read("to", _to_time, None)
    state["search-labels"] = url_state.read_choices("label", LABELS)
    state["search-severities"] = url_state.read_choices("severity", list(reversed(Severity)))
    state["search-scores"] = (low, high)
    state["search-verdicts"] = url_state.read_choices("verdict", VERDICTS)
    state["search-standings"] = url_state.read_choices("venue", STANDINGS)
    state["search-text"] = url_state.read("text", str, "")[:MAX_TEXT]
    state["search-sort"] = url_state.read("sort", SortBy, SortBy.TIME)
    state["search-way"] = url_state.read("way", _to_way, True)
    state[_PLACE] = url_state.read("at", _to_place, Place())


def choose_filters(symbols: list[str], choices: DeltaGenerator) -> Filters:
    """Show the controls that narrow the search, those of several choices in a place of their own."""
    # Symbols of the address that nobody knows are shown, too, and can be taken away.
    known = [*symbols, *(one for one in st.session_state["search-symbols"] if one not in symbols)]
    with choices:
        chosen = st.multiselect(
            "Symbols",
            known,
            placeholder="All",
            key="search-symbols",
            max_selections=_MAX_SYMBOLS,
            on_change=to_first_page,
        )
        labels = _multiselect("Labels", list(LABELS), "search-labels")
        severities = _multiselect("Severity", list(reversed(Severity)), "search-severities")
        found = _multiselect("Verdict", list(VERDICTS), "search-verdicts")
        standings = _multiselect("Venue's correction", list(STANDINGS), "search-standings")
    start = _time_input("From (UTC)", "search-from")
    end = _time_input("To (UTC)", "search-to")
    # Its two ends stand in the session.
    st.slider("Score", 0.0, 1.0, step=0.01, key="search-scores", on_change=to_first_page, width="stretch")
    low, high = st.session_state["search-scores"]
    text = st.text_input(
        "Words in the message",
        key="search-text",
        max_chars=MAX_TEXT,
        on_change=to_first_page,
    )
    return Filters(
        tuple(chosen),
        start and start.replace(tzinfo=dt.UTC),
        end and end.replace(tzinfo=dt.UTC),
        tuple(labels),
        tuple(severities),
        low,
        high,
        tuple(found),
        tuple(standings),
        text.strip(),
    )


def choose_order() -> Order:
    """Show the controls that sort the table."""
    by = st.selectbox(
        "Sort by",
        [*SortBy],
        format_func=str.capitalize,
        key="search-sort",
        on_change=to_first_page,
    )
    is_descending = st.selectbox(
        "Order",
        [True, False],
        format_func=lambda way: "Descending" if way else "Ascending",
        key="search-way",
        on_change=to_first_page,
    )
    return Order(by, is_descending)


def write_to_address(filters: Filters, order: Order, place: Place) -> None:
    """Write what is shown into the address, without what equals the default."""
    at = place.side if place.side is Side.LAST else f"{place.side}:{place.trade_id}"
    has_scores = (filters.min_score, filters.max_score) != (0.0, 1.0)
    url_state.write(
        **{
            "symbol": filters.symbols,
            "from": filters.start and f"{filters.start:%Y-%m-%dT%H:%M}",
            "to": filters.end and f"{filters.end:%Y-%m-%dT%H:%M}",
            "label": filters.labels,
            "severity": filters.severities,
            "score": f"{filters.min_score:g},{filters.max_score:g}" if has_scores else None,
            "verdict": filters.verdicts,
            "venue": filters.standings,
            "text": filters.text,
            "sort": None if order.by is SortBy.TIME else order.by,
            "way": None if order.is_descending else "asc",
            "at": None if place.side is Side.FIRST else at,
        }
    )


def show_nothing_found(filters: Filters, symbols: list[str]) -> None:
    """Say that there is nothing, and what to do."""
    st.info("No anomaly matches all of these filters. Remove one to see more.", icon=":material/search_off:")
    if unknown := [symbol for symbol in filters.symbols if symbol not in symbols]:
        st.text(f"No anomaly of {', '.join(unknown)} is indexed: check the symbol.")


def show_pager(page: ResultPage) -> None:
    """Say which rows are shown, and let others be."""
    shown = len(page.rows)
    first, last = page.skipped + 1, page.skipped + shown
    ids = page.rows["trade_id"]
    has_before, has_after = page.skipped > 0 and shown > 0, last < page.total
    with st.container(horizontal=True, vertical_alignment="center"):
        text = (
            f"{first:,} to {last:,} of {page.total:,} anomalies" if shown else "There are no more anomalies"
        )
        st.markdown(f"**{text}**", width="content")
        _page_button("First", "first_page", Place(), bool(has_before or not shown))
        before = Place(Side.BEFORE, ids.iloc[0]) if has_before else Place()
        _page_button("Previous", "chevron_left", before, has_before)
        after = Place(Side.AFTER, ids.iloc[-1]) if has_after and shown else Place()
        _page_button("Next", "chevron_right", after, has_after and shown > 0)
        _page_button("Last", "last_page", Place(Side.LAST), has_after)


def show_exports(client: Elasticsearch, filters: Filters, order: Order, total: int) -> None:
    """Let the result be saved as a file."""
    rows = min(total, MAX_ROWS)
    with st.container(horizontal=True, vertical_alignment="center"):
        what = f"the first {rows:,} of {total:,}" if total > rows else f"all {total:,}" if total > 1 else "it"
        st.markdown(f"Export {what} as", width="content")
        wanted = [kind for kind in FileType if st.button(kind.upper() if kind is FileType.CSV else "Parquet")]
    for file_type in wanted:
        content = with_progress(rows, partial(export, client, filters, order, file_type))
        name = f"anomalies.{file_type}"
        st.session_state[_FILE] = ReadyFile(filters, order, name, _MIME_TYPES[file_type], content)
    ready: ReadyFile | None = st.session_state.get(_FILE)
    if ready is not None and (ready.filters, ready.order) == (filters, order):
        show_download(ready)


def show_labels_export(client: Elasticsearch) -> None:
    """Let all verdicts be saved as labels for training."""
    total = count_verdicts(client)
    with st.expander("Verdicts as labels for training"):
        if not total:
            st.text("There are no verdicts yet. Record one on the page of an anomaly.")
            return
        rows = min(total, MAX_LABELS_EXPORTED)
        limit = f" (the oldest {rows:,})" if total > rows else ""
        st.text(f"All {total:,} verdicts{limit}, regardless of filters, as CSV: trade_id, verdict, and more.")
        if st.button("Prepare the labels"):
            content = with_progress(rows, partial(export_labels, client))
            name, mime = "verdict-labels.csv", _MIME_TYPES[FileType.CSV]
            st.session_state[_FILE] = ReadyFile(None, None, name, mime, content)
        ready: ReadyFile | None = st.session_state.get(_FILE)
        if ready is not None and ready.filters is None:
            show_download(ready)


def with_progress(rows: int, make: Callable[[Callable[[int], object]], bytes]) -> bytes:
    """Return what `make` makes, and show how many of the rows it has written meanwhile."""
    bar = st.progress(0.0, "Reading")
    content = make(lambda done: bar.progress(min(done / rows, 1.0), f"{done:,} of {rows:,} rows"))
    bar.empty()
    return content


def show_download(ready: ReadyFile) -> None:
    """Show the button that saves a file."""
    st.download_button(
        f"Save {ready.name} ({_size(len(ready.content))})",
        ready.content,
        ready.name,
        ready.mime,
        on_click="ignore",
        type="primary",
        icon=":material/download:",
    )


def to_first_page() -> None:
    """Go to the first page: another search has other pages."""
    url_state.note_control()
    st.session_state[_PLACE] = Place()


def clear_filters() -> None:
    """Search for everything, in the order chosen."""
    url_state.write(**dict.fromkeys(_FILTERS))
    to_first_page()
    del st.session_state["search-symbols"]  # so that all controls are set again from the address


def go_to(place: Place) -> None:
    """Go to another page."""
    url_state.note_control()
    st.session_state[_PLACE] = place


def sort_by(by: SortBy) -> None:
    """Sort by a column; once more turns the order round."""
    state = st.session_state
    state["search-way"] = not state["search-way"] if state["search-sort"] == by else True
    state["search-sort"] = by
    to_first_page()


def _page_button(name: str, icon: str, place: Place, is_possible: bool) -> None:
    st.button(
        name,
        icon=f":material/{icon}:",
        disabled=not is_possible,
        on_click=go_to,
        args=(place,),
        type="tertiary",
    )


def _time_input(name: str, key: str) -> dt.datetime | None:
    return st.datetime_input(
        name,
        value=None,
        key=key,
        step=60,
        format="YYYY-MM-DD",
        on_change=to_first_page,
    )


def _multiselect(name: str, options: list[str], key: str) -> list[str]:
    return st.multiselect(name, options, placeholder="All", key=key, on_change=to_first_page)


def _to_symbols(text: str) -> list[str]:
    return [symbol for symbol in dict.fromkeys(text.split(",")) if symbol][:_MAX_SYMBOLS]


def _to_time(text: str) -> dt.datetime:
    time = dt.datetime.fromisoformat(text)
    if time.tzinfo is not None:
        time = time.astimezone(dt.UTC).replace(tzinfo=None)
    if not 1970 <= time.year <= 2200:
        raise ValueError(text)
    return time.replace(second=0, microsecond=0)


def _to_scores(text: str) -> tuple[float, float]:
    low, high = map(float, text.split(","))
    if not 0 <= low <= high <= 1:
        raise ValueError(text)
    return low, high


def _to_way(text: str) -> bool:
    return {"asc": False, "desc": True}[text]


def _to_place(text: str) -> Place:
    side, _, trade_id = text.partition(":")
    place = Place(Side(side), trade_id)
    if bool(trade_id) != (place.side in (Side.AFTER, Side.BEFORE)):
        raise ValueError(text)
    return place


def _size(count_bytes: int) -> str:
    return f"{count_bytes / 1e6:,.1f} MB" if count_bytes >= 1e6 else f"{count_bytes / 1e3:,.0f} kB"
