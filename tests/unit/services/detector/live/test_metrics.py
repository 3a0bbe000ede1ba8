import numpy as np
import pytest
from prometheus_client import REGISTRY

from services.detector.detectors.tally import ModelTally
from services.detector.live.metrics import DRIFT_LEAST, Tally
from services.detector.live.partition import Detected

NAMES = {"model": "trades@0123456789ab", "challenger": "trades@ba9876543210"}


def judged(sampled: list[float]) -> Detected:
    expected = np.array([[0.5, 0.5]])
    tally = ModelTally(
        NAMES["model"], NAMES["challenger"], 2_000, 3, 2, 1, ["gap_s"], expected, np.array([sampled])
    )
    return Detected(tallies=[tally])


def value(name: str, **labels: str) -> float | None:
    return REGISTRY.get_sample_value(name, labels)


def drift() -> float | None:
    return value("tapewatch_feature_drift", model=NAMES["model"], feature="gap_s")


def test_what_models_judge_is_counted_once_it_is_committed() -> None:
    tally = Tally()
    tally.add(judged([0.6 * DRIFT_LEAST, 0.0]))
    tally.discard()
    tally.count()
    assert value("tapewatch_model_judged_trades_total", **NAMES) is None
    tally.add(judged([0.3 * DRIFT_LEAST, 0.3 * DRIFT_LEAST]))
    tally.count()
    assert value("tapewatch_model_judged_trades_total", **NAMES) == 2_000
    flagged = [
        value("tapewatch_model_flagged_trades_total", **NAMES, by=by)
        for by in ("both", "model", "challenger")
    ]
    assert flagged == [3, 2, 1]
    assert drift() is None  # of too few trades
    tally.add(judged([0.3 * DRIFT_LEAST, 0.3 * DRIFT_LEAST]))
    tally.count()
    assert drift() == pytest.approx(0.0)
    for _ in range(100):
        tally.add(judged([0.9 * DRIFT_LEAST, 0.1 * DRIFT_LEAST]))
        tally.count()
    assert drift() == pytest.approx(0.4 * np.log(1.8) + 0.4 * np.log(5), rel=0.05)


def test_the_drift_of_a_challenger_that_is_alone_has_its_name() -> None:
    expected, sampled = np.array([[0.5, 0.5]]), np.array([[0.5 * DRIFT_LEAST, 0.5 * DRIFT_LEAST]])
    tally = Tally()
    tally.add(Detected(tallies=[ModelTally("", "trades@a", 9, 0, 0, 4, ["gap_s"], expected, sampled)]))
    tally.count()
    assert (
        value("tapewatch_model_flagged_trades_total", model="", challenger="trades@a", by="challenger") == 4
    )
    assert value("tapewatch_feature_drift", model="trades@a", feature="gap_s") == pytest.approx(0.0)
