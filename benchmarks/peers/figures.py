"""What is measured of a peer, and the table of all."""

from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.peers.comparing import Differences
from benchmarks.rows import Table

COLUMNS = (
    "engine",
    "trades/s",
    "processor s a million",
    "memory, MB",
    "start, s",
    "p50, ms",
    "p99, ms",
    "cores at 5,000/s",
    "kills",
    "lost",
    "doubled",
    "different",
    "caught up, s",
)
TITLE = "Engines on the same Kafka, each exactly once"


@dataclass(frozen=True)
class Speed:
    """An engine that works off a full topic.

    Parameters
    ----------
    trades_per_s
        Trades a second.
    processor_s
        Processor time of a million trades, its start included.
    peak_bytes
        Most memory of all its processes together.
    """

    trades_per_s: float
    processor_s: float
    peak_bytes: int


@dataclass(frozen=True)
class Delay:
    """An engine at a rate that it keeps up with.

    Parameters
    ----------
    start_s
        From the start of the program to its first result, in seconds.
    p50_s, p99_s
        From publishing a trade to reading its result, committed, in seconds.
    cores
        Processor time a second, in seconds.
    """

    start_s: float
    p50_s: float
    p99_s: float
    cores: float


@dataclass(frozen=True)
class Survival:
    """An engine that was killed again and again.

    Parameters
    ----------
    kills
        How often.
    differences
        How its output differs from the one wanted.
    caught_up_s
        From the last trade until all were worked off, in seconds; None if it took too long.
    """

    kills: int
    differences: Differences
    caught_up_s: float | None


@dataclass(frozen=True)
class Figures:
    """A peer's row.

    Parameters
    ----------
    name
        The peer's.
    speed, delay, survival
        What was measured; None where it could not be.
    why_not
        Why something could not be measured.
    """

    name: str
    speed: Speed | None = None
    delay: Delay | None = None
    survival: Survival | None = None
    why_not: str = ""


def as_table(rows: Sequence[Figures]) -> Table:
    """Return the table, where an engine that could not run says why below its name."""
    return Table(TITLE, COLUMNS, tuple(_cells(row) for row in rows), texts=frozenset(COLUMNS[:1]))


def _cells(row: Figures) -> tuple[str, ...]:
    speed = ("", "", "")
    if row.speed is not None:
        speed = (
            f"{row.speed.trades_per_s:,.0f}",
            f"{row.speed.processor_s:.1f}",
            f"{row.speed.peak_bytes / 1e6:,.0f}",
        )
    delay = ("", "", "", "")
    if row.delay is not None:
        delay = (
            f"{row.delay.start_s:.1f}",
            f"{1000 * row.delay.p50_s:,.0f}",
            f"{1000 * row.delay.p99_s:,.0f}",
            f"{row.delay.cores:.2f}",
        )
    survival = ("", "", "", "", "")
    if row.survival is not None:
        differences, caught_up_s = row.survival.differences, row.survival.caught_up_s
        survival = (
            str(row.survival.kills),
            f"{differences.lost:,}",
            f"{differences.doubled:,}",
            f"{differences.different:,}",
            "not in time" if caught_up_s is None else f"{caught_up_s:.1f}",
        )
    name = f"{row.name}: {row.why_not}" if row.why_not else row.name
    return (name, *speed, *delay, *survival)
