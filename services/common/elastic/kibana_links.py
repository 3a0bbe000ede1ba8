"""Links into Kibana's Discover."""

import datetime as dt
from typing import Any
from urllib.parse import quote

from services.contracts.indices import ANOMALIES_DATA_VIEW
from services.contracts.iso_time import iso_utc

_MARGIN = dt.timedelta(seconds=1)
_COLUMNS = ["severity", "score", "symbol", "anomalies", "message", "price", "size"]


def discover_url(kibana: str, trade_id: str, time: dt.datetime) -> str:
    """Return the address at which Discover shows one anomaly.

    Parameters
    ----------
    kibana
        Its URL, without a slash at the end.
    trade_id
        The anomaly's.
    time
        The anomaly's, UTC; it is what Discover's time filter is around.
    """
    start, end = time - _MARGIN, time + _MARGIN
    times = {"from": iso_utc(start, "milliseconds"), "to": iso_utc(end, "milliseconds")}
    state = {
        "columns": _COLUMNS,
        "index": ANOMALIES_DATA_VIEW,
        "query": {"language": "kuery", "query": f"trade_id:{kql_string(trade_id)}"},
    }
    return f"{kibana}/app/discover#/?_g={_encoded({'time': times})}&_a={_encoded(state)}"


def kql_string(text: str) -> str:
    """Return a text as a string of Kibana's query language, in which nothing has a meaning of its own."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def rison(value: Any) -> str:  # noqa: ANN401
    """Return a text, or lists and objects of texts, in the notation of Kibana's addresses."""
    if isinstance(value, list):
        return "!(" + ",".join(rison(inner) for inner in value) + ")"
    if isinstance(value, dict):
        return "(" + ",".join(f"{name}:{rison(inner)}" for name, inner in value.items()) + ")"
    escaped = str(value).replace("!", "!!").replace("'", "!'")
    return f"'{escaped}'"


def _encoded(value: dict[str, Any]) -> str:
    return quote(rison(value), safe="!(),:")
