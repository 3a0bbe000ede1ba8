"""The z-score on levels against a plain program that does what the tutorials' does, trade by trade."""

from collections import defaultdict, deque
from math import sqrt
from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError

from services.contracts.trade import Trade
from services.detector.detectors.price.level_z_score import LevelZScore, LevelZScoreParameters
from services.detector.engine.engine import Engine
from services.detector.offline.decode import decode_chunk
from services.detector.profiles.profile import load_profile
from services.sources.files import open_source
from services.sources.synthetic.day import DayConfig, write_day
from tests.samples import REAL_DATA, needs_real_data
from tests.unit.services.detector.batches import SESSION, batch, context_of


class PlainDetector:
    """The tutorials' detector: windows by symbol, judged before a trade joins them."""

    def __init__(self) -> None:
        self._prices: dict[str, deque[float]] = defaultdict(lambda: deque(maxlen=50))
        self._sizes: dict[str, deque[float]] = defaultdict(lambda: deque(maxlen=50))

    def scores_of(self, symbol: str, price: float, size: float) -> tuple[float, float]:
        """Return the z-scores of a price and a size without their signs, 0 before there are 15 trades."""
        prices, sizes = self._prices[symbol], self._sizes[symbol]
        scores = self._score(prices, price), self._score(sizes, size)
        prices.append(price)
        sizes.append(size)
        return scores

    @staticmethod
    def _score(window: deque[float], value: float) -> float:
        if len(window) < 15:
            return 0.0
        mean = sum(window) / len(window)
        deviation = sqrt(sum((one - mean) ** 2 for one in window) / len(window))
        return abs(value - mean) / (deviation + 1e-6)


def detector(**parameters: float) -> LevelZScore:
    found = LevelZScore(context_of(LevelZScore.name, LevelZScoreParameters(**parameters)))
    found.open(0, SESSION)
    return found


def recounted(path: Path, most: int) -> tuple[int, int]:
    """Compare the profile with the plain program on a file's first trades; return how many, and the flagged.

    Where prices were all alike the deviation is the millionth alone, and the last bits of the mean count.
    """
    source, plain, engine = open_source(path), PlainDetector(), Engine(load_profile("stock_anomaly"))
    trades: list[Trade] = []
    flagged = {}
    for chunk in source.chunks():
        if len(trades) >= most:
            break
        decoded = decode_chunk(source, chunk, engine.time_zone)
        for found in engine.flag(decoded.columns):
            flags = found.flags["level_z_score"]
            for row, at in enumerate(found.piece.places[flags.at].tolist()):
                flagged[len(trades) + at] = flags.features["price_z"][row], flags.features["volume_z"][row]
        trades += decoded.trades
    expected = {}
    for at, one in enumerate(trades):
        scores = plain.scores_of(one.symbol, one.price, one.size)
        if max(scores) > 4.0:
            expected[at] = scores
    assert flagged.keys() == expected.keys()
    for at, scores in expected.items():
        assert np.abs(flagged[at]) == pytest.approx(scores, rel=1e-6, abs=1e-6)
    return len(trades), len(flagged)


def test_the_profile_flags_what_the_plain_tutorial_flags(tmp_path: Path) -> None:
    path = tmp_path / "day.csv"
    write_day(DayConfig(trades=20_000, anomaly_rate=0.002), path, tmp_path / "labels.csv")
    trades, flagged = recounted(path, 20_000)
    assert trades == 20_000
    assert 200 < flagged < 10_000


@needs_real_data
def test_the_profile_flags_what_the_plain_tutorial_flags_on_a_real_day() -> None:
    trades, flagged = recounted(sorted(REAL_DATA.glob("*.csv.zst"))[0], 30_000)
    assert trades >= 30_000
    assert flagged > 1_000


def test_after_prices_that_were_all_alike_any_other_is_flagged() -> None:
    flags = detector().flag(batch(price=[10.0] * 30 + [10.01]))
    assert flags.at.tolist() == [30]
    assert flags.value == pytest.approx([10_000], rel=1e-6)
    assert flags.contributions["price_z"].tolist() == [1.0]
    assert flags.reasons == [
        "price 10.01 is 10,000.0 standard deviations of 1e-06 above the mean 10 of the last 30 prices; "
        "the limit is 4 standard deviations"
    ]


def test_a_size_is_flagged_with_its_sign_and_reason() -> None:
    flags = detector().flag(batch(size=[90, 110] * 25 + [200]))
    assert flags.at.tolist() == [50]
    assert flags.value == pytest.approx([10], rel=1e-6)
    assert flags.threshold.tolist() == [4]
    assert flags.expected.tolist() == [0]
    assert flags.reasons[0].startswith("200 shares in one trade are 10.0 standard deviations of 10 above")
    assert detector().flag(batch(price=[99.0, 101.0] * 25 + [90.0])).value == pytest.approx([-10], rel=1e-5)


def test_fewer_than_fifteen_trades_flag_nothing() -> None:
    assert detector().flag(batch(price=[10.0] * 14 + [90.0])).at.tolist() == []
    assert detector().flag(batch(price=[10.0] * 15 + [90.0])).at.tolist() == [15]


def test_only_the_last_fifty_count() -> None:
    prices = [1_000.0, -1_000.0] * 20 + [9.0, 11.0] * 25
    assert detector().flag(batch(price=[*prices, 20.0])).at.tolist()[-1] == 90
    assert 89 not in detector().flag(batch(price=[*prices[:-1], 20.0])).at


@pytest.mark.parametrize("wrong", [{"min_trades": 51}, {"window_trades": 14}, {"threshold_sigmas": 0}])
def test_wrong_parameters_are_rejected(wrong: dict[str, float]) -> None:
    with pytest.raises(ValidationError):
        LevelZScoreParameters(**wrong)
