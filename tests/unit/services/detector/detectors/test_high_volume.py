import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from services.detector.detectors.high_volume import HighVolume
from tests.unit.services.detector.ticks import flags_in_batches, ticks


def test_only_sizes_above_the_threshold_are_flagged() -> None:
    flags = HighVolume(threshold_shares=20_000).flag(ticks(size=[100, 20_000, 20_001, 60_000]))
    assert flags.at.tolist() == [2, 3]
    assert flags.value.tolist() == [20_001, 60_000]
    assert flags.expected.tolist() == [10_050, (100 + 20_000 + 20_001) / 3]
    assert 0.5 < flags.score[0] < flags.score[1] < 1


def test_first_trade_can_be_flagged() -> None:
    flags = HighVolume(threshold_shares=10).flag(ticks(size=[11]))
    assert flags.at.tolist() == [0]
    assert flags.reasons == ["11 shares in one trade, above the limit of 10"]


@given(size=st.lists(st.integers(0, 50_000), min_size=1, max_size=40), cut=st.integers(1, 40))
def test_flags_do_not_depend_on_batches(size: list[int], cut: int) -> None:
    whole = flags_in_batches(HighVolume(), ticks(size=size), len(size))
    assert flags_in_batches(HighVolume(), ticks(size=size), cut) == whole
    assert [at for at, *_ in whole] == np.flatnonzero(np.array(size) > 20_000).tolist()
