"""How a group comes through a rush."""

from benchmarks.scale.lags import Recovery, recovery_of

LAGS = [
    (0.0, 40.0),
    (5.0, 100.0),
    (9.0, 60.0),
    (10.5, 9_000.0),
    (19.0, 80_000.0),
    (21.0, 81_000.0),
    (25.0, 90.0),
]


def test_recovery_is_from_the_end_of_the_rush_to_the_usual_lag() -> None:
    assert recovery_of(LAGS, 10.0, 20.0, 500_000) == Recovery(100.0, 81_000.0, 5.0, 500_000 - 80_000 + 60)


def test_a_group_that_stays_behind_has_no_recovery() -> None:
    assert recovery_of(LAGS[:-1], 10.0, 20.0, 500_000).after_s is None


def test_a_group_that_keeps_up_is_usual_at_once() -> None:
    keeping = [(float(second), 100.0 - second) for second in range(40)]
    assert recovery_of(keeping, 10.0, 20.0, 0).after_s == 0.0
