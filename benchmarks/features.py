"""Features: of trades that are measured already, with their measures, and by the command, with its memory.

Figures are for a second of one processor's time, so that other work on the machine changes them less.
"""

import os
import subprocess
import tempfile
import time
from collections import deque
from collections.abc import Sequence
from pathlib import Path

import polars as pl

from benchmarks.detector import SYMBOLS, columns, dealt, pieces, tape
from benchmarks.rows import Row
from benchmarks.surroundings import PROJECT, REAL_DAYS, command, environment, generated_day, note
from services.common.errors import TapewatchError
from services.common.exchange_calendar import ExchangeCalendar
from services.detector.detectors.detector_set import context_of
from services.detector.engine.batch import Batch, SessionKey
from services.detector.engine.columns import TradeColumns
from services.detector.engine.sessions import Sessions
from services.detector.features.features import Features
from services.detector.features.state import STATE
from services.detector.offline.features.extract import FeatureExtraction
from services.detector.profiles.profile import load_profile
from services.sources.synthetic.day import DayConfig

RUNS = 3
WARM_UP_TRADES = 20_000


def measure() -> list[Row]:
    """Measure the features of one symbol and of many, and the command for one day and for several."""
    frame = tape()
    one = pieces(columns(frame, frame["symbol"].to_list()), 1_000)
    many = pieces(columns(frame, [f"S{number}" for number in dealt(len(frame), SYMBOLS)]), 5_000)
    _extracted(one[: WARM_UP_TRADES // 1_000])  # compiles, where it was never compiled before
    batches, sessions = _measured(one)
    rows = [
        Row(
            "features alone, batches of 1,000 of one symbol",
            max(_features_alone(batches, sessions) for _ in range(RUNS)),
            "trades/s of processor",
        ),
        Row(
            "features with the calibrated measures, batches of 1,000 of one symbol",
            max(_extracted(one) for _ in range(RUNS)),
            "trades/s of processor",
        ),
        Row(
            f"features with the calibrated measures, {SYMBOLS} symbols interleaved, batches of 5,000",
            max(_extracted(many) for _ in range(RUNS)),
            "trades/s of processor",
        ),
        Row("features: a session's record", STATE.itemsize / 1024, "kB"),
    ]
    days = sorted(REAL_DAYS.glob("*.csv.zst")) or [
        generated_day(DayConfig(trades=200_000, symbols=1, seed=seed)) for seed in (1, 2, 3)
    ]
    for files in (days[:1], days):
        note(f"features: {', '.join(path.name for path in files)}")
        seconds, rows_written, peak_bytes = _command(files)
        named = f"`tapewatch features`, {len(files)} of the days, {rows_written:,} rows"
        rows += [
            Row(f"{named}, with its start", rows_written / seconds, "trades/s of processor"),
            Row(f"{named}, memory at its peak", peak_bytes / 1e6, "MB"),
        ]
    return rows


def _measured(parts: Sequence[TradeColumns]) -> tuple[list[Batch], dict[int, SessionKey]]:
    """Return batches with their measures, and each slot's session."""
    profile = load_profile()
    walk = context_of(profile, ExchangeCalendar(profile.exchange)).walk
    sessions = Sessions(endless=False)
    batches: list[Batch] = []
    keys: dict[int, SessionKey] = {}
    for part in parts:
        for piece in sessions.pieces(part):
            for slot, key in piece.opened:
                walk.open(slot, key)
                keys[slot] = key
            batches.append(piece.batch.with_measures(walk.advance(piece.batch)))
    return batches, keys


def _features_alone(batches: Sequence[Batch], sessions: dict[int, SessionKey]) -> float:
    """Return trades a second of processor time."""
    profile = load_profile()
    features = Features(context_of(profile, ExchangeCalendar(profile.exchange)))
    for slot, key in sessions.items():
        features.open(slot, key)
    began_s = time.process_time()
    for batch in batches:
        features.advance(batch)
    return sum(map(len, batches)) / (time.process_time() - began_s)


def _extracted(parts: Sequence[TradeColumns]) -> float:
    """Return trades a second of processor time."""
    extraction = FeatureExtraction(load_profile())
    began_s = time.process_time()
    for part in parts:
        deque(extraction.extract(part), maxlen=0)
    return sum(map(len, parts)) / (time.process_time() - began_s)


def _command(files: Sequence[Path]) -> tuple[float, int, int]:
    """Run `tapewatch features`; return its processor seconds, its rows, and its memory at its peak, bytes."""
    with tempfile.TemporaryDirectory() as folder, (Path(folder) / "log").open("w+") as log:
        process = subprocess.Popen(
            command("features", *map(str, files), "--output", folder),
            env=environment(""),
            cwd=PROJECT,
            stderr=log,
        )
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            log.seek(0)
            raise TapewatchError(f"`tapewatch features` failed: {log.read()[-500:]}", "Fix that error.")
        rows = pl.scan_parquet(f"{folder}/*.parquet").select(pl.len()).collect().item()
    return usage.ru_utime + usage.ru_stime, int(rows), usage.ru_maxrss * 1024
