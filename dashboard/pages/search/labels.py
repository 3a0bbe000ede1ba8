"""Exports all verdicts as a file: labels for training."""

import csv
import io
from collections.abc import Callable

from dashboard.ui.csv_cells import as_cell
from services.common.elastic.client import Elasticsearch
from services.review.verdicts import read_verdicts

MAX_LABELS_EXPORTED = 200_000
LABEL_COLUMNS = (
    "trade_id",
    "verdict",
    "symbol",
    "@timestamp",
    "recorded_at",
    "recorded_by",
    "comment",
    "alert_id",
)
"""The last one names the alert whose case was closed with the verdict; empty for one on an anomaly."""


def export_labels(client: Elasticsearch, on_rows: Callable[[int], object]) -> bytes:
    """Return the verdicts as labels for training: CSV, UTF-8, in the order of `read_verdicts`.

    Parameters
    ----------
    client
        Elasticsearch client.
    on_rows
        Called repeatedly with how many verdicts have been written so far; `MAX_LABELS_EXPORTED` at most.

    Returns
    -------
    bytes
        A header (`LABEL_COLUMNS`) and a line for each verdict.

    Raises
    ------
    TapewatchError
        Elasticsearch does not answer, or rejects the request.
    """
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(LABEL_COLUMNS)
    written = 0
    for verdicts in read_verdicts(client, MAX_LABELS_EXPORTED):
        writer.writerows([as_cell(one.get(column, "")) for column in LABEL_COLUMNS] for one in verdicts)
        written += len(verdicts)
        on_rows(written)
    return text.getvalue().encode()
