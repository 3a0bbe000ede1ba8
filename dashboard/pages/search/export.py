"""Exports search results as CSV or Parquet, page by page, up to a stated number of rows."""

import csv
import io
from collections.abc import Callable, Sequence
from enum import StrEnum
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from dashboard.server.anomaly_search import Filters, Order, to_query, to_sort
from dashboard.ui.csv_cells import as_cell
from services.common.elastic.client import Elasticsearch
from services.common.elastic.paging import Hit, read_pages
from services.contracts.indices import ANOMALIES_INDICES
from services.review.corrections import corrections_of
from services.review.verdicts import verdicts_of

MAX_ROWS = 100_000
"""Rows of a file; a longer result is cut, and the page says so."""

_TEXT = pa.string()
SCHEMA = pa.schema(
    [
        ("time", pa.timestamp("ns", "UTC")),
        ("trade_id", _TEXT),
        ("symbol", _TEXT),
        ("price", pa.float64()),
        ("size", pa.float64()),
        ("side", _TEXT),
        ("severity", _TEXT),
        ("score", pa.float64()),
        ("labels", pa.list_(_TEXT)),
        ("message", _TEXT),
        ("session", _TEXT),
        ("profile", _TEXT),
        ("correction", _TEXT),
        ("verdict", _TEXT),
        ("comment", _TEXT),
        ("recorded_by", _TEXT),
        ("recorded_at", pa.timestamp("ms", "UTC")),
    ]
)

Row = dict[str, Any]


class FileType(StrEnum):
    """File types of an export."""

    CSV = "csv"
    PARQUET = "parquet"


def export(
    client: Elasticsearch,
    filters: Filters,
    order: Order,
    file_type: FileType,
    on_rows: Callable[[int], object],
) -> bytes:
    """Return the first `MAX_ROWS` of what is found, as a file.

    Parameters
    ----------
    client
        Elasticsearch client.
    filters, order
        What is searched for, and how it is sorted.
    file_type
        CSV (UTF-8, times as ISO 8601, labels joined by `; `) or Parquet (times and labels typed).
    on_rows
        Called repeatedly with how many rows have been written so far.

    Raises
    ------
    TapewatchError
        Elasticsearch does not answer, or rejects the request.
    """
    file = _CsvFile() if file_type is FileType.CSV else _ParquetFile()
    query, sort = to_query(client, filters, order), to_sort(order)
    written = 0
    for hits in read_pages(client, ANOMALIES_INDICES, query, sort, MAX_ROWS):
        file.add(_to_rows(client, hits))
        written += len(hits)
        on_rows(written)
    return file.close()


def _to_rows(client: Elasticsearch, hits: Sequence[Hit]) -> list[Row]:
    ids = [hit["_id"] for hit in hits]
    judged, corrections = verdicts_of(client, ids), corrections_of(client, ids)
    rows = []
    for hit in hits:
        source, verdict = hit["_source"], judged.get(hit["_id"])
        row = {name: source.get(name) for name in SCHEMA.names}
        row |= {
            "time": source["@timestamp"],
            "labels": source["anomalies"],
            "profile": source.get("model", {}).get("profile"),
            "correction": corrections[hit["_id"]].sentence() if hit["_id"] in corrections else None,
        }
        if verdict is not None:
            row |= {name: getattr(verdict, name) for name in SCHEMA.names[-4:]}
        rows.append(row)
    return rows


class _CsvFile:
    def __init__(self) -> None:
        self._text = io.StringIO(newline="")
        self._writer = csv.DictWriter(self._text, SCHEMA.names)
        self._writer.writeheader()

    def add(self, rows: list[Row]) -> None:
        for row in rows:
            flat = row | {"labels": "; ".join(row["labels"])}
            if row["recorded_at"] is not None:
                flat["recorded_at"] = row["recorded_at"].isoformat(timespec="milliseconds")
            self._writer.writerow(
                {name: as_cell(value) if isinstance(value, str) else value for name, value in flat.items()}
            )

    def close(self) -> bytes:
        return self._text.getvalue().encode()


class _ParquetFile:
    def __init__(self) -> None:
        self._file = io.BytesIO()
        self._writer = pq.ParquetWriter(self._file, SCHEMA, compression="zstd")

    def add(self, rows: list[Row]) -> None:
        times = pd.to_datetime([row["time"] for row in rows], format="ISO8601", utc=True)
        columns = {name: [row[name] for row in rows] for name in SCHEMA.names} | {"time": times}
        self._writer.write_table(
            pa.table([pa.array(columns[field.name], type=field.type) for field in SCHEMA], schema=SCHEMA)
        )

    def close(self) -> bytes:
        self._writer.close()
        return self._file.getvalue()
