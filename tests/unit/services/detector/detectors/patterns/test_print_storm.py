from dataclasses import replace

import numpy as np
import pytest

from services.detector.engine.batch import Batch
from tests.unit.services.detector.detectors.market import CLOSE_NS, OPEN_NS
from tests.unit.services.detector.detectors.patterns.tape import calm, flags_of, with_prints

AT = 2_000


def storm_at(
    start_ns: int, count: int, price: float, size: float = 7.0, within_s: float = 0.5
) -> tuple[Batch, np.ndarray]:
    trades = calm()
    times = start_ns + (np.arange(count) * within_s / count * 1e9).astype(np.int64)
    return with_prints(trades, times, price, size)


def test_a_storm_is_flagged_with_its_count() -> None:
    start = int(calm().event_ns[AT]) + 1
    trades, own = storm_at(start, 120, 101.37)
    flags = flags_of("print_storm", trades)
    assert set(flags.at.tolist()) <= set(own.tolist())
    assert flags.prints is not None
    assert flags.prints[-1] == 120
    assert flags.reasons[-1].startswith("the same print, 7 at 101.37, 120 times within ")
    assert not len(flags_of("round_number_fill", trades).at)


def test_fewer_prints_than_a_storm_has_are_not_flagged() -> None:
    trades, _ = storm_at(int(calm().event_ns[AT]) + 1, 45, 101.37)
    assert not len(flags_of("print_storm", trades).at)


@pytest.mark.parametrize(
    ("start_ns", "price"),
    [
        (OPEN_NS + 5_000_000_000, 101.37),
        (CLOSE_NS - 20_000_000_000, 101.37),
        (CLOSE_NS - 600_000_000_000, 101.37),
        (CLOSE_NS - 290_000_000_000, 101.37),
        (OPEN_NS + 7_200_000_000_000, 101.5),
        (OPEN_NS + 7_200_000_000_000, 102.0),
    ],
)
def test_where_orders_gather_it_is_a_fill_and_no_storm(start_ns: int, price: float) -> None:
    trades, own = storm_at(start_ns, 150, price)
    assert not len(flags_of("print_storm", trades).at)
    fills = flags_of("round_number_fill", trades)
    assert fills.at[-1] == own[-1]
    assert fills.reasons[-1].startswith("round-number fill: ")


def test_a_size_that_had_a_storm_needs_a_larger_one() -> None:
    trades = calm()
    first = int(trades.event_ns[AT]) + 1
    times = np.arange(65) * 5_000_000
    once, _ = with_prints(trades, first + times, 101.37, 7.0)
    twice, own = with_prints(once, first + 60_000_000_000 + times, 101.41, 7.0)
    assert len(flags_of("print_storm", once).at) == len(flags_of("print_storm", twice).at)
    other = replace(twice, size=np.where(np.isin(np.arange(len(twice)), own), 9.0, twice.size))
    assert len(flags_of("print_storm", other).at) == 2 * len(flags_of("print_storm", once).at)


def test_prints_among_many_others_are_no_storm() -> None:
    trades = calm()
    start = int(trades.event_ns[AT]) + 1
    swept, _ = with_prints(trades, start + np.arange(300) * 1_000_000, 101.36, 1.0 + np.arange(300))
    both, _ = with_prints(swept, start + np.arange(60) * 5_000_000, 101.37, 7.0)
    assert not len(flags_of("print_storm", both).at)
