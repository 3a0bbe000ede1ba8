"""The session's volume-weighted average price as it stood at each time: the query, and the line."""

from collections.abc import Collection

import altair as alt
import pandas as pd

from dashboard.pages.symbol.chart import SILENT
from dashboard.pages.symbol.queries import TradeSummary, without
from dashboard.server.elastic import aggregate, by_time, during
from dashboard.server.sessions import same_trades
from dashboard.ui.palette import VWAP_COLOR
from dashboard.ui.time_ranges import TimeRange
from services.common.elastic.client import Elasticsearch
from services.contracts.indices import TRADES_INDICES
from services.contracts.iso_time import iso_utc

_SUMS = {
    "price": {"weighted_avg": {"value": {"field": "price"}, "weight": {"field": "size"}}},
    "shares": {"sum": {"field": "size"}},
}


def find_vwap(
    client: Elasticsearch,
    symbol: str,
    session: TimeRange,
    time_range: TimeRange,
    bucket_s: float,
    hidden: Collection[str] = (),
) -> pd.DataFrame:
    """Return the volume-weighted average price from the session's beginning to the end of each bucket.

    Parameters
    ----------
    client
        Elasticsearch client.
    symbol
        The symbol.
    session
        From whose start on prices are averaged.
    time_range
        Of the buckets.
    bucket_s
        Width of a bucket, as in `TradeSummary`.
    hidden
        The `trade_id`s of trades that are left out, as are those whose price or size does not count.

    Returns
    -------
    pandas.DataFrame
        A row for each bucket with volume, in order of time: `start` (UTC) and `vwap`.

    Raises
    ------
    TapewatchError
        Elasticsearch does not answer, or rejects the request.
    """
    ineligible = [{"term": {name: False}} for name in ("price_eligible", "volume_eligible")]
    start = iso_utc(time_range.start)
    answer = aggregate(
        client,
        TRADES_INDICES,
        [
            during(TimeRange(session.start, time_range.end)),
            {"term": {"symbol": symbol}},
            {"range": {"size": {"gt": 0}}},
            {"bool": {"must_not": ineligible}},
            *without(hidden),
        ],
        {
            "before": {"filter": {"range": {"@timestamp": {"lt": start}}}, "aggs": _SUMS},
            "within": {
                "filter": {"range": {"@timestamp": {"gte": start}}},
                "aggs": {"buckets": {"date_histogram": by_time(bucket_s), "aggs": _SUMS}},
            },
        },
        same_trades(client, session),
    )
    buckets = answer["within"]["buckets"]["buckets"] if answer else []
    nothing: dict[str, dict[str, float | None]] = {"price": {"value": None}, "shares": {"value": 0.0}}
    before = answer.get("before", nothing)
    prices = pd.Series([bucket["price"]["value"] for bucket in buckets], dtype="float64")
    shares = pd.Series([bucket["shares"]["value"] for bucket in buckets], dtype="float64")
    earlier = before["shares"]["value"]
    worth = (before["price"]["value"] or 0.0) * earlier
    return pd.DataFrame(
        {
            "start": pd.to_datetime([bucket["key"] for bucket in buckets], unit="ms", utc=True),
            "vwap": (worth + (prices * shares).cumsum()) / (earlier + shares.cumsum()),
        }
    )


def vwap_frame(vwap: pd.DataFrame, trades: TradeSummary) -> pd.DataFrame:
    """Lay it out as it is drawn, at the middle of each bucket."""
    width = pd.Timedelta(milliseconds=round(1000 * trades.bucket_s))
    return pd.DataFrame({"middle": vwap["start"] + width / 2, "vwap": vwap["vwap"]})


def vwap_layer() -> alt.Chart:
    """Return the layer of the line."""
    chart: alt.Chart = (
        alt.Chart(alt.NamedData("vwap"))
        .mark_line(**SILENT, color=VWAP_COLOR, strokeWidth=1.4, clip=True)
        .encode(x="middle:T", y="vwap:Q")
    )
    return chart
