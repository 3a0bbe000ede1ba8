import numpy as np
import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from services.detector.offline.evaluation.mixed import BURST, inject_mixed
from services.detector.offline.evaluation.scenarios.styles import Style, read_styles
from services.sources.synthetic.kinds import KINDS
from tests.unit.services.detector.offline.evaluation.scenarios.days import natural_day, tapes

STYLES = list(read_styles().values())


@settings(max_examples=6, deadline=None)
@given(seed=st.integers(0, 2**32), style=st.sampled_from(STYLES))
def test_bursts_of_the_style_stand_beside_the_other_kinds(seed: int, style: Style) -> None:
    day = natural_day()
    injected = inject_mixed(day, tapes(), [seed], style)
    kinds = dict(injected.labels.unique("event")["kind"].value_counts().iter_rows())
    assert kinds[BURST] == round(0.0005 * len(day) / len(KINDS))
    assert set(kinds) == set(KINDS)
    extra = (injected.trades["line"] == 0).to_numpy()
    assert np.flatnonzero(extra).tolist() == injected.labels["row"].to_list()
    assert injected.trades["ts_event"].is_sorted()
    assert injected.trades["sequence"].is_sorted()
    for _, burst in injected.labels.filter(pl.col("kind") == BURST).group_by("event"):
        assert len(burst) >= 15
        first = burst["row"].min()
        assert isinstance(first, int)
        before = injected.trades[:first].filter(pl.col("line") > 0)
        assert set(burst["expected_price_nanos"]) == {before["price"][-1]}
