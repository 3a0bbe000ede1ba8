"""`tapewatch evaluate --truth cancels`: which prints that venues cancelled the detector had flagged."""

import datetime as dt
from functools import partial
from pathlib import Path

from rich.console import Console

from services.common.elastic.client import Elasticsearch
from services.common.errors import TapewatchError
from services.detector.engine.engine import Engine
from services.detector.engine.growth import Found, Prints
from services.detector.offline.backtest.run import progress_bar
from services.detector.offline.decode import decode_chunk
from services.detector.offline.evaluation.cancels import Cancels
from services.detector.offline.evaluation.cancels_report import CancelsReport, cancels_tables, write_cancels
from services.detector.profiles.profile import load_profile
from services.review.corrections import read_corrections
from services.sources.elasticsearch import IndexRange


def run_evaluate_cancels(
    client: Elasticsearch,
    start: dt.datetime,
    end: dt.datetime,
    symbol: str | None,
    profile_name: str | None,
    output: Path | None,
) -> int:
    """Judge indexed trades, and report which of the cancelled ones are flagged; printed to stdout.

    Parameters
    ----------
    client
        Client of the cluster.
    start, end, symbol
        The trades, as in `IndexRange`. Their corrections may have been made later.
    profile_name
        A built-in profile, or a file; None for the default.
    output
        JSON file for every print and every count; None writes none.

    Raises
    ------
    TapewatchError
        There are no trades or no corrections, the profile is invalid, Elasticsearch does not answer, or the
        output cannot be written.
    """
    profile = load_profile(profile_name)
    source = IndexRange(client, start, end, symbol)
    corrections, unreadable = read_corrections(client, start, symbol)
    if not corrections and not unreadable:
        raise TapewatchError(
            f"No corrections are indexed for {source.name} or later.",
            "Only Alpaca and Massive tell what was cancelled, and only of the feeds that were watched or "
            "reconciled: name such days. Without --truth, anomalies are injected; that needs no corrections.",
        )
    cancels = Cancels(corrections, unreadable)
    engine = Engine(profile)
    with progress_bar(Console(stderr=True)) as bar:
        task = bar.add_task(source.name, total=source.size)
        for chunk in source.chunks():
            decoded = decode_chunk(source, chunk, engine.time_zone)
            prints = Prints(partial(_place, cancels.trades))
            judged: set[int] = set()
            found: list[Found] = []
            for flagged in engine.flag(decoded.columns):
                judged |= set(flagged.piece.places.tolist())
                found += engine.anomalies(flagged, prints)
            cancels.add(decoded.trades, judged, found)
            bar.update(task, completed=chunk.position)
    report = CancelsReport(
        source.name, profile.name, profile.hash, cancels.outcome(f"{end:%Y-%m-%dT%H:%M:%S}")
    )
    Console().print(cancels_tables(report))
    if output is not None:
        write_cancels(report, output)
    return 0


def _place(begin: int, at: int) -> str:
    """Name a trade by its place among all of them."""
    return str(begin + at)
