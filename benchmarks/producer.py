"""The producer: a day's file into messages, and into Kafka.

Reading and serialising goes through the same calls as `tapewatch produce`, without a broker, from the
compressed file to keys and values, on one core. Its peer is the straightforward way: `pandas.read_csv`,
`iterrows` and `json.dumps`. The plain way reads the whole file and serialises only the first rows of it; its
time for one trade is the sum of both per row. Both go in turns, and the ratio is the median of the turns'
ratios.

Publishing is the command `tapewatch produce` on the embedded Kafka, as measured by itself: from the first
chunk read to the last acknowledgement, without the start of the process.
"""

import json
import statistics
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
    running_kafka,
)
from services.common.errors import TapewatchError
from services.sources.files import open_source
from services.sources.synthetic.day import DayConfig

TURNS = 3
PLAIN_ROWS = 20_000
PUBLISHED_DAY = DayConfig(trades=500_000, symbols=10)
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
        Row(
            f"producer: publish a generated day of {PUBLISHED_DAY.trades:,} trades to Kafka",
            _publish(),
            "trades/s",
        ),
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


def _publish() -> float:
    """Return trades a second that the command published, as its last line says."""
    day = generated_day(PUBLISHED_DAY)
    with running_kafka() as bootstrap:
        note(f"producer: publishes {day.name}")
        log = run_command(environment(bootstrap), TIMEOUT_S, "produce", str(day))
    for line in reversed(log.splitlines()):
        if line.startswith("{") and (entry := json.loads(line)).get("event") == "published":
            return float(entry["trades_per_s"])
    raise TapewatchError(f"`tapewatch produce` failed: {log[-500:]}", "Fix the error that it reports.")
