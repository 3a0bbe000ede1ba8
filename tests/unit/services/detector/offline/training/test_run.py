import datetime as dt
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from services.common.errors import TapewatchError
from services.detector.models.folder import CARD, MANIFEST, read_stored
from services.detector.models.manifest import Manifest, read_manifest
from services.detector.offline.decode import decode_chunk
from services.detector.offline.evaluation.metrics import NATURAL
from services.detector.offline.features.extract import FeatureExtraction
from services.detector.offline.models.run import run_verify
from services.detector.offline.training.judge import judge_day
from services.detector.offline.training.kinds.autoencoder import trainer
from services.detector.offline.training.kinds.autoencoder.environment import JAX
from services.detector.offline.training.kinds.registry import TrainableKind
from services.detector.offline.training.labels.registry import read_choices
from services.detector.offline.training.page import BEGIN, END
from services.detector.offline.training.run import TrainingPlan, run_report, run_train
from services.detector.profiles.profile import load_profile
from services.sources.base import Source
from services.sources.files import open_sources
from services.sources.synthetic.day import DayConfig, write_day

DAYS = 4
TRADES = 8_000


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("days")
    for number in range(DAYS):
        config = DayConfig(
            dt.date(2026, 3, 2 + number), seed=number, trades=TRADES, symbols=1, anomaly_rate=0.004
        )
        write_day(config, made / f"{number}.csv", made / f"labels{number}.csv")
    return made


def sources(folder: Path, days: int = DAYS) -> Sequence[Source]:
    return open_sources([str(folder / f"{number}.csv") for number in range(days)])


def plan(labels: Sequence[str] = ("injected",), test_days: int = 1, name: str = "trades") -> TrainingPlan:
    return TrainingPlan(TrainableKind.XGBOOST, name, read_choices(labels), None, 1, 0.0001, test_days)


def trained(models: Path) -> tuple[Path, Manifest]:
    """Return the one model of a folder."""
    [path] = models.glob(f"trades/*/{MANIFEST}")
    return path.parent, read_manifest(path.read_bytes())


def test_features_of_a_day_are_those_of_the_command(folder: Path) -> None:
    [source] = open_sources([str(folder / "0.csv")])
    messages = [line for chunk in source.chunks() for line in source.to_json(chunk.trades)]
    found = judge_day(messages, np.full(len(messages), NATURAL), load_profile(None))
    extraction = FeatureExtraction(load_profile(None))
    for chunk in source.chunks():
        columns = decode_chunk(source, chunk, extraction.time_zone).columns
        for one in extraction.extract(columns):
            np.testing.assert_array_equal(found.features[one.places], one.values.astype(np.float32))
    assert found.is_judged.all()
    assert (found.alert > 0).any()


@pytest.mark.slow
def test_the_same_data_give_the_same_model(folder: Path, tmp_path: Path) -> None:
    assert run_train(sources(folder), plan(), tmp_path / "one", None) == 0
    assert run_train(sources(folder), plan(), tmp_path / "two", None) == 0
    path, manifest = trained(tmp_path / "one")
    assert trained(tmp_path / "two")[0].name == path.name == manifest.digest
    assert run_train(sources(folder), plan(), tmp_path / "one", None) == 0
    assert run_verify(tmp_path / "one", None) == 0
    assert manifest.days == {
        "train": ["2026-03-02", "2026-03-03"],
        "stop": ["2026-03-04"],
        "test": ["2026-03-05"],
    }
    [label] = manifest.labels
    assert (label.origin, label.weight) == ("injected", 1.0)
    assert label.anomalies > 40
    assert manifest.data[0].digest == sources(folder)[0].identity
    assert manifest.metrics["injected.average_precision"].mean is not None
    assert manifest.metrics["injected, calibrated score.average_precision"].mean is not None
    assert manifest.digest in (path / CARD).read_text()
    assert read_stored(path).manifest == manifest


@pytest.mark.slow
def test_labels_of_several_origins_are_kept_apart_and_counted(folder: Path, tmp_path: Path) -> None:
    every = tmp_path / "labels.csv"
    lines = [
        line for number in range(DAYS) for line in (folder / f"labels{number}.csv").read_text().splitlines()
    ]
    every.write_text(
        "\n".join([lines[0], *(line for line in lines if not line.startswith("trade_id"))]) + "\n"
    )
    assert run_train(sources(folder), plan(["injected", f"{every}=5"]), tmp_path / "models", None) == 0
    _, manifest = trained(tmp_path / "models")
    assert [(one.origin, one.weight) for one in manifest.labels] == [("injected", 1.0), ("file", 5.0)]
    assert all(one.anomalies > 0 for one in manifest.labels)
    assert {name.partition(".")[0] for name in manifest.metrics} == {
        "injected", "injected, calibrated score", "file", "file, calibrated score"
    }  # fmt: skip


@pytest.mark.slow
def test_the_report_replaces_what_was_measured_in_the_page(folder: Path, tmp_path: Path) -> None:
    page = tmp_path / "models.md"
    page.write_text(f"before\n{BEGIN}\nold\n{END}\nafter\n")
    assert (
        run_report(sources(folder, 3), [TrainableKind.XGBOOST], None, 1, page, "tapewatch train --report")
        == 0
    )
    text = page.read_text()
    assert text.startswith(f"before\n{BEGIN}\n")
    assert text.endswith(f"{END}\nafter\n")
    assert "old" not in text
    for title in (
        "Verdict",
        "Forward in time",
        "One kind left out",
        "Another injector",
        "Calibration: xgboost",
    ):
        assert f"#### {title}\n" in text
    for ranking in ("random", "ECOD", "half-space trees", "calibrated score, as it alerts", "xgboost"):
        assert f"| {ranking} |" in text


@pytest.mark.slow
@pytest.mark.skipif(not JAX.is_installed(), reason="JAX is not installed: make autoencoder")
def test_a_report_of_two_kinds_has_both_in_the_same_tables(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trainer, "TRAIN_WINDOWS", 2_048)
    page = tmp_path / "models.md"
    assert run_report(sources(folder, 3), list(TrainableKind), None, 1, page, "tapewatch train --report") == 0
    text = page.read_text()
    tables = text.count("\n| calibrated score, as it alerts |")
    for kind in TrainableKind:
        for ranking in (kind, f"calibrated evidence + {kind}", f"calibrated, bursts by {kind}"):
            assert text.count(f"\n| {ranking} |") == tables
        assert f"#### By kind: {kind}\n" in text
        assert f"#### Calibration: {kind}\n" in text


def test_too_few_sessions_are_refused(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(TapewatchError, match="There are 2 sessions, and 3 are needed"):
        run_train(sources(folder, 2), plan(), tmp_path, None)


def test_a_name_that_is_no_folder_is_refused(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(TapewatchError, match="cannot name a model"):
        run_train(sources(folder, 1), plan(name="../x"), tmp_path, None)


def test_no_labels_are_refused(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "none.csv").write_text("trade_id\n")
    with pytest.raises(TapewatchError, match="There are no labels"):
        run_train(sources(folder, 3), plan([str(tmp_path / "none.csv")]), tmp_path, None)
