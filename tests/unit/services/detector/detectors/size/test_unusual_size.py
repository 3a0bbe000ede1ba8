from dataclasses import replace

import numpy as np
import pytest

from services.detector.detectors.base import Flags
from services.detector.detectors.context import DetectorContext
from services.detector.detectors.core.walk import FeatureWalk
from services.detector.detectors.size.unusual_size import UnusualSize
from services.detector.detectors.usual_day import UsualDay
from tests.unit.services.detector.detectors.market import CLOSE_NS, NVDA, OPEN_NS, PARAMETERS, market

AT = 2_000


def flags_of_block(usual: UsualDay | None, shares: float = 20_000) -> Flags:
    """Return the flags of a market at a dollar a share, with one block of 200 mean sizes and more."""
    calm = market()
    trades = replace(calm, price=np.round(calm.price / 100.0, 2))
    trades.size[AT] = shares
    context = DetectorContext(
        lambda _symbol: PARAMETERS,
        lambda _day: (OPEN_NS, CLOSE_NS),
        FeatureWalk,
        usual_day_of=lambda _symbol: usual,
    )
    detector = UnusualSize(context)
    context.walk.open(0, NVDA)
    detector.open(0, NVDA)
    return detector.flag(trades.with_measures(context.walk.advance(trades)))


def block_of(flags: Flags) -> tuple[str, float]:
    row = flags.at.tolist().index(AT)
    return flags.reasons[row], float(flags.score[row])


def test_a_block_of_a_cheap_share_is_told_in_the_profiles_usual_day() -> None:
    reason, score = block_of(flags_of_block(UsualDay(shares=1_000_000)))
    assert reason.startswith("block of 20,000 at ")
    assert "of the session's volume so far, 2.00% of a usual day's, the largest" in reason
    assert score > block_of(flags_of_block(UsualDay(moments=5)))[1] or score >= 0.5


@pytest.mark.parametrize("usual", [None, UsualDay(moments=50_000), UsualDay(shares=5_000_000)])
def test_what_is_little_of_a_usual_day_or_not_known_needs_a_notional(usual: UsualDay | None) -> None:
    flags = flags_of_block(usual)
    assert not any(reason.startswith("block") for reason in flags.reasons)


def test_ten_times_the_share_of_a_usual_day_is_more_severe() -> None:
    (_, small), (_, large) = (
        block_of(flags_of_block(UsualDay(shares=shares))) for shares in (2_000_000, 40_000)
    )
    assert large > small


def test_without_shares_in_the_profile_nothing_changes() -> None:
    flags = [flags_of_block(usual) for usual in (None, UsualDay(moments=50_000))]
    assert repr([(list(one.reasons), one.score, one.at) for one in flags[:1]]) == repr(
        [(list(one.reasons), one.score, one.at) for one in flags[1:]]
    )
