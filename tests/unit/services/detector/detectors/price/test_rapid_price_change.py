import pytest
from pydantic import ValidationError

from services.detector.detectors.price.rapid_price_change import RapidPriceChange, RapidPriceChangeParameters
from services.detector.engine.batch import SessionKey
from tests.unit.services.detector.batches import SESSION, batch, context_of, interleaved


def rapid_price_change() -> RapidPriceChange:
    detector = RapidPriceChange(context_of(RapidPriceChange.name, RapidPriceChangeParameters()))
    detector.open(0, SESSION)
    return detector


def test_changes_beyond_the_threshold_are_flagged_either_way() -> None:
    flags = rapid_price_change().flag(batch(price=[100, 105, 110.26, 100, 99]))
    assert flags.at.tolist() == [2, 3]
    assert flags.value.tolist() == pytest.approx([5.26 / 105, -10.26 / 110.26])
    assert flags.expected.tolist() == [0, 0]
    assert flags.threshold.tolist() == [0.05, 0.05]
    assert "below the 110.26 of the previous trade" in flags.reasons[1]


def test_first_trade_has_no_change() -> None:
    detector = rapid_price_change()
    assert detector.flag(batch(price=[100])).at.tolist() == []
    detector.open(0, SESSION)
    assert detector.flag(batch(price=[200])).at.tolist() == []


def test_price_of_zero_and_negative_prices_are_no_trouble() -> None:
    flags = rapid_price_change().flag(batch(price=[0.0, 5.0, -5.0, -5.5]))
    assert flags.at.tolist() == [2, 3]
    assert flags.value.tolist() == pytest.approx([-2.0, -0.1])


def test_each_symbol_has_its_own_threshold_and_price_before() -> None:
    limits = {"NVDA": 0.5, "AAPL": 0.01}
    detector = RapidPriceChange(
        context_of(
            RapidPriceChange.name, lambda symbol: RapidPriceChangeParameters(threshold_ratio=limits[symbol])
        )
    )
    detector.open(0, SessionKey("NVDA", "2024-12-02"))
    detector.open(3, SessionKey("AAPL", "2024-12-02"))
    trades = interleaved([batch(price=[100, 110], slot=0), batch(price=[10, 10.2], slot=3)], [0, 1, 0, 1])
    flags = detector.flag(trades)
    assert flags.at.tolist() == [3]
    assert flags.threshold.tolist() == [0.01]


@pytest.mark.parametrize("wrong", [{"threshold_ratio": 0}, {"threshold_ratio": float("nan")}, {"ratio": 0.1}])
def test_wrong_parameters_are_rejected(wrong: dict[str, float]) -> None:
    with pytest.raises(ValidationError):
        RapidPriceChangeParameters(**wrong)
