"""`make bench`: every benchmark, which prints the performance table of docs/performance.md."""

import argparse
import importlib
import importlib.util
import os
import signal
import sys
import time

from rich import box
from rich.console import Console, JustifyMethod
from rich.table import Table

from benchmarks.rows import Row
from services.common.errors import TapewatchError

BENCHMARKS = (
    "producer",
    "feed",
    "detector",
    "features",
    "model",
    "selftest",
    "memory",
    "classic",
    "service",
    "latency",
    "alerts",
    "promise",
    "indexer",
    "postgres",
    "dashboard",
)
"""Modules of this folder, each with `measure() -> list[Row]`."""

_WIDTH_OF_A_FILE = 240


def main() -> int:
    """Run the chosen benchmarks and print the table; see `--help`.

    Returns
    -------
    int
        Exit code: 1 if a benchmark could not be run.
    """
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument(
        "--only",
        action="append",
        choices=_present(),
        metavar="NAME",
        help=f"run this one, of {', '.join(_present())}; may be given several times",
    )
    chosen = parser.parse_args().only or _present()
    # Before polars is imported: one core each, for Tapewatch and for its peers.
    os.environ.setdefault("POLARS_MAX_THREADS", "1")
    # A SIGTERM ends the servers in order, as Ctrl-C does.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    console = Console(stderr=True, highlight=False)
    rows: list[Row] = []
    failed = False
    for name in chosen:
        began_s = time.monotonic()
        try:
            rows += importlib.import_module(f"benchmarks.{name}").measure()
        except TapewatchError as error:
            console.print(f"[bold red]{name}:[/] {error.cause} {error.hint}")
            failed = True
        console.print(f"{name}: {time.monotonic() - began_s:.0f} s", style="dim")
    _print(rows)
    return int(failed)


def _present() -> list[str]:
    return [name for name in BENCHMARKS if importlib.util.find_spec(f"benchmarks.{name}")]


def _print(rows: list[Row]) -> None:
    """Print the table: for people on a terminal, Markdown elsewhere, as the page has it."""
    for_people = sys.stdout.isatty()
    table = Table(box=box.ROUNDED if for_people else box.MARKDOWN)
    columns: tuple[tuple[str, JustifyMethod], ...] = (
        ("what", "left"),
        ("figure", "right"),
        ("unit", "left"),
        ("peer, in the same run", "left"),
        ("ratio", "right"),
        ("target", "left"),
    )
    for title, justify in columns:
        table.add_column(title, justify=justify)
    for row in rows:
        table.add_row(
            row.name,
            _number(row.figure),
            row.unit,
            row.peer or "",
            "" if row.ratio is None else f"{_number(row.ratio)}",
            row.target or "",
        )
    console = Console(highlight=False, width=None if for_people else _WIDTH_OF_A_FILE)
    console.print(f"{os.cpu_count()} cores, Python {sys.version.split()[0]}\n")
    console.print(table)


def _number(value: float) -> str:
    """Write a number with about three digits, and no more than help."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


if __name__ == "__main__":
    sys.exit(main())
