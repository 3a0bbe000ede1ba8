import numpy as np
import pytest
from pydantic import ValidationError

from services.detector.detectors.price.z_score import ZScore, ZScoreParameters
from services.detector.engine.batch import Batch, SessionKey
from tests.unit.services.detector.batches import SESSION, batch, context_of, flags_in_batches


def z_score(**parameters: float) -> ZScore:
    detector = ZScore(context_of(ZScore.name, ZScoreParameters(**parameters)))
    detector.open(0, SESSION)
    return detector


def columns(price: np.ndarray, size: np.ndarray, slot: int = 0) -> Batch:
    return Batch(**(vars(batch(price=price, slot=slot)) | {"size": np.asarray(size, np.float64)}))


def random_tape(seed: int, trades: int) -> Batch:
    rng = np.random.default_rng(seed)
    price = 100 * np.exp(np.cumsum(rng.standard_t(3, trades) * 1e-4)).round(5)
    return columns(price, rng.lognormal(4, 1.5, trades).astype(np.int64))


def plain_z(values: np.ndarray, window: int, min_trades: int) -> np.ndarray:
    """Return the z-score of each value against the previous ones, with new sums for each."""
    z = np.zeros(len(values))
    for i in range(min_trades, len(values)):
        before = values[max(0, i - window) : i]
        if before.std() > 0:
            z[i] = (values[i] - before.mean()) / before.std(ddof=1)
    return z


def test_z_scores_equal_plain_ones() -> None:
    trades = random_tape(1, 2_000)
    # So low a threshold flags nearly everything, and so shows nearly every z-score.
    detector = z_score(window_trades=150, threshold_sigmas=1e-9)
    flags = detector.flag(trades)
    returns = np.concatenate(([0.0], plain_z(np.diff(np.log(trades.price)), 150, 30)))
    volumes = plain_z(np.log1p(trades.size), 150, 30)
    assert flags.at.tolist() == list(range(30, 2_000))
    assert flags.features["return_z"] == pytest.approx(returns[flags.at], rel=1e-9, abs=1e-9)
    assert flags.features["volume_z"] == pytest.approx(volumes[flags.at], rel=1e-9, abs=1e-9)


def test_a_jump_is_flagged_with_its_sign_and_share() -> None:
    trades = random_tape(2, 400)
    trades.price[350] *= 0.97
    flags = z_score(threshold_sigmas=20).flag(trades)
    assert flags.at.tolist() == [350]
    assert flags.value[0] < -20
    assert flags.threshold.tolist() == [-20]
    assert flags.expected.tolist() == [0]
    assert 0.5 < flags.score[0] < 1
    assert flags.contributions["return_z"] + flags.contributions["volume_z"] == pytest.approx([1])
    assert flags.contributions["return_z"][0] > 0.9
    assert "below the previous trade" in flags.reasons[0]
    assert "mean change of the last 349 trades" in flags.reasons[0]


def test_a_size_is_flagged() -> None:
    flags = z_score().flag(batch(size=[90, 110] * 50 + [5_000_000]))
    assert flags.at.tolist() == [100]
    assert flags.contributions["volume_z"].tolist() == [1.0]
    assert flags.reasons[0].startswith("5,000,000 shares in one trade")
    assert "above the 100 usual in the last 100 trades" in flags.reasons[0]


def test_few_or_equal_trades_flag_nothing() -> None:
    assert z_score().flag(batch(size=[90, 110] * 14 + [5_000_000])).at.tolist() == []
    assert (
        z_score().flag(batch(size=[100] * 600 + [5_000_000], price=[50.0] * 600 + [80.0])).at.tolist() == []
    )


def test_equal_trades_after_an_outlier_flag_nothing() -> None:
    size = [100] * 40 + [7_000_003] + [100] * 100 + [5_000_000]
    flags = z_score(window_trades=60).flag(batch(size=size))
    assert len(size) - 1 not in flags.at


def test_prices_that_are_not_positive_have_no_return() -> None:
    price = [100.0, 100.01] * 50 + [0.0, 100.0, -3.0, -3.1, 100.0, 200.0]
    assert z_score().flag(batch(price=price)).at.tolist() == [105]


def test_each_symbol_has_its_own_parameters() -> None:
    own = {
        "AAPL": ZScoreParameters(threshold_sigmas=1e9),
        "NVDA": ZScoreParameters(window_trades=900, min_trades=2),
    }
    detector = ZScore(context_of(ZScore.name, own.__getitem__))
    detector.open(0, SessionKey("AAPL", ""))
    size = [90, 110] * 50
    detector.flag(batch(size=size))
    detector.open(1, SessionKey("NVDA", ""))  # its wider window comes after trades of the other
    assert detector.flag(batch(size=[10**7])).at.tolist() == []
    assert detector.flag(batch(size=[*size, 10**7], slot=1)).at.tolist() == [100]


def test_rounding_does_not_pile_up() -> None:
    trades = random_tape(3, 30_000)
    flags = z_score(window_trades=50, threshold_sigmas=1e-9).flag(trades)
    volumes = plain_z(np.log1p(trades.size)[-1_000:], 50, 50)
    assert flags.features["volume_z"][-900:] == pytest.approx(volumes[-900:], rel=1e-9, abs=1e-9)


@pytest.mark.parametrize(
    "wrong", [{"window_trades": 1}, {"min_trades": 501}, {"threshold_sigmas": 0}, {"sigmas": 3}]
)
def test_wrong_parameters_are_rejected(wrong: dict[str, float]) -> None:
    with pytest.raises(ValidationError):
        ZScoreParameters(**wrong)


def test_long_sessions_do_not_depend_on_batches() -> None:
    trades = random_tape(4, 3_000)
    whole = flags_in_batches(z_score(threshold_sigmas=3), trades, 3_000)
    assert len(whole) > 20
    assert flags_in_batches(z_score(threshold_sigmas=3), trades, 7) == whole
