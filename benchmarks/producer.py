"""The producer: a day's file into messages, and into Kafka.

Reading and serialising goes through the same calls as `tapewatch produce`, without a broker, from the
compressed file to keys and values, on one core. Its peer is the straightforward way: `pandas.read_csv`,
`iterrows` and `json.dumps`. The plain way reads the whole file and serialises only the first rows of it; its
time for one trade is the sum of both per row. Both go in turns, and the ratio is the median of the turns'
ratios.

Publishing is the command `tapewatch produce` on the embedded Kafka, as measured by itself: from opening its
client to the last acknowledgement, without the start of the process. The peer,
`benchmarks/ready_producer.py`, has keys and values ready in memory and hands them to librdkafka, with
transactions and settings as ours. Both go in turns, after one of each that does not count; the ratio is the
median of the turns' ratios. A small file is timed from outside, from the command's start to its end.
"""

import json
import statistics
import sys
import time
from pathlib import Path

import pandas as pd

from benchmarks.rows import Row
from benchmarks.surroundings import (
    environment,
    generated_day,
    note,
    real_day,
    run_command,
    run_to_end,
    running_kafka,
)
from services.common.errors import TapewatchError
from services.sources.files import open_source
from services.sources.synthetic.day import DayConfig

TURNS = 3
PLAIN_ROWS = 20_000
PUBLISHED_DAY = DayConfig(trades=500_000, symbols=10)
PUBLISHED_TURNS = 5
SMALL_DAY = DayConfig(trades=1_000, symbols=2)
SMALL_TURNS = 5
TIMEOUT_S = 120


def measure() -> list[Row]:
    """Measure reading and serialising, then publishing."""
    day = real_day()
    kind = "real" if day else "generated"
    day = day or generated_day(DayConfig())
    note(f"producer: reads {day.name} ({kind}) in turns with pandas")
    ours, plain = [], []
    for _ in range(TURNS):
        ours.append(_read_and_serialise(day))
        plain.append(_plain_way(day))
    ratio = statistics.median(fast / slow for fast, slow in zip(ours, plain, strict=True))
    return [
        Row(
            f"producer: read and serialise a {kind} day",
            statistics.median(ours),
            "trades/s",
            f"pandas iterrows, json.dumps: {statistics.median(plain):,.0f}",
            ratio,
        ),
        *_publish(),
    ]


def _read_and_serialise(day: Path) -> float:
    """Return trades a second of what `tapewatch produce` does before it publishes."""
    began_s = time.perf_counter()
    source = open_source(day)
    trades = 0
    for chunk in source.chunks():
        values = source.to_json(chunk.trades)
        keys = [symbol.encode() for symbol in chunk.trades["symbol"]]
        trades += len(list(zip(keys, values, strict=True)))
    return trades / (time.perf_counter() - began_s)


def _plain_way(day: Path) -> float:
    """Return trades a second of pandas, row by row."""
    began_s = time.perf_counter()
    frame = pd.read_csv(day)
    read_s = (time.perf_counter() - began_s) / len(frame)
    rows = frame.head(PLAIN_ROWS)
    began_s = time.perf_counter()
    values = [json.dumps(row.to_dict(), default=str).encode() for _, row in rows.iterrows()]
    serialise_s = (time.perf_counter() - began_s) / len(values)
    return 1 / (read_s + serialise_s)


def _publish() -> list[Row]:
    """Measure the command: a large file by its last line, a small one by the clock."""
    day, small = generated_day(PUBLISHED_DAY), generated_day(SMALL_DAY)
    with running_kafka() as bootstrap:
        variables = environment(bootstrap)
        del variables["POLARS_MAX_THREADS"]  # a reader ahead needs a thread of its own
        note(f"producer: publishes {day.name} in turns with librdkafka alone")
        turns = [(_produced(variables, day), _ready(variables, day)) for _ in range(1 + PUBLISHED_TURNS)]
        pairs = turns[1:]
        seconds = []
        for _ in range(SMALL_TURNS):
            began_s = time.perf_counter()
            run_command(variables, TIMEOUT_S, "produce", "--again", str(small))
            seconds.append(time.perf_counter() - began_s)
    large = f"producer: publish a generated day of {PUBLISHED_DAY.trades:,} trades to Kafka"
    whole = f"producer: a file of {SMALL_DAY.trades:,} trades, from the command's start to its end"
    return [
        Row(
            large,
            statistics.median(ours for ours, _ in pairs),
            "trades/s",
            f"librdkafka, ready bytes, transactions: {statistics.median(ready for _, ready in pairs):,.0f}",
            statistics.median(ours / ready for ours, ready in pairs),
            "0.8 at least",
        ),
        Row(whole, statistics.median(seconds), "s", target="1 at most"),
    ]


def _produced(variables: dict[str, str], day: Path) -> float:
    """Return the trades a second of `tapewatch produce`."""
    return _rate_in(run_command(variables, TIMEOUT_S, "produce", "--again", str(day)))


def _ready(variables: dict[str, str], day: Path) -> float:
    """Return the trades a second of the client library alone."""
    arguments = [sys.executable, "-m", "benchmarks.ready_producer", str(day)]
    done = run_to_end(arguments, variables, TIMEOUT_S, "The peer")
    return float(json.loads(done.stdout)["trades_per_s"])


def _rate_in(log: str) -> float:
    """Return the trades a second that a log's last line says."""
    for line in reversed(log.splitlines()):
        if line.startswith("{") and (entry := json.loads(line)).get("event") == "published":
            return float(entry["trades_per_s"])
    raise TapewatchError(f"`tapewatch produce` failed: {log[-500:]}", "Fix the error that it reports.")
