import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from services.detector.detectors.size.high_volume import HighVolume, HighVolumeParameters
from services.detector.engine.batch import SessionKey
from tests.unit.services.detector.batches import SESSION, batch, context_of, flags_in_batches, interleaved


def high_volume(threshold_shares: int = 20_000) -> HighVolume:
    detector = HighVolume(
        context_of(HighVolume.name, HighVolumeParameters(threshold_shares=threshold_shares))
    )
    detector.open(0, SESSION)
    return detector


def test_only_sizes_above_the_threshold_are_flagged() -> None:
    flags = high_volume().flag(batch(size=[100, 20_000, 20_001, 60_000]))
    assert flags.at.tolist() == [2, 3]
    assert flags.value.tolist() == [20_001, 60_000]
    assert flags.expected.tolist() == [10_050, (100 + 20_000 + 20_001) / 3]
    assert flags.threshold.tolist() == [20_000, 20_000]
    assert 0.5 < flags.score[0] < flags.score[1] < 1


def test_first_trade_can_be_flagged() -> None:
    flags = high_volume(10).flag(batch(size=[11]))
    assert flags.at.tolist() == [0]
    assert flags.reasons == ["11 shares in one trade, above the limit of 10"]


def test_reason_names_the_mean_before() -> None:
    assert high_volume(10).flag(batch(size=[4, 8, 1200])).reasons == [
        "1,200 shares in one trade, above the limit of 10; the earlier trades of this session averaged 6"
    ]


def test_each_symbol_has_its_own_threshold() -> None:
    limits = {"NVDA": 1_000, "AAPL": 10}
    detector = HighVolume(
        context_of(HighVolume.name, lambda symbol: HighVolumeParameters(threshold_shares=limits[symbol]))
    )
    trades = interleaved([batch(size=[500, 2_000], slot=0), batch(size=[5, 500], slot=7)], [0, 1, 0, 1])
    detector.open(0, SessionKey("NVDA", "2024-12-02"))
    detector.open(7, SessionKey("AAPL", "2024-12-02"))
    flags = detector.flag(trades)
    assert flags.at.tolist() == [2, 3]
    assert flags.threshold.tolist() == [1_000, 10]
    assert flags.expected.tolist() == [500, 5]


def test_reused_slot_starts_empty() -> None:
    detector = high_volume(10)
    first = detector.flag(batch(size=[5, 50]))
    detector.open(0, SESSION)
    again = detector.flag(batch(size=[5, 50]))
    assert again.expected.tolist() == first.expected.tolist() == [5]


@pytest.mark.parametrize("wrong", [{"threshold_shares": -1}, {"shares": 3}])
def test_wrong_parameters_are_rejected(wrong: dict[str, int]) -> None:
    with pytest.raises(ValidationError):
        HighVolumeParameters(**wrong)


@given(size=st.lists(st.integers(0, 50_000), min_size=1, max_size=40))
def test_flags_are_the_sizes_above(size: list[int]) -> None:
    flags = flags_in_batches(high_volume(), batch(size=size), len(size))
    assert [at for at, *_ in flags] == np.flatnonzero(np.array(size) > 20_000).tolist()
