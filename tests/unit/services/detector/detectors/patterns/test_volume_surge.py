from dataclasses import replace

import numpy as np

from services.detector.detectors.usual_day import UsualDay
from services.detector.engine.batch import Batch
from tests.unit.services.detector.detectors.market import CLOSE_NS
from tests.unit.services.detector.detectors.patterns.tape import calm, flags_of, with_prints

AT = 2_400


def test_many_more_prints_for_two_minutes_are_flagged_as_such() -> None:
    trades = calm()
    times = trades.event_ns[AT] + np.arange(900) * 133_000_000
    busy, own = with_prints(trades, times, trades.price[AT], 60.0)
    flags = flags_of("volume_surge", busy)
    assert own[0] < flags.at[0] <= own[600]
    assert "by prints" in flags.reasons[0]
    assert flags.at[-1] <= own[-1] + 120


def test_prints_that_come_with_the_natural_ones_are_a_surge_as_well() -> None:
    trades = calm()
    times = np.repeat(trades.event_ns[AT : AT + 130], 7) + np.tile(np.arange(7), 130) * 2_000_000
    busy, own = with_prints(trades, times, np.repeat(trades.price[AT : AT + 130], 7), 60.0)
    flags = flags_of("volume_surge", busy)
    assert own[0] < flags.at[0] <= own[len(own) // 2]
    assert flags.span_s is not None
    begun_ns = busy.event_ns[flags.at[0]] - flags.span_s[0] * 1e9
    assert abs(begun_ns - times[0]) < 15e9


def test_a_storm_of_large_prints_is_no_surge() -> None:
    trades = calm()
    start = int(trades.event_ns[AT])
    storm, _ = with_prints(trades, start + np.arange(400) * 2_500_000, trades.price[AT], 900.0)
    assert not len(flags_of("volume_surge", storm).at)


def test_larger_sizes_for_two_minutes_are_flagged_as_such() -> None:
    trades = calm()
    size = trades.size.copy()
    size[AT : AT + 130] *= 8
    flags = flags_of("volume_surge", replace(trades, size=size))
    assert AT < flags.at[0] < AT + 130
    assert "by sizes" in flags.reasons[0]


def test_a_price_move_or_a_single_sweep_is_no_surge() -> None:
    trades = calm()
    assert not len(flags_of("volume_surge", trades).at)
    times = trades.event_ns[AT] + np.arange(900) * 133_000_000
    moving, _ = with_prints(trades, times, trades.price[AT] + 0.1 + np.arange(900) * 0.005, 60.0)
    assert not len(flags_of("volume_surge", moving).at)
    swept, _ = with_prints(trades, trades.event_ns[AT] + np.arange(900), trades.price[AT], 60.0)
    assert not len(flags_of("volume_surge", swept).at)


def test_what_the_last_minutes_before_the_close_usually_bring_is_no_surge() -> None:
    trades = calm(to_close_s=1.0)
    times = CLOSE_NS - 590_000_000_000 + np.arange(3_200) * 180_000_000
    busy, _ = with_prints(trades, times, trades.price[-400], 60.0)
    assert not len(flags_of("volume_surge", busy).at)
    earlier, _ = with_prints(trades, times - 1_500_000_000_000, trades.price[-2_000], 60.0)
    assert len(flags_of("volume_surge", earlier).at)


def surge() -> tuple[Batch, np.ndarray]:
    """Return a tape with a surge from 11:10 to 11:12, and which prints it has."""
    trades = calm()
    times = trades.event_ns[AT] + np.arange(900) * 133_000_000
    return with_prints(trades, times, trades.price[AT], 60.0)


def a_day(at_eleven: float, moments: float | None) -> UsualDay:
    """Return a usual day with some share of its moments from 11:00 to 11:15."""
    rest = (1.0 - at_eleven) / 25
    times = [f"{quarter // 4:02d}:{quarter % 4 * 15:02d}" for quarter in range(38, 64)]
    curve = {time: at_eleven if time == "11:00" else rest for time in times}
    return UsualDay(moments=moments, by_quarter_hour=curve)


def test_a_surge_is_told_in_what_the_profile_says_of_its_quarter_of_an_hour() -> None:
    busy, own = surge()
    flags = flags_of("volume_surge", busy, a_day(at_eleven=0.04, moments=22_500))
    assert own[0] < flags.at[0] <= own[600]
    assert "times what is usual from 11:00 to 11:15 for" in flags.reasons[0]
    assert set(flags.features) == set(flags_of("volume_surge", busy).features)


def test_what_the_profile_says_is_usual_is_no_surge() -> None:
    busy, _ = surge()
    assert not len(flags_of("volume_surge", busy, a_day(at_eleven=0.3, moments=None)).at)
    assert not len(flags_of("volume_surge", busy, a_day(at_eleven=0.04, moments=200_000)).at)


def test_where_the_profile_says_less_is_usual_it_is_a_surge_sooner() -> None:
    busy, _ = surge()
    first = [
        flags_of("volume_surge", busy, a_day(share, moments=None)).at[0] for share in (0.015, 0.03, 0.05)
    ]
    assert first == sorted(first)
    assert len(set(first)) == 3


def test_a_usual_day_without_moments_and_curve_changes_nothing() -> None:
    busy, _ = surge()
    known = flags_of("volume_surge", busy, UsualDay(shares=1e6))
    unknown = flags_of("volume_surge", busy)
    assert repr((list(known.reasons), known.score, known.at)) == repr(
        (list(unknown.reasons), unknown.score, unknown.at)
    )
