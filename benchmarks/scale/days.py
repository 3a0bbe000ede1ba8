"""38 million trades: cost and memory by tenths, disk, and the pages of one symbol's day."""

import datetime as dt
from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks.growth import Growth, growing
from benchmarks.rows import Table
from benchmarks.scale.pages import keep_alone, page_times, striking_symbol
from benchmarks.scale.sizes import Size
from benchmarks.scale.stream import DETECTOR_NAME, PROCESSES, DayFile, Stream
from benchmarks.scale.tenths import Tenth, growths_of, in_tenths, tenth_of
from benchmarks.surroundings import note
from infra.embedded.disk import check_free_space
from infra.embedded.ports import free_port
from infra.embedded.stack import EmbeddedStack, StackConfig
from infra.scaling.measured import SYMBOL_KB
from services.common.elastic.client import new_client
from services.detector.engine.sessions import SESSIONS_KEPT
from services.sources.synthetic.day import DayConfig, write_day

FIRST_DAY = dt.date(2026, 3, 9)
"""A Monday on which New York has daylight saving time: its trades are of one day in UTC, and in one index."""

BYTES_A_TRADE = 320
"""Of file, topics and indices together, with room for segments that are being merged."""

TIMES_OF_ONE_DAY = 2.0
TARGETS_S = {"dashboard: first meaningful paint": 2.0, "dashboard: another severity": 0.6}


def measure(size: Size, folder: Path) -> list[Table]:
    """Stream the days and open the pages.

    Raises
    ------
    TapewatchError
        The disk is too full, a process failed, or a day is not indexed once.
    """
    count = size.days + 1
    check_free_space({folder: BYTES_A_TRADE * count * size.day_trades})
    note(f"scale: generates {count} days of {size.day_trades:,} trades")
    dates = [FIRST_DAY + dt.timedelta(days=number) for number in range(count)]
    first, *others = (_day(date, size, folder) for date in dates)
    config = StackConfig(data_dir=folder / "stack", kafka_port=free_port(), elasticsearch_port=free_port())
    with EmbeddedStack(config, report=note) as stack:
        with Stream(stack, folder, size.sample_every_s) as stream:
            stream.run([first])
            tenths = [_run(stream, part) for part in in_tenths(others)]
            days = [first, *others]
            stream.check_counts({str(date): day.trades for date, day in zip(dates, days, strict=True)})
        stack.kafka.stop()
        with new_client(stack.elasticsearch_url) as client:
            symbol = striking_symbol(client, dates[0])
            among = page_times(stack.elasticsearch_url, symbol, dates[0], size.page_turns)
            keep_alone(client, dates[0])
            alone = page_times(stack.elasticsearch_url, symbol, dates[0], size.page_turns)
    growths = growths_of(tenths, {DETECTOR_NAME: SESSIONS_KEPT * size.day_symbols * SYMBOL_KB / 1000})
    for line in growing(growths):
        note(f"scale: {line}")
    return [
        tenths_table(tenths, size),
        growths_table(growths),
        pages_table(alone, among, first.trades, sum(day.trades for day in days)),
    ]


def _run(stream: Stream, days: Sequence[DayFile]) -> Tenth:
    tenth = tenth_of(stream.run(days))
    note(f"scale: {days[-1].path.name[:10]}: {tenth.trades:,} trades, {tenth.rate:,.0f} a second")
    return tenth


def _day(date: dt.date, size: Size, folder: Path) -> DayFile:
    path = folder / f"{date}.csv.zst"
    config = DayConfig(date=date, trades=size.day_trades, symbols=size.day_symbols)
    return DayFile(path, write_day(config, path, folder / f"{date}.labels.csv"))


def tenths_table(tenths: Sequence[Tenth], size: Size) -> Table:
    """Return what each tenth took, a row each."""
    return Table(
        f"{size.days} days of {size.day_trades:,} trades and {size.day_symbols} symbols, by tenths",
        (
            *("tenth", "trades/s", "largest lag"),
            *(f"{name}, s a million" for name in PROCESSES),
            *(f"{name}, MB" for name in PROCESSES),
            *("Kafka, bytes a trade", "Elasticsearch, bytes a trade"),
        ),
        tuple(
            (
                str(number),
                f"{one.rate:,.0f}",
                f"{max(one.lag.values()):,.0f}",
                *(f"{one.processor_s[name]:.1f}" for name in PROCESSES),
                *(f"{one.memory_mb[name]:,.0f}" if name in one.memory_mb else "" for name in PROCESSES),
                f"{one.kafka_bytes:.0f}",
                f"{one.elasticsearch_bytes:.0f}",
            )
            for number, one in enumerate(tenths, 1)
        ),
        frozenset({"tenth"}),
    )


def growths_table(growths: Mapping[str, Growth]) -> Table:
    """Return the first tenth beside the last, and whether that is flat."""
    return Table(
        "The last tenth against the first",
        ("what", "first", "last", "unit", "most allowed", "flat"),
        tuple(
            (
                name,
                f"{one.before:,.1f}",
                f"{one.after:,.1f}",
                one.limit.unit,
                f"{one.allowed:,.1f}",
                "no" if one.is_growing else "yes",
            )
            for name, one in growths.items()
        ),
        frozenset({"what", "unit", "flat"}),
    )


def pages_table(
    alone: Mapping[str, float], among: Mapping[str, float], first_trades: int, trades: int
) -> Table:
    """Return how long pages took with one day indexed, and with all of them."""
    return Table(
        f"One symbol's day: {first_trades:,} documents alone, and among {trades:,} of all days",
        ("what", "one day, s", "all days, s", "ratio", "target"),
        tuple(
            (
                name,
                f"{seconds:.3g}",
                f"{among[name]:.3g}",
                f"{among[name] / seconds:.2f}",
                f"{TIMES_OF_ONE_DAY:g} times at most"
                + (f", {TARGETS_S[name]:g} s" if name in TARGETS_S else ""),
            )
            for name, seconds in alone.items()
        ),
        frozenset({"what", "target"}),
    )
