import numpy as np

from tests.unit.services.detector.detectors.patterns.tape import calm, flags_of, with_prints

AT = 2_000


def test_a_flood_is_flagged_to_its_end_with_all_its_prints() -> None:
    trades = calm()
    times = trades.event_ns[AT] + np.arange(2_000) * 4_000_000
    flooded, own = with_prints(trades, times, 100.0, 1.0)
    flags = flags_of("odd_lot_flood", flooded)
    assert flags.at[-1] == own[-1]
    assert flags.at[0] <= own[500]
    assert flags.prints is not None
    assert 2_000 <= flags.prints[-1] <= 2_010
    assert "prints of at most 5 shares within " in flags.reasons[-1]


def test_a_calm_tape_and_a_sweep_of_mixed_sizes_are_no_flood() -> None:
    trades = calm()
    assert not len(flags_of("odd_lot_flood", trades).at)
    times = trades.event_ns[AT] + np.arange(1_000) * 10_000
    swept, _ = with_prints(trades, times, 100.0, np.where(np.arange(1_000) % 2, 1.0, 100.0))
    assert not len(flags_of("odd_lot_flood", swept).at)


def test_a_session_that_always_trades_single_shares_is_not_flooded() -> None:
    trades = calm()
    times = trades.event_ns[0] + np.arange(60_000) * 20_000_000
    always, own = with_prints(trades, times, 100.0, 1.0)
    flags = flags_of("odd_lot_flood", always)
    assert not (flags.at > own[20_000]).any()


def test_hundreds_at_once_are_no_flood_and_thousands_are() -> None:
    trades = calm()
    for count in (500, 2_000):
        times = trades.event_ns[AT] + np.arange(count) * 100_000
        at_once, _ = with_prints(trades, times, 100.0, 1.0)
        assert bool(len(flags_of("odd_lot_flood", at_once).at)) == (count == 2_000)
