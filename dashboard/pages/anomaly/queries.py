"""Earlier anomalies of the same kind as one; the answer is bounded."""

from dataclasses import dataclass

import pandas as pd

from dashboard.server.anomaly_rows import SHOWN_FIELDS, rows_of, to_anomaly_rows
from dashboard.server.elastic import search
from dashboard.server.one_anomaly import Document
from services.common.elastic.client import Elasticsearch
from services.contracts.indices import ANOMALIES_INDICES

MAX_EARLIER = 20


@dataclass(frozen=True)
class Earlier:
    """Anomalies of the same kind on the same symbol, before one."""

    label: str
    """The kind: the label of the highest-scored detection."""
    total: int
    rows: pd.DataFrame
    """The newest of them, newest first, `MAX_EARLIER` at most; as `to_anomaly_rows` lays them out."""


def find_earlier(client: Elasticsearch, anomaly: Document) -> Earlier:
    """Return earlier anomalies of the same kind on the same symbol.

    Raises
    ------
    TapewatchError
        Elasticsearch does not answer, or rejects the request.
    """
    label = to_anomaly_rows([anomaly])["label"][0]
    answer = search(
        client,
        ANOMALIES_INDICES,
        query={
            "bool": {
                "filter": [
                    {"term": {"symbol": anomaly["symbol"]}},
                    {"term": {"anomalies": label}},
                    {"range": {"@timestamp": {"lt": anomaly["@timestamp"]}}},
                ]
            }
        },
        sort=[{"@timestamp": "desc"}, {"trade_id": "asc"}],
        size=MAX_EARLIER,
        track_total_hits=True,
        source_includes=SHOWN_FIELDS,
    )
    return Earlier(label, answer["hits"]["total"]["value"], rows_of(answer))
