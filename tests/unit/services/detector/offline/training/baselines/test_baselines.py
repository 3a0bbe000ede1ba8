import numpy as np
import pytest

from services.detector.offline.training.baselines.base import SIMPLE, Baseline, simple_of
from services.detector.offline.training.baselines.outliers import Ecod, HalfSpaceTrees
from services.detector.offline.training.baselines.registry import BASELINES
from tests.unit.services.detector.offline.training.samples import judged

COUNT, ODD = 3_000, 2_500


def day(seed: int, size: float = 1.0) -> dict[str, list[float]]:
    rng = np.random.default_rng(seed)
    columns = {name: rng.normal(size=COUNT) for name in SIMPLE}
    for column in columns.values():
        column[ODD] *= 0
        column[ODD] += size
    return {name: column.tolist() for name, column in columns.items()}


OF_FEATURES = [kind for kind in BASELINES if not kind.title.startswith(("random", "size", "calibrated"))]


@pytest.mark.parametrize("kind", OF_FEATURES)
def test_what_is_far_from_all_others_has_the_highest_score(kind: type[Baseline]) -> None:
    baseline = kind()
    baseline.fit(judged(COUNT, day(1, 0.0)).features, 7)
    scores = baseline.score(judged(COUNT, day(2, 9.0)))
    assert scores.shape == (COUNT,)
    assert np.isfinite(scores).all()
    assert scores[ODD] >= np.quantile(scores, 0.998)


def test_ecod_is_as_published() -> None:
    known, seen = judged(COUNT, day(1)), judged(COUNT, day(3))
    baseline = Ecod()
    baseline.fit(known.features, 0)
    rows, others = simple_of(seen.features)[:20], simple_of(known.features)
    centred = others - others.mean(axis=0)
    left = np.array([[(others[:, k] <= row[k]).sum() for k in range(len(SIMPLE))] for row in rows]) + 1
    right = np.array([[(others[:, k] >= row[k]).sum() for k in range(len(SIMPLE))] for row in rows]) + 1
    tails = [-np.log(side / (COUNT + 1)) for side in (left, right)]
    by_skew = np.where((centred**3).mean(axis=0) < 0, tails[0], tails[1])
    expected = np.max([tails[0].sum(axis=1), tails[1].sum(axis=1), by_skew.sum(axis=1)], axis=0)
    np.testing.assert_allclose(baseline.score(seen)[:20], expected)


def test_half_space_trees_forget_what_is_longer_ago_than_a_window() -> None:
    baseline = HalfSpaceTrees()
    baseline.fit(judged(COUNT, day(1)).features, 3)
    moved = {name: [value + (3.0 if at >= 1_000 else 0.0) for at, value in enumerate(column)]
             for name, column in day(4).items()}  # fmt: skip
    scores = baseline.score(judged(COUNT, moved))
    assert scores[1_000:1_900].mean() > scores[2_200:].mean()
