"""A generated symbol with the anomalies of the generator, which is an injector of its own."""

import tempfile
from pathlib import Path

from services.detector.offline.training.days import spool_days
from services.detector.offline.training.labelled import LabelledDay
from services.detector.offline.training.labels.marked import FileLabels
from services.sources.files import open_sources
from services.sources.synthetic.day import DayConfig, write_day

TRADES = 100_000
RATE = 0.001


def generated_day(seed: int) -> LabelledDay:
    """Return a generated day of one symbol."""
    with tempfile.TemporaryDirectory(prefix="tapewatch-generated-") as name:
        folder = Path(name)
        trades, labels = folder / "trades.csv", folder / "labels.csv"
        write_day(DayConfig(trades=TRADES, symbols=1, seed=seed, anomaly_rate=RATE), trades, labels)
        spool = folder / "days"
        spool.mkdir()
        days = spool_days(open_sources([str(trades)]), "America/New_York", spool, lambda *_: None)
        return next(FileLabels(labels, 1.0).tested(days[0]))
