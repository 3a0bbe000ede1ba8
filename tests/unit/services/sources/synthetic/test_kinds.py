"""Both injectors use the same kinds."""

import pytest

from services.detector.offline.evaluation.injection import PRICE_KINDS, inject
from services.sources.synthetic.anomalies import KIND_SHARES
from services.sources.synthetic.day import DayConfig, generate_day
from services.sources.synthetic.kinds import DISTANCES, FAT_FINGER_KINDS, KINDS
from tests.unit.services.detector.offline.evaluation.days import generated_day


def test_both_injectors_make_every_kind_and_no_other() -> None:
    _, labels = generate_day(DayConfig(trades=30_000, anomaly_rate=0.003))
    assert set(labels["kind"]) == set(KINDS)
    assert set(inject(generated_day(), 1, 0.003).labels["kind"]) == set(KINDS)


def test_every_kind_has_a_share_and_groups_are_of_kinds() -> None:
    assert set(KIND_SHARES) == set(KINDS)
    assert sum(KIND_SHARES.values()) == pytest.approx(1)
    assert {*DISTANCES, *FAT_FINGER_KINDS, *PRICE_KINDS} <= set(KINDS)
