"""The laws of every feature: it depends on its session's trades up to its own, and on nothing else."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.detector.engine.batch import ANCHOR_ELIGIBLE, Batch, SessionKey
from tests.unit.services.detector.features.sessions import (
    SYMBOLS,
    measured,
    opened,
    session,
    values,
)

TRADES = 420
EVERY_EXAMPLE = settings(max_examples=15, deadline=None)
SEEDS = st.integers(0, 50)
WHERE = st.integers(0, len(SYMBOLS) * TRADES)


def bits(found: np.ndarray) -> list[bytes]:
    return [row.tobytes() for row in found]


def whole(seed: int) -> tuple[Batch, np.ndarray, dict[int, SessionKey]]:
    batch, keys = measured([session(symbol, TRADES, seed) for symbol in SYMBOLS], seed)
    return batch, values(opened(keys), batch, slice(None)), keys


@given(seed=SEEDS, cuts=st.lists(WHERE, max_size=30))
@EVERY_EXAMPLE
def test_any_cut_into_batches_gives_the_same_bits(seed: int, cuts: list[int]) -> None:
    batch, expected, keys = whole(seed)
    features = opened(keys)
    edges = [0, *sorted(cuts), len(batch)]
    found = [values(features, batch, slice(start, stop)) for start, stop in pairwise(edges)]
    assert bits(np.concatenate(found)) == bits(expected)


@given(seed=SEEDS, stops=st.lists(WHERE, min_size=1, max_size=4))
@EVERY_EXAMPLE
def test_any_restart_from_a_saved_state_gives_the_same_bits(seed: int, stops: list[int]) -> None:
    batch, expected, keys = whole(seed)
    features = opened(keys)
    found = []
    for start, stop in pairwise([0, *sorted(stops), len(batch)]):
        found.append(values(features, batch, slice(start, stop)))
        saved = {slot: features.save(slot) for slot in keys}
        features = opened(keys)
        for slot, state in saved.items():
            features.restore(slot, state)
            assert features.save(slot) == state
    assert bits(np.concatenate(found)) == bits(expected)


@given(seed=SEEDS, place=WHERE, factor=st.floats(0.1, 10.0))
@EVERY_EXAMPLE
def test_what_follows_a_trade_changes_none_of_its_features(seed: int, place: int, factor: float) -> None:
    batch, expected, keys = whole(seed)
    later = np.arange(len(batch)) >= place
    other = replace(
        batch,
        price=np.where(later, batch.price * factor, batch.price),
        size=np.where(later, batch.size * 3 + 1, batch.size),
        event_ns=np.where(later, batch.event_ns + 7_000_000_000, batch.event_ns),
        eligible=np.where(later, batch.eligible ^ ANCHOR_ELIGIBLE, batch.eligible),
    )
    assert bits(values(opened(keys), other, slice(None)))[:place] == bits(expected)[:place]


@given(seed=SEEDS, other=SEEDS)
@EVERY_EXAMPLE
def test_other_symbols_in_any_order_change_no_bit(seed: int, other: int) -> None:
    streams = [session(symbol, TRADES, seed) for symbol in SYMBOLS]
    batch, keys = measured(streams, other)
    for slot, key in keys.items():
        alone, own_keys = measured([streams[SYMBOLS.index(key.symbol)]], 0)
        # Which bars' ranges are known depends on their places in the batch, so none are given here.
        own = opened(own_keys).advance(alone)
        together = opened(keys).advance(batch)[batch.slot == slot]
        assert bits(own) == bits(together)


def test_trades_that_are_not_eligible_for_anything_change_nothing() -> None:
    batch, keys = measured([session("AAA", TRADES, 3)], 0)
    expected = opened(keys).advance(batch)
    doubled = batch[np.repeat(np.arange(len(batch)), 2)]
    is_added = np.arange(len(doubled)) % 2 == 1
    doubled = replace(
        doubled,
        eligible=np.where(is_added, 0, doubled.eligible),
        price=np.where(is_added, doubled.price * 9, doubled.price),
        size=np.where(is_added, 1e6, doubled.size),
    )
    assert bits(opened(keys).advance(doubled)[~is_added]) == bits(expected)


def test_a_state_that_is_cut_off_or_negative_is_refused() -> None:
    _, keys = measured([session("AAA", 100, 1)], 0)
    features = opened(keys)
    saved = features.save(0)
    for wrong, reason in ((saved[:-1], "bytes"), (b"\xff" * len(saved), "-1 trades")):
        with pytest.raises(ValueError, match=reason):
            features.restore(0, wrong)
