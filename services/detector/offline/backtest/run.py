"""`tapewatch backtest`: the detector over files or a range of the index, without a broker."""

import datetime as dt
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import BinaryIO

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from services.common.errors import TapewatchError
from services.common.process.atomic_file import replaced_when_done
from services.contracts.anomaly import anomaly_json
from services.detector.engine.engine import Engine
from services.detector.offline.backtest.html import html_page
from services.detector.offline.backtest.last_revisions import LastRevisions
from services.detector.offline.backtest.report import Report, Tally, terminal_report
from services.detector.offline.decode import decode_chunk
from services.detector.profiles.profile import load_profile
from services.sources.base import Source


def run_backtest(
    sources: Sequence[Source], output: Path | None, profile_name: str | None, html: Path | None = None
) -> int:
    """Write the anomalies of trades, one JSON document per line, and a report to stderr.

    The trades pass through the same JSON as in the live pipeline, so the anomalies are the same, to the
    last bit, `detected_at` aside.

    Parameters
    ----------
    sources
        Where the trades come from, in the order of their times.
    output
        File for the anomalies, replaced only at the end; None writes no anomalies.
    profile_name
        Name of a built-in profile, or a file; None for the default.
    html
        File for a report with plots, replaced only at the end; None writes no report.

    Raises
    ------
    TapewatchError
        A file has no valid trades, the profile is invalid, or a file cannot be written.
    """
    if output is None and html is None:
        raise TapewatchError("A backtest has nothing to write.", "Give --output, --html, or both.")
    if output is not None and html is not None and output.resolve() == html.resolve():
        raise TapewatchError(f"--output and --html both name {output}.", "Give each a file of its own.")
    profile = load_profile(profile_name)
    engine = Engine(profile)
    tally = Tally(engine.time_zone)
    rejected = 0
    began_s = time.monotonic()
    console = Console(stderr=True)
    with ExitStack() as stack:
        file = stack.enter_context(_opened(output)) if output else None
        # A later revision replaces a line, which a pipe cannot do.
        lines = stack.enter_context(tempfile.TemporaryFile()) if output else None
        growing = stack.enter_context(LastRevisions())
        page = stack.enter_context(_opened(html)) if html else None
        with progress_bar(console) as bar:
            for source in sources:
                task = bar.add_task(source.name, total=source.size)
                for chunk in source.chunks():
                    decoded = decode_chunk(source, chunk, engine.time_zone)
                    rejected += decoded.rejected
                    tally.add_trades(decoded.columns)
                    now = dt.datetime.now(dt.UTC)
                    for at, anomaly, origin in engine.detect_columns(decoded.columns, decoded.prints):
                        line = anomaly_json(origin, anomaly, now)
                        if anomaly.first_trade is None:
                            tally.add_anomaly(decoded.trades[at], anomaly)
                            line += b"\n"
                        else:
                            line = growing.add(anomaly.first_trade, line)
                        if lines:
                            lines.write(line)
                    done = f"{tally.trades:,} trades, {tally.anomalies:,} anomalies"
                    bar.update(task, completed=chunk.position, description=f"{source.name}: {done}")
        for trade, anomaly in growing.anomalies():
            tally.add_anomaly(trade, anomaly)
        if file and lines:
            lines.seek(0)
            file.writelines(growing.filled(lines))
        report = Report(
            tally=tally,
            profile=profile.name,
            files=[source.name for source in sources],
            bad_rows=rejected,
            out_of_order=engine.out_of_order,
            seconds=time.monotonic() - began_s,
            remarks=engine.take_remarks(),
            held_back=engine.held_back,
        )
        if page:
            page.write(html_page(report).encode())
    console.print(terminal_report(report))
    return 0


def progress_bar(console: Console) -> Progress:
    """Return a bar that follows files by their bytes; shown on a terminal only."""
    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    return Progress(*columns, console=console, disable=not sys.stderr.isatty())


@contextmanager
def _opened(path: Path) -> Iterator[BinaryIO]:
    with replaced_when_done(path) as unfinished, unfinished.open("wb") as file:
        yield file
        file.flush()
