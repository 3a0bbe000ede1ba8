from pathlib import Path

import numpy as np
import orjson
import pytest

from services.alerter.offline.dry_run import DryRun, dry_run, read_published
from services.alerter.offline.rules import rules_of_text, rules_to_try
from services.common.errors import TapewatchError
from services.detector.offline.backtest.every_revision import every_revision
from services.detector.offline.decode import decode_chunk
from services.detector.offline.tuning import anomalies
from services.detector.offline.tuning.anomalies import find_anomalies
from services.detector.offline.tuning.indexed_day import IndexedDay
from services.detector.profiles.profile import load_profile
from services.sources.files import open_sources
from services.sources.synthetic.day import DayConfig, write_day

VENUES = """
channels: {desk: {kind: stdout, budget_per_hour: 3}}
rules:
  - {name: here, match: {venues: [databento, X*]}, send: [{channel: desk}]}
  - {name: elsewhere, match: {venues: [kraken]}, send: [{channel: desk}]}
"""


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("day")
    config = DayConfig(trades=12_000, symbols=1, anomaly_rate=0.002)
    write_day(config, folder / "day.csv", folder / "labels.csv")
    return folder / "day.csv"


@pytest.fixture(scope="module")
def day(path: Path) -> IndexedDay:
    (source,) = open_sources([str(path)])
    (chunk,) = source.chunks()
    decoded = decode_chunk(source, chunk, "America/New_York")
    kinds = [(one.get("source"), one.get("venue")) for one in map(orjson.loads, decoded.values)]
    origins = list(dict.fromkeys(kinds))
    return IndexedDay(decoded.columns, np.array([origins.index(kind) for kind in kinds], np.int32), origins)


def ignore(done: int, of: int) -> None:
    assert 0 < done <= of


def facts(run: DryRun) -> list[object]:
    """Return all of a dry run but for ids."""
    worst = [(one.timestamp, one.severity, one.message, one.worst.trade.price) for one in run.worst(5)]
    told = [(one.at_s, one.channel, one.fate, one.alert.rule, one.alert.count) for one in run.messages]
    return [run.summary(), run.fates(), run.severities(), worst, told]


@pytest.mark.parametrize("text", [None, VENUES])
def test_a_day_sends_what_a_dry_run_of_its_file_sends(path: Path, day: IndexedDay, text: str | None) -> None:
    rules = rules_to_try() if text is None else rules_of_text(text)
    symbol = day.columns.symbol[0]
    found = find_anomalies(day, load_profile(), symbol, ignore)
    published = every_revision(open_sources([str(path)]), None)
    ours, theirs = (dry_run((read_published(*one) for one in some), rules) for some in (found, published))
    assert facts(ours) == facts(theirs)
    assert len(ours.sent) > 0


def test_thresholds_that_flag_far_too_much_are_refused(
    day: IndexedDay, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(anomalies, "MAX_PUBLISHED", 1)
    with pytest.raises(TapewatchError, match="more than 1 trades"):
        find_anomalies(day, load_profile(), day.columns.symbol[0], ignore)
