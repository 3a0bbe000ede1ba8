from itertools import pairwise

import numpy as np
import pytest

from services.contracts.anomaly import Rule
from services.detector.detectors.base import Flags
from services.detector.detectors.rulebook.luld_band import LuldBandDetector, LuldBandParameters
from services.detector.engine.batch import PRICE_ELIGIBLE, SessionKey
from tests.unit.services.detector.batches import SESSION
from tests.unit.services.detector.detectors.rulebook.sessions import CLOSE_NS, OPEN_NS, context, trades

CLOSE_S = (CLOSE_NS - OPEN_NS) / 1e9


def luld(
    tier: int | None = 1, previous_close: float | None = 100.0, leverage: float = 1.0
) -> LuldBandDetector:
    parameters = LuldBandParameters.model_validate(
        {"tier": tier, "previous_close": previous_close, "leverage": leverage}
    )
    detector = LuldBandDetector(context(LuldBandDetector.name, parameters))
    detector.open(0, SESSION)
    return detector


def flagged_ratio(detector: LuldBandDetector, before: list[float], ratio: float, at_s: float) -> bool:
    """Tell whether a price so many times the reference, which two trades set, is flagged."""
    prices = [*before, before[0] * ratio]
    flagged: list[int] = detector.flag(trades(prices, [at_s - 2, at_s - 1, at_s])).at.tolist()
    return flagged == [2]


@pytest.mark.parametrize(
    ("tier", "close", "price", "width", "near_close"),
    [
        (1, 100.0, 100.0, 0.05, 0.10),
        (2, 100.0, 100.0, 0.10, 0.10),
        (1, 3.0, 2.0, 0.20, 0.40),
        (2, 0.75, 2.0, 0.20, 0.40),
        (1, 0.5, 0.5, 0.30, 0.60),  # 15 cents
        (2, 0.1, 0.1, 0.75, 1.50),
    ],
)
def test_a_price_is_flagged_only_beyond_the_band_of_its_tier_close_and_hour(
    tier: int, close: float, price: float, width: float, near_close: float
) -> None:
    before = [price, price]
    for at_s, share in ((3_600.0, width), (CLOSE_S - 25 * 60 - 1, width), (CLOSE_S - 24 * 60, near_close)):
        assert not flagged_ratio(luld(tier, close), before, 1 + share, at_s)
        assert flagged_ratio(luld(tier, close), before, 1 + share + 0.002, at_s)
        assert not flagged_ratio(luld(tier, close), before, max(1 - share, 0), at_s)
        assert flagged_ratio(luld(tier, close), before, 1 - share - 0.002, at_s) == (share < 0.998)


def test_only_regular_hours_are_judged() -> None:
    for start in (-3_600.0, CLOSE_S):
        assert luld().flag(trades([100, 100, 150], [start + n for n in range(3)])).at.tolist() == []


def test_a_flag_says_reference_band_and_limit() -> None:
    flags = luld().flag(trades([100, 100, 106, 94]))
    assert flags.at.tolist() == [2, 3]
    assert flags.value.tolist() == [106, 94]
    assert flags.expected.tolist() == [100, 100]
    assert flags.rules == [Rule(100.0, 0.05, 105.0), Rule(100.0, 0.05, 95.0)]
    assert flags.reasons[0] == (
        "price 106 is 0.95% above the would-be LULD limit of 105 "
        "(tier 1, 5% of the five-minute reference 100)"
    )
    assert flags.score[0] == pytest.approx(1 - 0.5 * 5 / 6)


def test_a_doubled_band_says_so() -> None:
    flags = luld().flag(trades([100, 100, 111], [CLOSE_S - 3, CLOSE_S - 2, CLOSE_S - 1]))
    assert "10% of the five-minute reference 100, doubled before the close" in flags.reasons[0]


def test_a_leveraged_product_of_tier_2_has_a_wider_band() -> None:
    assert luld(2, 100.0, 3.0).flag(trades([100, 100, 129, 131])).at.tolist() == [3]
    assert luld(1, 100.0, 3.0).flag(trades([100, 100, 106])).at.tolist() == [2]


