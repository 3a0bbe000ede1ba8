from typing import Any

from dashboard.ui.expected import Expected, expected_of

FEATURES = {"price_low": 10.0, "price_high": 10.4, "mean_size": 40.0}


def detection(detector: str, threshold: float) -> dict[str, Any]:
    return {"detector": detector, "threshold": threshold, "expected": 1.0}


def test_the_expected_comes_from_the_anomaly_itself() -> None:
    found = expected_of(
        {
            "features": FEATURES,
            "detections": [detection("off_market_price", 10.5), detection("unusual_size", 400.0)],
        }
    )
    assert found == Expected(10.0, 10.4, 10.5, 40.0, 400.0)


def test_limits_of_patterns_and_of_other_units_are_left_out() -> None:
    detections = [detection("burst", 4.1), detection("level_shift", 9.0), detection("auction_cross", 5.0)]
    assert expected_of({"features": FEATURES, "detections": detections}) == Expected(10.0, 10.4, None, 40.0)


def test_an_anomaly_without_features_says_nothing() -> None:
    assert expected_of({}) == Expected()
    assert expected_of({"detections": [detection("nosuch", 1.0)]}) == Expected()
