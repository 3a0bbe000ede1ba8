"""`tapewatch reproduce`: one print judged again, and compared with its anomaly."""

import datetime as dt
import sys
from collections.abc import Sequence
from pathlib import Path

import orjson
from rich.console import Console

from services.common.elastic.client import Elasticsearch
from services.common.elastic.paging import RECEIVED_ORDER
from services.common.errors import TapewatchError
from services.common.exchange_calendar import ExchangeCalendar
from services.common.process.atomic_file import replaced_when_done
from services.contracts.anomaly import anomaly_json
from services.detector.engine.batch import SessionKey
from services.detector.offline.backtest.run import progress_bar
from services.detector.offline.reproduce.documents import (
    Document,
    anomaly_in,
    find_profile,
    indexed_anomaly,
    indexed_trade,
    profile_around,
    to_anomaly,
)
from services.detector.offline.reproduce.rebuild import Rebuilt, rebuild
from services.detector.offline.reproduce.report import Outcome, Report, terminal_report
from services.detector.offline.reproduce.tape import (
    Place,
    SessionTimes,
    find_print,
    session_of,
    session_trades,
)
from services.review.corrections import corrections_of
from services.sources.base import Source
from services.sources.elasticsearch import IndexRange

DIFFERS = 3
"""Exit code where another document is found than the one that is known."""

Tape = tuple[str, Sequence[Source]]
"""An order of a session's trades, in words, and where they are read from in this order."""


def run_reproduce(
    trade_id: str,
    files: Sequence[Source],
    client: Elasticsearch | None,
    against: Path | None,
    profile_name: str | None,
    output: Path | None,
    as_json: bool,
) -> int:
    """Judge a print again, and say what is found, why, and whether it is what is known.

    Parameters
    ----------
    trade_id
        The print's.
    files
        Files with its session; empty to read it from the index.
    client
        Client of the cluster with the anomaly, and with the trades where no files are given; None for none.
    against
        A file of anomalies to compare with, instead of the index.
    profile_name
        A built-in profile or a file, in place of the one that the anomaly names.
    output
        File for the anomaly's document.
    as_json
        Print the report as JSON on standard output, not as a text on standard error.

    Returns
    -------
    int
        Exit code: 0, or `DIFFERS`.

    Raises
    ------
    TapewatchError
        The print, its session's trades, its anomaly or its profile cannot be found or read.
    """
    report = reproduce(trade_id, files, client, against, profile_name)
    if output is not None:
        if report.document is None:
            raise TapewatchError(
                f"The print {trade_id} is no anomaly, so there is no document to write.",
                "Leave out --output.",
            )
        with replaced_when_done(output) as unfinished:
            unfinished.write_bytes(report.document)
    if as_json:
        sys.stdout.write(orjson.dumps(report.to_json(), option=orjson.OPT_INDENT_2).decode() + "\n")
    else:
        Console(stderr=True).print(terminal_report(report))
    return DIFFERS if report.outcome.is_surprise else 0


def reproduce(
    trade_id: str,
    files: Sequence[Source],
    client: Elasticsearch | None,
    against: Path | None = None,
    profile_name: str | None = None,
) -> Report:
    """Judge a print again; see `run_reproduce`."""
    known = _known(trade_id, client, against)
    anomaly = None if known is None else to_anomaly(known)
    place, trade = _place(trade_id, files, client, known)
    wanted = anomaly.model.profile if anomaly else None
    if wanted is None and trade is not None and client is not None and profile_name is None:
        wanted = profile_around(client, trade)
    found = find_profile(client, wanted, profile_name)
    profile = found.profile
    time_zone = ExchangeCalendar(profile.exchange).time_zone
    session = session_of(place, time_zone, profile.sessions == "endless")
    tapes = [("as in the files", files)] if files else _indexed(client, session)
    said = {} if client is None else corrections_of(client, [trade_id])
    reports = []
    for order, sources in tapes:
        with progress_bar(Console(stderr=True)) as bar:
            bar.add_task(f"judging {session.symbol} {session.day}", total=None)
            rebuilt = rebuild(
                session_trades(sources, session, time_zone),
                profile,
                SessionKey(session.symbol, session.day),
                trade_id,
                anomaly,
            )
        if rebuilt is None:
            raise TapewatchError(
                f"The trade {trade_id} is not among those of {session.symbol} on "
                f"{session.day or 'all days'}.",
                "Give the file of its day, or index its trades again.",
            )
        report = Report(
            trade_id=trade_id,
            rebuilt=rebuilt,
            profile=found,
            order=order,
            compared=client is not None or against is not None,
            known=known,
            known_model=None if anomaly is None else anomaly.model,
            correction=said[trade_id].sentence() if trade_id in said else None,
            document=_document(rebuilt, known),
        )
        if report.outcome is Outcome.EQUAL:
            return report
        reports.append(report)
    return reports[0]


def _known(trade_id: str, client: Elasticsearch | None, against: Path | None) -> Document | None:
    if against is not None:
        return anomaly_in(against, trade_id)
    return None if client is None else indexed_anomaly(client, trade_id)


def _place(
    trade_id: str, files: Sequence[Source], client: Elasticsearch | None, known: Document | None
) -> tuple[Place, Document | None]:
    """Return which print it is, and its document if it is one of the index."""
    if known is not None:
        return Place(known["symbol"], dt.datetime.fromisoformat(known["@timestamp"])), known
    if files:
        return find_print(files, trade_id), None
    trade = None if client is None else indexed_trade(client, trade_id)
    if trade is None:
        raise TapewatchError(
            f"No trade and no anomaly with the id {trade_id} is indexed.",
            "Check that the id is complete, or give the file of its day: tapewatch reproduce TRADE_ID FILE",
        )
    return Place(trade["symbol"], dt.datetime.fromisoformat(trade["@timestamp"])), trade


def _indexed(client: Elasticsearch | None, session: SessionTimes) -> list[Tape]:
    """Return a session's trades in the orders in which they may have come, the likeliest first."""
    if client is None:
        raise TapewatchError("There are no trades to judge.", "Give files, or a cluster.")
    try:
        by_time = IndexRange(client, session.start, session.end, session.symbol)
    except TapewatchError as error:
        raise TapewatchError(
            error.cause,
            "They may have been deleted by age (TAPEWATCH_TRADES_KEPT_DAYS): give the file of that day, and "
            "--elasticsearch URL to compare with the indexed anomaly.",
        ) from error
    tapes: list[Tape] = [("of their event times", [by_time])]
    if by_time.count_with("ts_recv") == by_time.size:
        received = IndexRange(client, session.start, session.end, session.symbol, RECEIVED_ORDER)
        tapes.insert(0, ("of their receipt", [received]))
    return tapes


def _document(rebuilt: Rebuilt, known: Document | None) -> bytes | None:
    """Write what is found as the detector does, detected when the known one was."""
    if rebuilt.anomaly is None:
        return None
    now = dt.datetime.now(dt.UTC)
    detected_at = now if known is None else dt.datetime.fromisoformat(known["detected_at"])
    return anomaly_json(rebuilt.origin, rebuilt.anomaly, detected_at)
