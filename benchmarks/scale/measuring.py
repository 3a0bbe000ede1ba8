"""Runs the parts of `make scale`; the short form is one of the benchmarks of `make bench`."""

import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from benchmarks.rows import Table
from benchmarks.scale import days, market, opening
from benchmarks.scale.sizes import SHORT, Size

PARTS: Mapping[str, Callable[[Size, Path], list[Table]]] = {
    "days": days.measure,
    "market": market.measure,
    "opening": opening.measure,
}
"""By name; each gets an empty folder."""


def measure_parts(names: Sequence[str], size: Size) -> list[Table]:
    """Measure parts, one after the other, each in a temporary folder of its own.

    Passes on what a part raises.
    """
    tables = []
    for name in names:
        with tempfile.TemporaryDirectory(prefix="tapewatch-scale-") as scratch:
            tables += PARTS[name](size, Path(scratch))
    return tables


def measure() -> list[Table]:
    """Measure the short form."""
    return measure_parts(list(PARTS), SHORT)
