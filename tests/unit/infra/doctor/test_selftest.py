from infra.doctor.selftest import judge_selftest
from services.common.observability.selftest import LabelTest, SelftestHealth

FIRED = LabelTest("Burst", False, "NVDA", 960.0)


def health(*tests: LabelTest, stalled: int = 0, last_round_s: float | None = 990.0) -> SelftestHealth:
    return SelftestHealth(tests, last_round_s, stalled, 0)


def test_what_fired_last_is_told_and_nothing_is_wrong() -> None:
    diagnosis = judge_selftest(health(FIRED, LabelTest("state", False)), 1_001.0)
    assert diagnosis.finding == "1 labels have fired; Burst: NVDA fired 41 s ago"
    assert not diagnosis.hint


def test_no_detector_and_nothing_planted_yet_are_no_fault() -> None:
    for known in (None, health(LabelTest("Burst", False), last_round_s=None)):
        assert not judge_selftest(known, 1_000.0).hint


def test_a_label_that_fails_a_partition_and_rounds_that_stopped_are_wrong() -> None:
    failing = judge_selftest(health(FIRED, LabelTest("Print Storm", True)), 1_000.0)
    assert failing.finding == "fails: Print Storm"
    for wrong in (
        failing,
        judge_selftest(health(FIRED, stalled=1), 1_000.0),
        judge_selftest(health(FIRED), 9_000.0),
    ):
        assert wrong.hint
