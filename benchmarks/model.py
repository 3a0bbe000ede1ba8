"""The pure detector with a trained model: all detectors of the default profile, and XGBoost beside them.

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
from services.detector.offline.training.kinds.registry import TrainableKind
from services.detector.offline.training.labels.registry import read_choices
from services.detector.offline.training.run import TrainingPlan, run_train
from services.detector.profiles.profile import Profile, load_profile
from services.sources.files import open_sources
from services.sources.synthetic.day import DayConfig, write_day

RUNS = 3
NAME = "bench"
DAYS = 3
TRADES = 60_000
TARGET = "100,000"


def measure() -> list[Row]:
    """Train a model on generated days, and measure batches of one symbol and of many with it."""
    frame = tape()
    one = columns(frame, frame["symbol"].to_list())
    many = columns(frame, [f"S{number}" for number in dealt(len(frame), SYMBOLS)])
    with tempfile.TemporaryDirectory() as folder:
        profile, rounds = _trained(Path(folder))
    unit = "trades/s of processor"
    _run(pieces(one[0:20_000], 1_000), profile)  # compiles, where it was never compiled before
    return [
        Row(
            f"pure detector with XGBoost ({rounds} rounds), batches of 1,000 of one symbol",
            max(_run(pieces(one, 1_000), profile) for _ in range(RUNS)),
            unit,
            target=TARGET,
        ),
        Row(
            f"pure detector with XGBoost ({rounds} rounds), {SYMBOLS} symbols interleaved, batches of 5,000",
            max(_run(pieces(many, 5_000), profile) for _ in range(RUNS)),
            unit,
            target=TARGET,
        ),
    ]


def _trained(folder: Path) -> tuple[Profile, int]:
    """Return a profile with a new model, which stays in memory, and the model's rounds."""
    days = []
    for number in range(DAYS):
        day = folder / f"{number}.csv"
        config = DayConfig(dt.date(2026, 3, 2 + number), seed=number, trades=TRADES, symbols=1)
        write_day(config, day, folder / f"labels{number}.csv")
        days.append(str(day))
    note(f"model: trains on {DAYS} generated days of {TRADES:,} trades")
    models = folder / "models"
    plan = TrainingPlan(TrainableKind.XGBOOST, NAME, read_choices(["injected"]), None, 1, 0.0001, 1)
    run_train(open_sources(days), plan, models, None)
    registry = ModelRegistry(models)
    [digest] = registry.digests(NAME)
    set_alias(registry, NAME, Alias.CHAMPION, digest)
    os.environ["TAPEWATCH_MODELS"] = str(models)
    written = folder / "profile.yaml"
    written.write_text(f"detectors:\n  trained_model: {{model: {NAME}@{Alias.CHAMPION}}}\n")
    return load_profile(written), manifest_in(models / NAME / digest).rounds


def _run(batches: Sequence[TradeColumns], profile: Profile) -> float:
    """Return trades a second of processor time of a fresh engine."""
    engine = Engine(profile)
    began_s = time.process_time()
    for batch in batches:
        engine.detect_columns(batch)
    return sum(map(len, batches)) / (time.process_time() - began_s)
