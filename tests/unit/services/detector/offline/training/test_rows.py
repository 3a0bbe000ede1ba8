import numpy as np
import pytest

from services.detector.features.registry import NAMES
from services.detector.offline.training.rows import (
    COLUMNS,
    EVENT_ROWS,
    FEATURES,
    HARD_ROWS,
    NATURAL_ROWS,
    evidence_of,
    joined,
    sample_rows,
)
from tests.unit.services.detector.offline.training.samples import ORDINARY, judged, labelled

COUNT = NATURAL_ROWS + HARD_ROWS + 5_000


def test_the_time_of_day_and_units_of_the_price_are_not_learnt() -> None:
    assert not {"time_of_day_s", "to_close_min", "measure_distance", "bar_return"} & set(FEATURES)
    assert [NAMES[column] for column in COLUMNS] == list(FEATURES)


def test_ordinary_trades_stand_for_all_of_them() -> None:
    event = [ORDINARY] * COUNT
    event[7] = 0
    evidence = np.zeros(COUNT)
    evidence[100:200] = 0.9
    day = judged(COUNT, {"measure_price_evidence": evidence.tolist()})
    found = sample_rows(labelled(event, ["stale"]), day, 3.0, [1], 1)
    assert len(found) == 1 + 100 + NATURAL_ROWS
    assert found.weight[found.label > 0].tolist() == [3.0]
    assert found.kind[found.label > 0].tolist() == ["stale"]
    assert found.weight[found.label == 0].sum() == pytest.approx(COUNT - 1)
    assert found.trades.sum() == pytest.approx(COUNT)
    assert (evidence_of(day.features) > 0.5).sum() == 100


def test_rows_have_the_windows_that_are_asked_for_and_can_be_cut_to_shorter_ones() -> None:
    day = judged(100, {"gap_s": np.arange(100).tolist()})
    event = [ORDINARY] * 99 + [0]
    four, one = (sample_rows(labelled(event, ["a"]), day, 1.0, [1], prints) for prints in (4, 1))
    gaps = four.values.reshape(len(four), 4, -1)[:, :, FEATURES.index("gap_s")]
    assert gaps[four.label > 0].tolist() == [[96, 97, 98, 99]]
    np.testing.assert_array_equal(four.last(1).values, one.values)


def test_the_same_seed_draws_the_same_rows() -> None:
    day = judged(COUNT, {"gap_s": np.arange(COUNT).tolist()})
    event = [ORDINARY] * COUNT
    event[3] = 0
    one, again, other = (sample_rows(labelled(event, ["a"]), day, 1.0, [seed], 1) for seed in (1, 1, 2))
    np.testing.assert_array_equal(one.values, again.values)
    assert not np.array_equal(one.values, other.values)


def test_the_first_half_of_a_long_anomaly_is_left_out_and_the_rest_counts_as_one() -> None:
    event = [0] * 60 + [ORDINARY] * 40
    day = judged(100, {"gap_s": np.arange(100).tolist()})
    found = sample_rows(labelled(event, ["burst"]), day, 2.0, [1], 1)
    rows = found.values[found.label > 0, FEATURES.index("gap_s")]
    assert rows.min() >= 30
    assert len(rows) <= EVENT_ROWS
    assert found.weight[found.label > 0].sum() == pytest.approx(2.0)


def test_a_trade_that_somebody_cleared_counts_as_much_as_an_anomaly() -> None:
    found = sample_rows(labelled([0, ORDINARY, ORDINARY], ["a"], cleared=[1]), judged(3), 20.0, [1], 1)
    assert sorted(found.weight.tolist()) == [1.0, 20.0, 20.0]
    assert found.trades.tolist() == [1.0, 1.0, 1.0]
    assert found.prevalence == pytest.approx(20 / 41)
    assert len(joined([found, found])) == 6