def test_the_reference_is_the_mean_of_five_minutes_and_moves_in_steps_of_one_percent() -> None:
    # Half a percent per minute: the mean of five minutes lags, and only steps of 1 % count.
    at_s = np.arange(0.0, 1_800.0, 10.0)
    prices = 100.0 * (1 + 0.005 * at_s / 60)
    detector = luld(2)
    references = []
    for price, second in zip(prices.tolist(), at_s.tolist(), strict=True):
        detector.flag(trades([price], [second]))
        references.append(float(detector._states[0]["reference"]))
    steps = [after / before - 1 for before, after in pairwise(references[1:])]
    moves = [step for step in steps if step]
    assert all(0.01 <= move < 0.011 for move in moves)
    assert 10 <= len(moves) <= 15
    # The mean of the last five minutes is 1.25 % behind; the reference at most another step.
    assert 0.96 < references[-1] / prices[-1] < 0.99


def test_a_reference_stays_for_half_a_minute() -> None:
    detector = luld(2)
    detector.flag(trades([100, 100, 104, 104, 104], [0, 1, 2, 3, 29]))
    assert detector._states[0]["reference"] == 100
    detector.flag(trades([104], [32]))
    assert detector._states[0]["reference"] == pytest.approx((200 + 3 * 104) / 5)


def test_old_trades_leave_the_mean() -> None:
    detector = luld()
    detector.flag(trades([100, 100, 103, 103, 103], [0, 1, 320, 330, 340]))
    assert detector._states[0]["reference"] == 103


def test_without_trades_the_reference_stays() -> None:
    detector = luld()
    assert detector.flag(trades([100, 100, 106], [0, 1, 3_600])).at.tolist() == [2]


def test_a_wrong_first_print_sets_no_reference() -> None:
    assert luld().flag(trades([1_000, 100, 100, 101, 99])).at.tolist() == []


def test_a_wrong_print_hardly_moves_the_reference_of_a_thin_stock() -> None:
    flags = luld().flag(trades([100, 100, 1_000, 100, 101], [0, 10, 40, 80, 120]))
    assert flags.at.tolist() == [2]


def test_prices_that_stay_beyond_are_two_anomalies_and_then_a_new_reference() -> None:
    prices = [100.0] * 20 + [110.0] * 200
    flags = luld().flag(trades(prices))
    assert flags.at.tolist() == [20, 35]
    assert flags.reasons[1] == (
        "prices have stayed above the would-be LULD limit of 105 "
        "(tier 1, 5% of the five-minute reference 100) for 15 seconds, "
        "now at 110: trading would pause until 09:36:35"
    )


def test_the_opening_cross_is_not_judged() -> None:
    prices, at_s = [100, 100, 107, 100, 107], [0.1, 0.2, 0.5, 0.6, 120]
    sizes = [100, 100, 500_000, 100, 500_000]
    assert luld().flag(trades(prices, at_s, sizes)).at.tolist() == [4]


def test_what_no_price_may_be_compared_with_is_judged_and_moves_nothing() -> None:
    plain = trades([100, 100, 100]).eligible.tolist()
    detector = luld()
    flags = detector.flag(trades([100, 100, 106, 0.0], eligible=[*plain[:2], PRICE_ELIGIBLE, plain[0]]))
    assert flags.at.tolist() == [2]
    assert detector._states[0]["bucket_trades"].sum() == 2


def test_a_stock_without_tier_or_close_is_not_judged_and_that_is_said() -> None:
    for tier, close in ((None, 100.0), (1, None)):
        detector = luld(tier, close)
        assert "no tier and no previous close" in (detector.cannot_judge(SESSION) or "")
        assert detector.flag(trades([100, 100, 200])).at.tolist() == []
    assert luld().cannot_judge(SESSION) is None


def test_an_endless_session_has_no_regular_hours() -> None:
    detector = luld()
    detector.open(0, SessionKey("NVDA", ""))
    assert detector.flag(trades([100, 100, 200])).at.tolist() == []


def test_rules_follow_their_flags() -> None:
    flags: Flags = luld().flag(trades([100, 100, 106, 94]))
    assert flags.only(np.array([False, True])).rules == [flags.rules[1]]
