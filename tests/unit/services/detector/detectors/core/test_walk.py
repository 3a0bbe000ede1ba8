from itertools import pairwise
from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.detector.detectors.core.state import BURST_TIMES, FOREST_FEATURES, STATE
from services.detector.detectors.core.walk import FeatureWalk
from services.detector.engine.batch import Batch, SessionKey
from tests.unit.services.detector.batches import interleaved
from tests.unit.services.detector.detectors.market import NVDA, market, walk


def measured(watching: FeatureWalk, trades: Batch, cuts: list[int]) -> np.ndarray:
    """Return the measures of a batch that is cut at the given positions."""
    edges = [0, *sorted(cuts), len(trades)]
    return np.concatenate([watching.advance(trades[a:b]) for a, b in pairwise(edges) if b > a])


def alone(trades: Batch, cuts: list[int], session: SessionKey = NVDA) -> np.ndarray:
    watching = walk()
    watching.open(int(trades.slot[0]), session)
    return measured(watching, trades, cuts)


@settings(max_examples=20, deadline=None)
@given(cuts=st.lists(st.integers(0, 900), max_size=30))
def test_measures_do_not_depend_on_batches(cuts: list[int]) -> None:
    trades = market(900)
    whole = alone(trades, [])
    assert alone(trades, cuts).tobytes() == whole.tobytes()
    assert (whole["forest_score"][200:] > 0).all()


@settings(max_examples=15, deadline=None)
@given(order=st.randoms(use_true_random=False), cuts=st.lists(st.integers(0, 900), max_size=10))
def test_measures_do_not_depend_on_other_sessions(order: Random, cuts: list[int]) -> None:
    sessions = [SessionKey(symbol, "2024-12-02") for symbol in ("AAA", "BBB", "CCC")]
    batches = [market(300, seed, slot) for slot, seed in enumerate((1, 2, 3))]
    turns = [slot for slot in range(3) for _ in range(300)]
    order.shuffle(turns)
    watching = walk()
    for slot, session in enumerate(sessions):
        watching.open(slot, session)
    mixed = measured(watching, interleaved(batches, turns), cuts)
    for slot, session in enumerate(sessions):
        own = mixed[np.array(turns) == slot]
        assert own.tobytes() == alone(batches[slot], [], session).tobytes()


def test_measures_do_not_depend_on_which_forests_are_in_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.detector.detectors.core.walk.FORESTS_KEPT", 2)
    sessions = [SessionKey(symbol, "2024-12-02") for symbol in ("AAA", "BBB", "CCC")]
    batches = [market(700, seed, slot) for slot, seed in enumerate((1, 2, 3))]
    watching = walk()
    for slot, session in enumerate(sessions):
        watching.open(slot, session)
    turns = [0, 1, 2] * 700
    mixed = measured(watching, interleaved(batches, turns), list(range(0, 2100, 70)))
    for slot, session in enumerate(sessions):
        own = mixed[np.array(turns) == slot]
        assert own.tobytes() == alone(batches[slot], [], session).tobytes()


def test_what_no_later_trade_can_ask_for_is_not_saved() -> None:
    watching = walk()
    watching.open(0, NVDA)
    watching.advance(market(750))
    head = np.frombuffer(watching.save(0)[: STATE.itemsize], STATE)[0]
    assert np.count_nonzero(watching.states[0]["burst_ns"]) == BURST_TIMES
    for ring in ("burst_ns", "burst_price", "burst_trade", "burst_path"):
        assert np.count_nonzero(head[ring]) == head["burst_head"] - head["burst_tail"] == 1
    rows_from = 600 - 400  # the newest forest was fitted after 600 trades, on the last 400 of them
    assert len(watching.save(0)) == STATE.itemsize + (750 - rows_from) * 4 * FOREST_FEATURES


def test_reused_slot_starts_empty() -> None:
    watching = walk()
    watching.open(0, NVDA)
    watching.advance(market(500, seed=5))
    watching.open(0, NVDA)
    again = measured(watching, market(500, seed=6), [])
    assert again.tobytes() == alone(market(500, seed=6), []).tobytes()


def test_trade_itself_does_not_count_in_what_it_is_compared_with() -> None:
    trades = market(500)
    before = alone(trades[:400], [])
    assert alone(trades, [])[:400].tobytes() == before.tobytes()
