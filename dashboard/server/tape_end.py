"""Where the tape ends: its newest trade, as far as that is not dated in the future."""

import datetime as dt
from dataclasses import dataclass

from dashboard.server import plausible_times
from dashboard.server.elastic import newest_of, search
from dashboard.server.newest import find_newest
from services.common.elastic.client import Elasticsearch
from services.contracts.indices import ANOMALIES_INDICES, TRADES_INDICES
from services.contracts.iso_time import iso_utc


@dataclass(frozen=True)
class TapeEnd:
    """The newest of what is indexed, over all symbols; times are UTC."""

    trades: int
    """Number of trades, in all indices."""
    newest: dt.datetime | None
    """Time of the newest trade that is not of the future; None without any."""
    future: dt.datetime | None
    """Time of the newest trade of the future, such as one with a wrong date; None without any."""
    newest_anomaly: dt.datetime | None
    """The same of anomalies as `newest`."""
    newest_detection: dt.datetime | None


def find_tape_end(client: Elasticsearch, now: dt.datetime) -> TapeEnd:
    """Look where the tape ends.

    Parameters
    ----------
    client
        Client of the cluster.
    now
        UTC.

    Raises
    ------
    TapewatchError
        Elasticsearch does not answer, or rejects the request.
    """
    trades, last = find_newest(client, TRADES_INDICES)
    newest, future = last, None
    latest = plausible_times.latest(now)
    if last is not None and last > latest:
        future = last
        _, newest = find_newest(client, TRADES_INDICES, iso_utc(latest))
    until_now = {"range": {"@timestamp": {"lte": iso_utc(latest)}}}
    anomalies = search(
        client,
        ANOMALIES_INDICES,
        size=0,
        track_total_hits=False,
        aggs={
            "known": {"filter": until_now, "aggs": {"newest": {"max": {"field": "@timestamp"}}}},
            "detected": {"max": {"field": "detected_at"}},
        },
    ).get("aggregations", {})
    return TapeEnd(
        trades,
        newest,
        future,
        newest_of(anomalies.get("known", {}), "newest"),
        newest_of(anomalies, "detected"),
    )


def newest_trade(client: Elasticsearch) -> dt.datetime | None:
    """Return the time of the newest trade that is not of the future; None without any.

    Raises
    ------
    TapewatchError
        Elasticsearch does not answer, or rejects the request.
    """
    # By Elasticsearch's own clock, so that equal requests stay equal: their answers are shared and kept.
    return find_newest(client, TRADES_INDICES, plausible_times.latest_in_query())[1]
