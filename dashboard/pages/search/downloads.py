"""The search's result and the verdicts as files, to be saved by a person."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import streamlit as st

from dashboard.pages.search.export import MAX_ROWS, FileType, export
from dashboard.pages.search.labels import MAX_LABELS_EXPORTED, export_labels
from dashboard.server.anomaly_search import Filters, Order
from services.common.elastic.client import Elasticsearch
from services.review.cases import count_judged_cases
from services.review.verdicts import count_verdicts

_MIME_TYPES = {FileType.CSV: "text/csv", FileType.PARQUET: "application/vnd.apache.parquet"}
_FILE = "search-file"


@dataclass(frozen=True)
class ReadyFile:
    """An export that is ready to be saved."""

    filters: Filters | None
    """Filters of the exported search; None for an export of labels."""
    order: Order | None
    name: str
    mime: str
    content: bytes


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
    total, closed = count_verdicts(client), count_judged_cases(client)
    with st.expander("Verdicts as labels for training"):
        if not total and not closed:
            st.text("There are no verdicts yet. Record one on the page of an anomaly, or close an alert.")
            return
        rows = max(min(total, MAX_LABELS_EXPORTED), 1)
        limit = f" (the oldest {rows:,})" if total > rows else ""
        of_cases = f", and those of the anomalies of {closed:,} closed alerts" if closed else ""
        st.text(
            f"All {total:,} verdicts{limit}{of_cases}, regardless of filters, as CSV: "
            "trade_id, verdict, and more."
        )
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


def _size(count_bytes: int) -> str:
    return f"{count_bytes / 1e6:,.1f} MB" if count_bytes >= 1e6 else f"{count_bytes / 1e3:,.0f} kB"
