import numpy as np

from services.detector.detectors.core.pace import learns_from
from services.detector.detectors.core.state import STATE


def learnt(event_s: np.ndarray) -> np.ndarray:
    state = np.zeros(1, STATE).view(np.recarray)[0]
    learns = []
    for at in event_s:
        learns.append(learns_from(state, int(at * 1e9)))
        state.trades += 1
    return np.array(learns)


def test_every_trade_of_a_steady_market_is_learnt_from() -> None:
    assert learnt(np.arange(5_000) / 25.0).all()


def test_few_trades_of_a_flood_are_learnt_from_and_all_after_it() -> None:
    calm = np.arange(6_000) / 10.0
    flood = 600.0 + np.arange(3_000) / 1_000.0
    after = 603.0 + 5.0 + np.arange(100) / 10.0
    learns = learnt(np.concatenate([calm, flood, after]))
    assert learns[:6_000].all()
    assert learns[6_000:9_000].sum() < 600
    assert learns[9_000:].all()


def test_a_market_that_becomes_faster_for_good_is_learnt_from_again() -> None:
    times = np.concatenate([np.arange(600) / 1.0, 600.0 + np.arange(200 * 600) / 200.0])
    assert learnt(times)[-1_000:].all()
