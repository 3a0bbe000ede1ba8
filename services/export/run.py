"""`tapewatch export`: indexed trades as Parquet files, one for each symbol's day."""

import datetime as dt
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from services.common.elastic.client import Elasticsearch, new_client
from services.common.elastic.raw import RawDocuments
from services.common.errors import TapewatchError
from services.common.terminal import visible
from services.export.index import (
    Range,
    documents,
    indexed_days,
    indexed_symbols,
    missing_symbols,
)
from services.export.partition import Written, exported_state, write_partition
from services.export.target import Target
from services.sources.base import RejectedRow
from services.sources.exported.layout import partition_path

STOPPED = 130
"""Exit code after Ctrl-C, as shells have it."""

SHOWN_SYMBOLS = 10


@dataclass
class Summary:
    """What an export has done, for its report.

    Parameters
    ----------
    trades
        How many trades were written.
    written, unchanged
        How many files were written, and how many were already as the index is.
    kept
        Files that have more trades than the index has now.
    rejected
        How many documents are no trades, and the first of them.
    """

    trades: int = 0
    written: int = 0
    unchanged: int = 0
    kept: list[Path] = field(default_factory=list)
    rejected: int = 0
    first_rejected: RejectedRow | None = None

    def add(self, written: Written) -> None:
        """Count a file that was written."""
        self.trades += written.trades
        self.written += bool(written.trades)
        self.rejected += written.rejected
        self.first_rejected = self.first_rejected or written.first_rejected


def run_export(url: str, folder: Path, wanted: Range) -> int:
    """Export indexed trades; what is there already, and unchanged in the index, is not read again.

    Parameters
    ----------
    url
        Address of Elasticsearch.
    folder
        Where the files go; made if it is missing.
    wanted
        Which trades.

    Returns
    -------
    int
        Exit code: 0 when everything is exported, 130 after Ctrl-C.

    Raises
    ------
    TapewatchError
        There is nothing to export, the folder holds something else or cannot be written, or Elasticsearch
        does not answer.
    """
    console = Console(stderr=True, highlight=False, soft_wrap=True)
    client = new_client(url, serializer=RawDocuments())
    days = _days(client, wanted)
    summary = Summary()
    try:
        with Target(folder, wanted.flags) as target, _progress(console) as bar:
            task = bar.add_task("", total=sum(days.values()))
            for day in days:
                for symbol, state in indexed_symbols(client, wanted, day):
                    bar.update(task, description=f"{day} {visible(symbol)}")
                    path = partition_path(folder, day, symbol)
                    known = exported_state(path)
                    if known == state:
                        summary.unchanged += 1
                    elif known is not None and known.trades > state.trades:
                        summary.kept.append(path)
                    else:
                        pages = documents(client, wanted, day, symbol)
                        summary.add(
                            write_partition(path, target.unfinished, pages, lambda n: bar.advance(task, n))
                        )
                        continue
                    bar.advance(task, state.trades)
            target.finish()
    except KeyboardInterrupt:
        console.print(f"Stopped; files written: {summary.written:,}. The same command resumes the export.")
        return STOPPED
    _report(console, folder, summary)
    return 0


def _days(client: Elasticsearch, wanted: Range) -> dict[dt.date, int]:
    """Return the days to export and their numbers of trades."""
    everything = indexed_days(client, Range(None, None))
    if not everything:
        raise TapewatchError(
            "No trades are indexed.", "Index some first: `tapewatch produce FILE` and `tapewatch index`."
        )
    missing = missing_symbols(client, wanted) if wanted.symbols else []
    if missing:
        shown = ", ".join(map(visible, missing[:SHOWN_SYMBOLS]))
        more = f" and {len(missing) - SHOWN_SYMBOLS:,} more" if len(missing) > SHOWN_SYMBOLS else ""
        raise TapewatchError(
            f"No indexed trades of {shown}{more}{wanted.period}.",
            "Check how the index writes the symbols, or leave these out.",
        )
    days = indexed_days(client, wanted)
    if not days:
        raise TapewatchError(
            f"No indexed trades{wanted.period}.",
            f"The index has trades from {min(everything)} to {max(everything)}: choose days among these.",
        )
    return days


@contextmanager
def _progress(console: Console) -> Iterator[Progress]:
    """Show a bar that follows the trades; on a terminal only."""
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TextColumn("{task.completed:,.0f} of {task.total:,.0f} trades"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, disable=not console.is_terminal) as bar:
        yield bar


def _report(console: Console, folder: Path, summary: Summary) -> None:
    console.print(
        f"{summary.trades:,} trades written to {folder}; files written: {summary.written:,}, "
        f"up to date: {summary.unchanged:,}.",
        markup=False,
    )
    if summary.kept:
        console.print(
            f"Files kept, as they have more trades than the index has now: {len(summary.kept):,}, such as "
            f"{summary.kept[0]}. Delete a file to export what the index has.",
            markup=False,
        )
    if summary.first_rejected:
        console.print(
            f"Documents left out, as they are no trades: {summary.rejected:,}. The first one is "
            f"{visible(summary.first_rejected.raw.decode(errors='replace')[:200])}: "
            f"{visible(summary.first_rejected.reason)}.",
            markup=False,
        )
