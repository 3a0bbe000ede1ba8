"""The cost of exactly-once delivery: producer and detector with it against the same code without it.

`benchmarks/promise_child.py` runs both forms. Without exactly-once delivery the producer is the plain
idempotent one, flushed at the end; the detector commits offsets without waiting for anything, and writes no
checkpoints.

The producer publishes a generated day again each time; its clock runs from the first row to the last
acknowledgement, as measured by the child. The detector reads the same day from its beginning, timed from
outside as in `benchmarks/service.py`. Both forms go in alternating pairs, the first pair unmeasured; the
figures are medians, the ratio is the median of the pairs' ratios.
"""

import json
import statistics
import sys
from collections.abc import Callable

from benchmarks.rows import Row
from benchmarks.service import MEASURED, RUN_TIMEOUT_S, Bench
from benchmarks.surroundings import environment, generated_day, note, run_to_end, running_kafka

PAIRS = 5
TARGET = "0.85 at least"


def measure() -> list[Row]:
    """Measure the pairs."""
    day = str(generated_day(MEASURED))
    with running_kafka() as bootstrap:
        rows = [_row("producer", lambda form: _produced(bootstrap, form, day))]
    with running_kafka() as bootstrap:
        bench = Bench(bootstrap)
        bench.publish(MEASURED)
        rows.append(_row("detector", lambda form: bench.detector(_child("detect", form)).trades_per_s))
    return rows


def _row(name: str, rate_of: Callable[[str], float]) -> Row:
    """Measure one service's pairs."""
    note(f"promise: {name} warms up")
    for form in ("with", "without"):
        rate_of(form)
    pairs = []
    for number in range(1, PAIRS + 1):
        # Each form goes first in turn.
        order = ("with", "without") if number % 2 else ("without", "with")
        rates = {form: rate_of(form) for form in order}
        pairs.append((rates["with"], rates["without"]))
        figures = " and ".join(f"{rates[form]:,.0f} trades/s {form}" for form in ("with", "without"))
        note(f"promise: {name}, pair {number} of {PAIRS}: {figures} it")
    return Row(
        f"{name}: exactly once",
        statistics.median(ours for ours, _ in pairs),
        "trades/s",
        f"the same without transactions{' and checkpoints' if name == 'detector' else ''}: "
        f"{statistics.median(plain for _, plain in pairs):,.0f}",
        statistics.median(ours / plain for ours, plain in pairs),
        TARGET,
    )


def _child(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "benchmarks.promise_child", *arguments]


def _produced(bootstrap: str, form: str, day: str) -> float:
    """Return trades a second of publishing the day once."""
    done = run_to_end(_child("produce", form, day), environment(bootstrap), RUN_TIMEOUT_S, "The producer")
    return float(json.loads(done.stdout)["trades_per_s"])
