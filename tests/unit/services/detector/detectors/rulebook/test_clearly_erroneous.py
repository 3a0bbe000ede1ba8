import pytest

from services.contracts.anomaly import Rule
from services.detector.detectors.rulebook.clearly_erroneous import (
    ClearlyErroneousDetector,
    ClearlyErroneousParameters,
)
from services.detector.engine.batch import PRICE_ELIGIBLE
from tests.unit.services.detector.batches import SESSION
from tests.unit.services.detector.detectors.rulebook.sessions import context, trades

BEFORE_OPEN_S = -3_600.0


def erroneous(**parameters: float) -> ClearlyErroneousDetector:
    own = ClearlyErroneousParameters.model_validate(parameters)
    detector = ClearlyErroneousDetector(context(ClearlyErroneousDetector.name, own))
    detector.open(0, SESSION)
    return detector


def early(count: int) -> list[float]:
    return [BEFORE_OPEN_S + number for number in range(count)]


@pytest.mark.parametrize(
    ("last_sale", "regular", "extended"),
    [(20.0, 0.10, 0.20), (40.0, 0.05, 0.10), (100.0, 0.03, 0.06)],
)
def test_a_price_is_flagged_only_beyond_the_threshold_of_its_price_and_hour(
    last_sale: float, regular: float, extended: float
) -> None:
    for start, share in ((600.0, regular), (BEFORE_OPEN_S, extended), (30_000.0, extended)):
        at_s = [start, start + 1, start + 2]
        for sign in (1, -1):
            for beyond, expected in ((0.0, []), (0.001, [2])):
                prices = [last_sale, last_sale, last_sale * (1 + sign * (share + beyond))]
                flags = erroneous(regular_hours=True).flag(trades(prices, at_s))
                assert flags.at.tolist() == expected


def test_regular_hours_are_left_to_luld_unless_asked() -> None:
    assert erroneous().flag(trades([100, 100, 150])).at.tolist() == []


def test_a_flag_says_by_when_a_review_must_be_requested() -> None:
    flags = erroneous().flag(trades([100, 100, 130], [-3_533.5, -3_533.2, -3_532.1]))
    assert flags.rules == [Rule(100.0, 0.06, 106.0, "2024-12-02T14:01:07Z")]
    assert flags.reasons == [
        "price 130 is 30.00% above the last sale at 100, beyond the would-be clearly erroneous threshold of "
        "6% (above $50, extended hours): request review by 09:01:07"
    ]
    assert flags.expected.tolist() == [100]
    assert flags.threshold.tolist() == pytest.approx([106])
    assert "(up to $25, extended hours)" in erroneous().flag(trades([10, 10, 5], early(3))).reasons[0]


def test_a_wrong_print_is_not_the_next_ones_last_sale() -> None:
    assert erroneous().flag(trades([100, 100, 130, 100, 101], early(5))).at.tolist() == [2]


def test_a_wrong_first_print_accuses_nobody() -> None:
    assert erroneous().flag(trades([1_000, 100, 100, 101], early(4))).at.tolist() == []


def test_prices_that_stay_beyond_are_one_anomaly_and_then_a_new_level() -> None:
    flags = erroneous().flag(trades([100.0] * 5 + [120.0] * 90 + [100.0], early(96)))
    assert flags.at.tolist() == [5, 95]


@pytest.mark.parametrize(("price", "flagged"), [(117, []), (119, [2])])
def test_thresholds_of_leveraged_products_grow(price: float, flagged: list[int]) -> None:
    assert erroneous(leverage=3).flag(trades([100, 100, price], early(3))).at.tolist() == flagged


def test_what_no_price_may_be_compared_with_is_judged_but_no_last_sale() -> None:
    plain = trades([100]).eligible.tolist() * 2
    eligible = [*plain, PRICE_ELIGIBLE, 0, plain[0]]
    flags = erroneous().flag(trades([100, 100, 104, 500, 107], early(5), eligible=eligible))
    assert flags.at.tolist() == [4]
    assert flags.expected.tolist() == [100]


def test_the_reference_follows_regular_hours_that_are_not_judged() -> None:
    at_s = [BEFORE_OPEN_S, BEFORE_OPEN_S + 1, 60, 61, 200, 30_000]
    assert erroneous().flag(trades([100, 100, 130, 130, 130, 130], at_s)).at.tolist() == []
