"""Engines that are made for this, beside Tapewatch: Quix Streams, Kafka Streams and Flink with a small job.

Each reads trades as JSON, publishes those above a threshold as JSON, exactly once, as its manual recommends;
Tapewatch's detector applies all of its detectors meanwhile. Two things are measured:

- how fast an engine works off a full topic (`rates.py`), in turns, with the medians of the turns;
- its start, its delay at 5,000 trades a second, and what is left of its output after twenty kills
  (`live.py`), each engine on a Kafka of its own.

An engine that cannot be set up, or fails, says why in its row; the others go on.
"""

import statistics
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from confluent_kafka import KafkaException

from benchmarks.peers import live
from benchmarks.peers.base import Peer
from benchmarks.peers.figures import Figures, Speed, as_table
from benchmarks.peers.rates import Rates
from benchmarks.peers.registry import PEERS
from benchmarks.rows import Table
from benchmarks.surroundings import OUT, note, running_kafka
from services.common.errors import TapewatchError

TURNS = 3
PROBLEMS = (TapewatchError, KafkaException)
"""Of one engine, which end its measurements and no others."""

LONGEST_TRANSACTION = {"transaction.max.timeout.ms": "900000"}
"""A broker's own default, which Flink needs: see its peer. The embedded one has a minute."""


def measure() -> Table:
    """Measure all peers."""
    OUT.mkdir(parents=True, exist_ok=True)
    figures = {peer: _set_up(peer) for peer in PEERS}
    with tempfile.TemporaryDirectory() as scratch:
        _add_rates(figures, Path(scratch))
        for peer in _left(figures):
            figures[peer] = _with_live(peer, figures[peer], Path(scratch) / type(peer).__name__)
    return as_table(list(figures.values()))


def _left(figures: dict[Peer, Figures]) -> list[Peer]:
    return [peer for peer, row in figures.items() if not row.why_not]


def _set_up(peer: Peer) -> Figures:
    try:
        peer.set_up()
    except PROBLEMS as error:
        return _failed(Figures(peer.name), error)
    return Figures(peer.name)


def _failed(row: Figures, error: Exception) -> Figures:
    note(f"peers: {row.name}: {error}")
    return replace(row, why_not=error.cause if isinstance(error, TapewatchError) else str(error))


def _add_rates(figures: dict[Peer, Figures], folder: Path) -> None:
    """Measure in turns, each peer going first in some, and put the medians into the rows."""
    speeds: dict[Peer, list[Speed]] = {peer: [] for peer in _left(figures)}
    with running_kafka(LONGEST_TRANSACTION) as bootstrap:
        rates = Rates(bootstrap, folder)
        rates.publish()
        for turn in range(TURNS):
            for peer in _left(figures) if turn % 2 else reversed(_left(figures)):
                try:
                    speeds[peer].append(rates.measure(peer))
                except PROBLEMS as error:
                    figures[peer] = _failed(figures[peer], error)
                    continue
                speed = speeds[peer][-1]
                note(f"peers: {peer.name}: {speed.trades_per_s:,.0f} trades/s, {speed.processor_s:.1f} s")
    for peer in _left(figures):
        figures[peer] = replace(figures[peer], speed=_median(speeds[peer]))


def _median(speeds: Sequence[Speed]) -> Speed:
    return Speed(
        trades_per_s=statistics.median(speed.trades_per_s for speed in speeds),
        processor_s=statistics.median(speed.processor_s for speed in speeds),
        peak_bytes=max(speed.peak_bytes for speed in speeds),
    )


def _with_live(peer: Peer, row: Figures, folder: Path) -> Figures:
    try:
        with running_kafka(LONGEST_TRANSACTION) as bootstrap:
            delay, survival = live.measure(peer, bootstrap, folder, live.Plan())
    except PROBLEMS as error:
        return _failed(row, error)
    note(f"peers: {peer.name}: {delay}, {survival}")
    return replace(row, delay=delay, survival=survival)
