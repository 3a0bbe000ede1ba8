"""Asks what the detector expected: its detectors compare the session's trades again, once for all visitors.

Not loaded before it is asked for, as the detectors take seconds to load.
"""

from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import streamlit as st

from dashboard.pages.symbol.expected import Expected, session_of, to_buckets
from dashboard.pages.symbol.queries import TradeSummary
from dashboard.server.elastic import search_first
from dashboard.server.kept import kept
from dashboard.ui.progress import Progress
from dashboard.ui.time_ranges import TimeRange
from services.common.elastic.client import Elasticsearch
from services.common.errors import TapewatchError
from services.contracts.indices import ANOMALIES_INDICES
from services.contracts.iso_time import iso_utc
from services.detector.offline.expected.buckets import by_bucket
from services.detector.offline.expected.session import ExpectedSession
from services.detector.offline.tuning.profile_choice import Profile, load_profile, profile_of

SESSIONS_KEPT = 2
AT_ONCE_TRADES = 10_000
"""So many are read before a bar could be seen."""

_PROFILES_FOR_S = 60.0


def find_expected(
    client: Elasticsearch, symbol: str, time_range: TimeRange, trades: TradeSummary
) -> Expected:
    """Return what was expected of a symbol's trades, after those that are new have been read.

    Parameters
    ----------
    client
        Elasticsearch client.
    symbol
        The symbol.
    time_range
        What the charts show.
    trades
        With one bucket at least.

    Raises
    ------
    TapewatchError
        Elasticsearch does not say which profile the detector runs.
    """
    period = session_of(time_range)
    if period is None:
        return Expected("What was expected is shown within one session: choose one, or zoom in.")
    session = period.time_range
    hash_ = find_profile_hash(client, session)
    profile = _profile_of(hash_)
    if profile is None:
        return Expected(
            f"What was expected is not known: the detector ran a profile ({hash_}) that is neither built in "
            "nor a file in the folder where the dashboard was started."
        )
    key = (symbol, session, profile.hash)
    judged = kept("expected", SESSIONS_KEPT).get(
        key, partial(ExpectedSession, profile, symbol, session.start, session.end)
    )
    if not judged.compares:
        return Expected(f"The profile {profile.name} has no detector that compares with recent trades.")
    said = ""
    try:
        with Progress("Reading trades", AT_ONCE_TRADES) as bar:
            judged.update(client, bar)
    except TapewatchError as error:
        said = f" {error.cause}"
        if not len(judged.moments):
            return Expected(f"What was expected is not known.{said}")
    moments = judged.moments
    starts, ends = (_ns(trades.buckets[name]) for name in ("start", "end"))
    inside = slice(*np.searchsorted(moments["event_ns"], _ns(pd.Series([time_range.start, time_range.end]))))
    found = by_bucket(moments[inside], starts, ends)
    endless = " Its sessions never end: here it begins with the day." if profile.sessions == "endless" else ""
    return Expected(
        f"Expected by the profile {profile.name}, which compared {len(moments):,} trades.{endless}{said}",
        to_buckets(trades.buckets, found),
    )


def find_profile_hash(client: Elasticsearch, session: TimeRange) -> str | None:
    """Return the hash of the profile that found the session's newest anomaly, of any symbol.

    Without an anomaly in it, it is that of the newest one before; None without any.

    Raises
    ------
    TapewatchError
        Elasticsearch does not answer, or rejects the request.
    """
    newest = search_first(
        client,
        ANOMALIES_INDICES,
        query={"range": {"@timestamp": {"lt": iso_utc(session.end)}}},
        sort=[{"@timestamp": {"order": "desc", "unmapped_type": "date_nanos"}}],
        source_includes=["model.profile"],
    )
    return None if newest is None else newest.get("model", {}).get("profile")


@st.cache_resource(ttl=_PROFILES_FOR_S, show_spinner=False)
def _profile_of(hash_: str | None) -> Profile | None:
    return load_profile() if hash_ is None else profile_of(hash_, Path.cwd())


def _ns(times: pd.Series) -> np.ndarray:
    return np.asarray(times.dt.as_unit("ns").astype("int64"))
