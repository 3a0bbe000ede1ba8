"""The pure detector with a trained model: all detectors of the default profile, and a model beside them.

Figures are for a second of one processor's time, so that other work on the machine changes them less.
"""

import datetime as dt
import os
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks.detector import SYMBOLS, columns, dealt, pieces, tape
from benchmarks.rows import Row
from benchmarks.surroundings import note
from services.detector.engine.columns import TradeColumns
from services.detector.engine.engine import Engine
from services.detector.models.folder import manifest_in
from services.detector.models.manifest import Alias
from services.detector.models.registry import ModelRegistry
from services.detector.offline.models.store import set_alias
from services.detector.offline.training.kinds.autoencoder.environment import JAX
from services.detector.offline.training.kinds.registry import TrainableKind
from services.detector.offline.training.labels.registry import read_choices
from services.detector.offline.training.run import TrainingPlan, run_train
from services.detector.profiles.profile import Profile, load_profile
from services.sources.files import open_sources
from services.sources.synthetic.day import DayConfig, write_day

RUNS = 3
DAYS = 3
TRADES = 60_000
TARGET = "100,000"
WORDS = {
    TrainableKind.XGBOOST: "XGBoost ({rounds} rounds)",
    TrainableKind.AUTOENCODER: "the autoencoder",
}


def measure() -> list[Row]:
    """Train models on generated days, and measure batches of one symbol and of many with each."""
    frame = tape()
    one = columns(frame, frame["symbol"].to_list())
    many = columns(frame, [f"S{number}" for number in dealt(len(frame), SYMBOLS)])
    rows = []
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        days = _days(folder)
        for kind in TrainableKind:
            if kind is TrainableKind.AUTOENCODER and not JAX.is_installed():
                note("model: the autoencoder is left out; its environment is made by: make autoencoder")
                continue
            profile, rounds = _trained(folder, days, kind)
            _run(pieces(one[0:20_000], 1_000), profile)  # compiles, where it was never compiled before
            name = f"pure detector with {WORDS[kind].format(rounds=rounds)}"
            target = TARGET if kind is TrainableKind.XGBOOST else None
            for batches, what in (
                (pieces(one, 1_000), "batches of 1,000 of one symbol"),
                (pieces(many, 5_000), f"{SYMBOLS} symbols interleaved, batches of 5,000"),
            ):
                rate = max(_run(batches, profile) for _ in range(RUNS))
                rows.append(Row(f"{name}, {what}", rate, "trades/s of processor", target=target))
    return rows


def _days(folder: Path) -> list[str]:
    """Return the files of generated days."""
    days = []
    for number in range(DAYS):
        day = folder / f"{number}.csv"
        config = DayConfig(dt.date(2026, 3, 2 + number), seed=number, trades=TRADES, symbols=1)
        write_day(config, day, folder / f"labels{number}.csv")
        days.append(str(day))
    return days


def _trained(folder: Path, days: list[str], kind: TrainableKind) -> tuple[Profile, int]:
    """Return a profile with a new model, which stays in memory, and the model's rounds."""
    note(f"model: trains {kind} on {DAYS} generated days of {TRADES:,} trades")
    models = folder / "models"
    plan = TrainingPlan(kind, str(kind), read_choices(["injected"]), None, 1, 0.0001, 1)
    run_train(open_sources(days), plan, models, None)
    registry = ModelRegistry(models)
    [digest] = registry.digests(kind)
    set_alias(registry, kind, Alias.CHAMPION, digest)
    os.environ["TAPEWATCH_MODELS"] = str(models)
    written = folder / "profile.yaml"
    written.write_text(f"detectors:\n  trained_model: {{model: {kind}@{Alias.CHAMPION}}}\n")
    return load_profile(written), manifest_in(models / kind / digest).rounds


def _run(batches: Sequence[TradeColumns], profile: Profile) -> float:
    """Return trades a second of processor time of a fresh engine."""
    engine = Engine(profile)
    began_s = time.process_time()
    for batch in batches:
        engine.detect_columns(batch)
    return sum(map(len, batches)) / (time.process_time() - began_s)
