"""When the stretches of anomalies that have grown ended."""

import datetime as dt

import pandas as pd

from dashboard.server.elastic import during, search
from dashboard.ui.time_ranges import TimeRange
from services.common.elastic.client import Elasticsearch
from services.contracts.indices import TRADES_INDICES

LONGEST = dt.timedelta(days=1)
"""A stretch is at most that long: it is part of a session."""


def find_ends(client: Elasticsearch, rows: pd.DataFrame) -> pd.Series:
    """Return when the last print of each anomaly's stretch was.

    Parameters
    ----------
    client
        Elasticsearch client.
    rows
        As `to_anomaly_rows` lays anomalies out, at most as many as a page shows.

    Returns
    -------
    pandas.Series
        UTC, with the index of `rows`; NaT where an anomaly is of one print, or its last one is not indexed.

    Raises
    ------
    TapewatchError
        Elasticsearch does not answer, or rejects the request.
    """
    last = rows["last_trade"].where(rows["last_trade"] != rows["trade_id"])
    wanted = sorted(set(last.dropna()))
    times: dict[str, str] = {}
    if wanted:
        starts = rows["time"].dt.floor("us")
        around = TimeRange(starts.min().to_pydatetime(), starts.max().to_pydatetime() + LONGEST)
        answer = search(
            client,
            TRADES_INDICES,
            query={"bool": {"filter": [during(around), {"terms": {"trade_id": wanted}}]}},
            size=len(wanted),
            track_total_hits=False,
            source_includes=("@timestamp", "trade_id"),
        )
        sources = [hit["_source"] for hit in answer["hits"]["hits"]]
        times = {source["trade_id"]: source["@timestamp"] for source in sources}
    return pd.to_datetime(last.map(times), format="ISO8601", utc=True)
