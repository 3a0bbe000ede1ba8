"""`tapewatch backtest`: the detector over files or a range of the index, without a broker."""

import datetime as dt
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from services.common.errors import TapewatchError
from services.common.process.atomic_file import replaced_when_done
from services.contracts.anomaly import anomaly_json
from services.contracts.trade import NotATradeError, Trade, decode_trade
from services.detector.engine.columns import TradeColumns, to_columns
from services.detector.engine.engine import Engine
from services.detector.offline.backtest.html import html_page
from services.detector.offline.backtest.report import Report, Tally, terminal_report
from services.detector.profiles.profile import load_profile
from services.sources.base import Source
from services.sources.databento.trade_ids import TradeIds
from services.sources.encode import to_json
from services.sources.files import open_sources


@dataclass(frozen=True)
class Piece:
    """Consecutive trades, as the live detector would get them; n of each.

    Parameters
    ----------
    values
        Their JSON.
    trades
        The same, decoded.
    columns
        The same, as columns.
    bad_rows
        Rows among them that are not trades.
    position
        How far what they come from has been read: bytes of a file, or documents of an index.
    """

    values: list[bytes]
    trades: list[Trade]
    columns: TradeColumns
    bad_rows: int
    position: int


class Input(Protocol):
    """Something to read trades from: a file, or a range of the index."""

    name: str
    size: int
    """Where its last piece's `position` ends."""

    def pieces(self, time_zone: str) -> Iterator[Piece]:
        """Read it from its start; `time_zone` is the exchange's."""
        ...


class FileInput:
    """A file of trades.

    Parameters
    ----------
    source
        The file, opened.
    """

    def __init__(self, source: Source) -> None:
        self._source = source
        self.name = source.path.name
        self.size = source.path.stat().st_size

    def pieces(self, time_zone: str) -> Iterator[Piece]:
        """See `Input`."""
        return read_pieces(self._source, time_zone)


def run_backtest(
    inputs: list[Input], output: Path | None, profile_name: str | None, html: Path | None = None
) -> int:
    """Write the anomalies of trades, one JSON document a line, and a report to stderr.

    The trades pass through the same JSON as in the live pipeline, so the anomalies are the same, to the
    last bit, `detected_at` aside.

    Parameters
    ----------
    inputs
        Where the trades come from, in the order of their times.
    output
        The file for the anomalies; replaced only when all is done. None for none.
    profile_name
        What counts as unusual: a built-in profile or a file; None for the default.
    html
        The file for a report with plots, written in the same way; None for none.

    Raises
    ------
    TapewatchError
        A file is not trades, the profile is wrong, or a file cannot be written.
    """
    if output is None and html is None:
        raise TapewatchError("A backtest has nothing to write.", "Give --output, --html, or both.")
    if output is not None and html is not None and output.resolve() == html.resolve():
        raise TapewatchError(f"--output and --html both name {output}.", "Give each a file of its own.")
    profile = load_profile(profile_name)
    engine = Engine(profile)
    tally = Tally(engine.time_zone)
    bad_rows = 0
    began_s = time.monotonic()
    console = Console(stderr=True)
    with ExitStack() as stack:
        lines = stack.enter_context(_opened(output)) if output else None
        page = stack.enter_context(_opened(html)) if html else None
        with progress_bar(console) as bar:
            for one in inputs:
                task = bar.add_task(one.name, total=one.size)
                for piece in one.pieces(engine.time_zone):
                    bad_rows += piece.bad_rows
                    tally.add_trades(piece.columns)
                    now = dt.datetime.now(dt.UTC)
                    for at, anomaly in engine.detect_columns(piece.columns):
                        tally.add_anomaly(piece.trades[at], anomaly)
                        if lines:
                            lines.write(anomaly_json(piece.values[at], anomaly, now) + b"\n")
                    done = f"{tally.trades:,} trades, {tally.anomalies:,} anomalies"
                    bar.update(task, completed=piece.position, description=f"{one.name}: {done}")
        report = Report(
            tally=tally,
            profile=profile.name,
            files=[one.name for one in inputs],
            bad_rows=bad_rows,
            late_trades=engine.late_trades,
            seconds=time.monotonic() - began_s,
        )
        if page:
            page.write(html_page(report).encode())
    console.print(terminal_report(report))
    return 0


def file_inputs(names: list[str]) -> list[Input]:
    """Open files and globs; raises TapewatchError for one that is not trades."""
    return [FileInput(source) for source in open_sources(names)]


def read_pieces(source: Source, time_zone: str) -> Iterator[Piece]:
    """Read a file as the live detector would get it: written as JSON, and decoded."""
    ids = TradeIds()
    for chunk in source.chunks():
        values = to_json(chunk.trades, ids.name(chunk.trades))
        yield decode_piece(values, len(chunk.bad_rows), chunk.position_bytes, time_zone)


def decode_piece(values: list[bytes], bad_rows: int, position: int, time_zone: str) -> Piece:
    """Decode messages; what the live detector refuses is dropped and counted among the bad rows."""
    kept, trades = [], []
    for value in values:
        try:
            trades.append(decode_trade(value))
        except NotATradeError:
            bad_rows += 1
        else:
            kept.append(value)
    return Piece(kept, trades, to_columns(trades, time_zone), bad_rows, position)


def progress_bar(console: Console) -> Progress:
    """Return a bar that follows files by their bytes; shown on a terminal only."""
    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    return Progress(*columns, console=console, disable=not sys.stderr.isatty())


@contextmanager
def _opened(path: Path) -> Iterator:
    with replaced_when_done(path) as unfinished, unfinished.open("wb") as file:
        yield file
        file.flush()
