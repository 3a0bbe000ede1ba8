"""Links into Kibana's Discover."""

import datetime as dt
from typing import Any
from urllib.parse import quote

from services.contracts.indices import ANOMALIES_DATA_VIEW

_MARGIN = dt.timedelta(seconds=1)


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
    times = {"from": _iso(time - _MARGIN), "to": _iso(time + _MARGIN)}
    state = {
        "index": ANOMALIES_DATA_VIEW,
        "query": {"language": "kuery", "query": f"trade_id:{kql_string(trade_id)}"},
    }
    return f"{kibana}/app/discover#/?_g={_encoded({'time': times})}&_a={_encoded(state)}"


def kql_string(text: str) -> str:
    """Return a text as a string of Kibana's query language, in which nothing has a meaning of its own."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def rison(value: Any) -> str:  # noqa: ANN401
    """Return a text, or objects of texts within each other, in the notation of Kibana's addresses."""
    if isinstance(value, dict):
        return "(" + ",".join(f"{name}:{rison(inner)}" for name, inner in value.items()) + ")"
    escaped = str(value).replace("!", "!!").replace("'", "!'")
    return f"'{escaped}'"


def _encoded(value: dict[str, Any]) -> str:
    return quote(rison(value), safe="(),:")


def _iso(time: dt.datetime) -> str:
    return time.astimezone(dt.UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
