"""`make bench`: the benchmarks, which print the tables of docs/performance.md."""

import argparse
import importlib
import importlib.util
import os
import signal
import sys
import time

from rich import box
from rich import table as rich_table
from rich.console import Console

from benchmarks.rows import Row, Table
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
    "whole_day",
    "postgres",
    "dashboard",
    "scale",
)
"""Modules of this folder, each with `measure() -> list[Row]`, or tables of its own."""

ON_REQUEST = {"peers": "benchmarks.peers.measuring", "choices": "benchmarks.choices"}
"""Benchmarks that run only if they are named, as they take long; each with `measure()` of its tables."""

PACKAGES = {"scale": "benchmarks.scale.measuring"} | ON_REQUEST
"""Those that are packages: the module that measures."""

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
        choices=[*_present(), *ON_REQUEST],
        metavar="NAME",
        help=f"run this one, of {', '.join(_present())}, or of those that run only then since they take "
        f"long, {', '.join(ON_REQUEST)}; may be given several times",
    )
    chosen = parser.parse_args().only or _present()
    # Before polars is imported: one core each, for Tapewatch and for its peers.
    os.environ.setdefault("POLARS_MAX_THREADS", "1")
    # A SIGTERM ends the servers in order, as Ctrl-C does.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    console = Console(stderr=True, highlight=False)
    rows: list[Row] = []
    tables: list[Table] = []
    try:
        are_measured = [_measure(name, rows, tables, console) for name in chosen]
    finally:  # what was measured before an error or a stop is worth having
        print(f"{os.cpu_count()} cores, Python {sys.version.split()[0]}")
        if rows:
            print_table(_of_rows(rows))
        for table in tables:
            print_table(table)
    return int(not all(are_measured))


def _measure(name: str, rows: list[Row], tables: list[Table], console: Console) -> bool:
    """Run a benchmark and add what it measured; returns whether it could be run."""
    began_s = time.monotonic()
    try:
        measured = importlib.import_module(PACKAGES.get(name, f"benchmarks.{name}")).measure()
    except TapewatchError as error:
        console.print(f"[bold red]{name}:[/] {error.cause} {error.hint}")
        return False
    finally:
        console.print(f"{name}: {time.monotonic() - began_s:.0f} s", style="dim")
    for one in [measured] if isinstance(measured, Table) else measured:
        if isinstance(one, Table):
            tables.append(one)
        else:
            rows.append(one)
    return True


def _present() -> list[str]:
    return [name for name in BENCHMARKS if importlib.util.find_spec(f"benchmarks.{name}")]


def _of_rows(rows: list[Row]) -> Table:
    return Table(
        "",
        ("what", "figure", "unit", "peer, in the same run", "ratio", "target"),
        tuple(
            (
                row.name,
                _number(row.figure),
                row.unit,
                row.peer or "",
                "" if row.ratio is None else _number(row.ratio),
                row.target or "",
            )
            for row in rows
        ),
        texts=frozenset({"what", "unit", "peer, in the same run", "target"}),
    )


def print_table(printed: Table) -> None:
    """Print a table: for people on a terminal, Markdown elsewhere, as the page has it."""
    for_people = sys.stdout.isatty()
    table = rich_table.Table(box=box.ROUNDED if for_people else box.MARKDOWN)
    for title in printed.columns:
        table.add_column(title, justify="left" if title in printed.texts else "right")
    for row in printed.rows:
        table.add_row(*row)
    console = Console(highlight=False, width=None if for_people else _WIDTH_OF_A_FILE)
    console.print(f"\n{printed.title}\n" if printed.title else "")
    console.print(table)


def _number(value: float) -> str:
    """Write a number with about three digits, and no more than help."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


if __name__ == "__main__":
    sys.exit(main())
