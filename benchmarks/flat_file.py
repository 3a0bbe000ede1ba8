"""Reads a large flat file of Massive's as `tapewatch produce` does; says how fast and in how much memory.

`python -m benchmarks.flat_file --gigabytes 2` writes the file (plain or gzip), then reads it in a process of
its own: the source's chunks, and their JSON. Nothing is published.
"""

import argparse
import gzip
import multiprocessing
import re
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

import numpy as np
import polars as pl

from services.sources.files import open_source

BLOCK_ROWS = 200_000
TICKER_ROWS = 5_000
DAY_START_NS = 1_767_362_400_000_000_000  # 2026-01-02 09:00 in New York
DAY_NS = 11 * 3600 * 10**9
CONDITIONS = ("", "", "", "37", "14,37", "12,37", "14", "41", "10,41", "2")


def write_flat_file(path: Path, size_bytes: int, seed: int = 1) -> int:
    """Write a file of the layout `trades_v1`, sorted by ticker and time.

    Parameters
    ----------
    path
        Where to; compressed if it ends in `.gz`.
    size_bytes
        Size of the text, at least.
    seed
        The same seed writes the same file.

    Returns
    -------
    int
        Rows written.
    """
    random = np.random.default_rng(seed)
    rows = written = 0
    with gzip.open(path, "wb", compresslevel=1) if path.suffix == ".gz" else path.open("wb") as file:
        while written < size_bytes:
            block = _block(random, rows).write_csv(include_header=rows == 0).encode()
            file.write(block)
            written += len(block)
            rows += BLOCK_ROWS
    return rows


def _block(random: np.random.Generator, first_row: int) -> pl.DataFrame:
    number = np.arange(first_row, first_row + BLOCK_ROWS)
    step = number % TICKER_ROWS
    participant_ns = DAY_START_NS + step * (DAY_NS // TICKER_ROWS) + random.integers(0, 10**9, BLOCK_ROWS)
    price = (50 + (number // TICKER_ROWS) % 400 + random.normal(0, 0.2, BLOCK_ROWS)).round(4)
    sizes = random.integers(1, 500, BLOCK_ROWS)
    return pl.DataFrame(
        {
            "ticker": [f"T{ticker:05}" for ticker in (number // TICKER_ROWS).tolist()],
            "conditions": random.choice(CONDITIONS, BLOCK_ROWS),
            "correction": 0,
            "exchange": random.integers(1, 22, BLOCK_ROWS),
            "id": random.integers(10**12, 10**14, BLOCK_ROWS),
            "participant_timestamp": participant_ns,
            "price": price,
            "sequence_number": 1000 + step * 7,
            "sip_timestamp": participant_ns + 300_000,
            "size": [f"{size}.{'5' if size % 50 == 0 else '0'}00000" for size in sizes.tolist()],
            "tape": random.integers(1, 4, BLOCK_ROWS),
            "trf_id": 0,
            "trf_timestamp": 0,
        }
    )


class Figures(NamedTuple):
    """What a reading took; memory is the process's peak."""

    trades: int
    rejected: int
    seconds: float
    cpu_s: float
    before_bytes: int
    peak_bytes: int


def measure(path: Path) -> Figures:
    """Read a file and write its trades as JSON."""
    before_bytes = _peak_bytes()
    began_s, began_cpu_s = time.perf_counter(), time.process_time()
    trades = rejected = 0
    source = open_source(path)
    for chunk in source.chunks():
        trades += len(source.to_json(chunk.trades))
        rejected += len(chunk.rejected)
    seconds, cpu_s = time.perf_counter() - began_s, time.process_time() - began_cpu_s
    return Figures(trades, rejected, seconds, cpu_s, before_bytes, _peak_bytes())


def _peak_bytes() -> int:
    # Unlike `ru_maxrss`, it is this program's own, not that of the process which started it.
    found = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    return 0 if found is None else int(found[1]) * 1024


def main() -> None:
    """Write the file, read it, and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--gigabytes", type=float, default=2.0, help="size of the text")
    parser.add_argument("--gzip", action="store_true", help="compress the file, as Massive does")
    parser.add_argument("--directory", type=Path, help="where to write it; by default a temporary folder")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=arguments.directory) as folder:
        path = Path(folder) / f"2026-01-02.csv{'.gz' if arguments.gzip else ''}"
        size_bytes = int(arguments.gigabytes * 1e9)
        rows = write_flat_file(path, size_bytes)
        print(f"{rows:,} rows, {size_bytes / 1e9:.2f} GB of text, {path.stat().st_size / 1e9:.2f} GB stored")
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            figures = pool.apply(measure, (path,))
    megabytes = size_bytes / 1e6
    print(f"{figures.trades:,} trades, {figures.rejected:,} rejected rows")
    for name, seconds in (("elapsed", figures.seconds), ("of processors", figures.cpu_s)):
        rate = figures.trades / seconds
        print(f"{seconds:.1f} s {name}: {megabytes / seconds:.1f} MB/s, {rate:,.0f} trades/s")
    print(
        f"peak memory {figures.peak_bytes / 1e6:.0f} MB;"
        f" {figures.before_bytes / 1e6:.0f} MB of it before the file was opened"
    )


if __name__ == "__main__":
    main()
