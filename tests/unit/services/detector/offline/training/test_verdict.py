import pytest

from services.detector.offline.training.experiments import (
    CALIBRATED,
    FORWARD,
    KIND_OUT,
    OTHER_INJECTOR,
    RESHAPED,
    STYLE_OUT,
)
from services.detector.offline.training.results import Measured, Results
from services.detector.offline.training.verdict import verdict_of

SPLITS = (FORWARD, KIND_OUT, STYLE_OUT, OTHER_INJECTOR, f"{RESHAPED}4 dollars")


def results(gains: dict[str, float], noise: float = 0.0) -> Results:
    """Return results in which a model finds more in each split, by so much."""
    found = Results()
    for split in SPLITS:
        for number, day in enumerate(("2024-12-02", "2024-12-03", "2024-12-04")):
            gain = gains.get(split, 0.05) + (noise if number == 1 else 0.0)
            for method, value in ((CALIBRATED, 0.5), ("model", 0.5 + gain)):
                figures = {"recall_0.05": value, "recall_0.1": value}
                found.add(Measured(split, method, day, "", figures))
    return found


def test_a_gain_everywhere_switches_it_on() -> None:
    verdict = verdict_of(results({}), ["model"])
    assert verdict.is_on
    gain = "+5.0 points (+5.0 to +5.0)"
    assert verdict.sentences[0] == f"forward in time: {gain} at 0.05 % of the trades, {gain} at 0.1 %"


@pytest.mark.parametrize("split", SPLITS)
def test_a_loss_anywhere_keeps_it_off(split: str) -> None:
    assert not verdict_of(results({split: -0.05}), ["model"]).is_on


def test_no_gain_on_what_was_left_out_keeps_it_off() -> None:
    assert not verdict_of(results({STYLE_OUT: 0.0}), ["model"]).is_on


def test_a_gain_of_some_days_alone_keeps_it_off() -> None:
    assert not verdict_of(results({}, noise=-0.2), ["model"]).is_on


def test_other_stocks_need_no_gain() -> None:
    assert verdict_of(results({f"{RESHAPED}4 dollars": 0.0}), ["model"]).is_on
