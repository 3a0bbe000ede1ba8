"""Laws that hold for every registered kind."""

import itertools

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from services.detector.offline.evaluation.outcomes import LABELS
from services.detector.offline.evaluation.scenarios.merge import NATURAL, InjectedDay, merge
from services.detector.offline.evaluation.scenarios.plan import APART_NS, plan_passes
from services.detector.offline.evaluation.scenarios.registry import SCENARIOS
from services.detector.offline.evaluation.scenarios.styles import Style, read_styles
from tests.unit.services.detector.offline.evaluation.scenarios.days import natural_day, tapes

FIELDS = ("ts_event", "ts_recv", "symbol", "price", "size", "side")
laws = settings(max_examples=4, deadline=None)
seeds = st.integers(0, 2**32)
styles = st.sampled_from(list(read_styles().values()))
kinds = pytest.mark.parametrize("name", SCENARIOS)


def injected(name: str, style: Style, seed: int, symbols: int = 1) -> list[InjectedDay]:
    """The passes of a day with one kind."""
    rng = np.random.default_rng(seed)
    own = tapes(symbols)
    passes = plan_passes(rng, own, style, [SCENARIOS[name]])
    return [merge(natural_day(symbols), own, each.changes) for each in passes]


def numbers(day: InjectedDay) -> pl.Series:
    return day.trades["sequence"]


@kinds
@laws
@given(seed=seeds, style=styles)
def test_natural_trades_come_in_their_order_and_stay_as_they_are_unless_the_kind_changes_them(
    name: str, seed: int, style: Style
) -> None:
    for day in injected(name, style, seed):
        is_natural = day.natural_row != NATURAL
        rows = day.natural_row[is_natural]
        assert (np.diff(rows) > 0).all()
        assert ((day.trades["line"] == 0).to_numpy() == ~is_natural).all()
        kept = day.trades.filter(pl.Series(is_natural)).select(FIELDS)
        before = natural_day()[rows].select(FIELDS)
        changed = (kept.hash_rows() != before.hash_rows()).to_numpy()
        if SCENARIOS[name].keeps_trades:
            assert len(rows) == len(natural_day())
            assert not changed.any()
        start, stop = day.events["start_ns"].to_numpy(), day.events["stop_ns"].to_numpy()
        ts = natural_day()["ts_event"].to_numpy()
        in_any = np.any((ts[:, None] >= start) & (ts[:, None] <= stop), axis=1)
        assert in_any[rows[changed]].all()  # nothing outside its stretch
        left_out = np.setdiff1d(np.arange(len(ts)), rows)
        assert in_any[left_out].all()


@kinds
@laws
@given(seed=seeds, style=styles)
def test_the_result_is_a_valid_day(name: str, seed: int, style: Style) -> None:
    for day in injected(name, style, seed):
        assert numbers(day).is_unique().all()
        assert day.trades.schema == natural_day().schema
        assert not day.trades.null_count().sum_horizontal().sum()
        assert (day.trades["size"] > 0).all()
        assert set(day.trades["side"]) <= {"A", "B", "N"}
        if SCENARIOS[name].keeps_stamps_in_order:
            assert day.trades["ts_event"].is_sorted()
            assert numbers(day).is_sorted()


@kinds
@laws
@given(seed=seeds, style=styles)
def test_labels_point_at_what_the_kind_did(name: str, seed: int, style: Style) -> None:
    for day in injected(name, style, seed):
        extra = np.flatnonzero(day.natural_row == NATURAL)
        rows = day.labels["row"].to_numpy()
        assert set(extra) <= set(rows)  # no extra print is unlabelled
        assert set(day.labels["event"]) <= set(day.events["event"])
        assert set(day.events["kind"]) <= {name, *SCENARIOS[name].further}
        assert set(day.events["kind"]) <= set(LABELS)
        own = day.labels.join(day.events, on="event").filter(pl.col("kind") == name)
        assert own["event"].n_unique() == (day.events["kind"] == name).sum()


@kinds
@laws
@given(seed=seeds, style=styles)
def test_events_keep_apart(name: str, seed: int, style: Style) -> None:
    for day in injected(name, style, seed):
        stretches = sorted(set(day.events.select("start_ns", "stop_ns").iter_rows()))
        for (_, stop), (start, _) in itertools.pairwise(stretches):
            assert start - stop >= APART_NS


@kinds
@laws
@given(seed=seeds, style=styles)
def test_the_seed_decides(name: str, seed: int, style: Style) -> None:
    one, again = injected(name, style, seed), injected(name, style, seed)
    assert len(one) == len(again)
    for first, second in zip(one, again, strict=True):
        assert_frame_equal(first.trades, second.trades)
        assert_frame_equal(first.labels, second.labels)


@kinds
def test_a_usual_day_has_room_for_the_kind(name: str) -> None:
    assert injected(name, read_styles()["plain"], 1)


@laws
@given(seed=seeds)
def test_symbols_stay_in_order_each(seed: int) -> None:
    rng = np.random.default_rng(seed)
    own = tapes(3)
    in_order = [each for each in SCENARIOS.values() if each.keeps_stamps_in_order]
    for each in plan_passes(rng, own, read_styles()["plain"], in_order):
        day = merge(natural_day(3), own, each.changes)
        for _, symbol in day.trades.group_by("symbol", maintain_order=True):
            assert symbol["ts_event"].is_sorted()
            assert symbol["sequence"].is_sorted()
            assert symbol["sequence"].is_unique().all()
