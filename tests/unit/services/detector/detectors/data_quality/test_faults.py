"""Each fault of a feed, put into a calm market, is one anomaly that says what it is."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from services.contracts.anomaly import Anomaly, Severity
from services.detector.detectors.checks import joined, part
from services.detector.engine.batch import PRICE_ELIGIBLE, SIDE_CODES
from services.detector.engine.columns import TradeColumns, identities
from services.detector.engine.engine import Engine
from services.detector.engine.growth import Prints
from services.detector.profiles.profile import Profile
from tests.unit.services.detector.detectors.market import market

FAULTS = (
    "silence",
    "stuck_clock",
    "stuck_price",
    "level_shift",
    "mixed_prices",
    "repeated_feed",
    "clock_ahead",
    "late_print",
    "late_arrival",
    "column_change",
)
PROFILE = Profile.model_validate(
    {"detectors": {name: {} for name in ("off_market_price", "unusual_size", "burst", *FAULTS)}}
)
START, END = 2_000, 2_300
SECOND_NS = 1_000_000_000


def tape() -> TradeColumns:
    """Return a calm market that numbers its trades in steps, so that others fit between."""
    trades = market()
    count = len(trades)
    return TradeColumns(
        symbol=["NVDA"] * count,
        day=np.full(count, 20_059),
        event_ns=trades.event_ns,
        price=trades.price,
        size=trades.size,
        side=trades.side,
        eligible=trades.eligible,
        sequence=np.arange(1, count + 1) * 10,
        tape_ns=trades.event_ns,
        lane=np.zeros(count, np.int64),
        identity=identities([str(number) for number in range(count)]),
        recv_ns=trades.event_ns + 200_000,
    )


def found_in(columns: TradeColumns) -> dict[int, Anomaly]:
    """Return the last revision of each anomaly, by the place of its trade."""
    prints = Prints(str, lambda at: str(at).encode())
    return {int(one.origin): one.anomaly for one in Engine(PROFILE).detect_columns(columns, prints)}


def with_rows(columns: TradeColumns, rows: TradeColumns) -> TradeColumns:
    """Put rows into a tape, in the order of `sequence`; they get identities of their own."""
    rows = replace(rows, identity=rows.identity + 1)
    both = joined([columns, rows])
    return part(both, np.argsort(both.sequence, kind="stable").tolist())


def silence(columns: TradeColumns) -> TradeColumns:
    return part(columns, [*range(START), *range(END, len(columns))])


def jump_after_a_silence(columns: TradeColumns) -> TradeColumns:
    rest = silence(columns)
    rest.price[START:] = (rest.price[START:] * 1.01).round(2)
    return rest


def stuck_clock(columns: TradeColumns) -> TradeColumns:
    columns.event_ns[START:END] = columns.event_ns[START]
    return columns


def stuck_price(columns: TradeColumns) -> TradeColumns:
    columns.price[START:END] = columns.price[START] + 0.5
    return columns


def wrong_scale(columns: TradeColumns) -> TradeColumns:
    columns.price[START:END] = (columns.price[START:END] / 10).round(4)
    return columns


def split(columns: TradeColumns) -> TradeColumns:
    columns.price[START:END] = (columns.price[START:END] / 2).round(2)
    return columns


def mixed_prices(columns: TradeColumns) -> TradeColumns:
    columns.price[START:END:3] = (columns.price[START:END:3] * 1.3).round(2)
    return columns


def repeated_feed(columns: TradeColumns) -> TradeColumns:
    rows = part(columns, range(START, END))
    return with_rows(columns, replace(rows, sequence=rows.sequence + 5, event_ns=rows.event_ns + 20_000))


def clock_ahead(columns: TradeColumns) -> TradeColumns:
    columns.event_ns[START : START + 2] += 1_800 * SECOND_NS
    return columns


def clock_ahead_of_receipt(columns: TradeColumns) -> TradeColumns:
    columns.recv_ns[:] = 0
    return clock_ahead(columns)


def late_print(columns: TradeColumns) -> TradeColumns:
    row = part(columns, [START])
    row = replace(
        row,
        event_ns=row.event_ns - 20 * SECOND_NS,
        price=(row.price * 1.02).round(2),
        sequence=row.sequence - 5,
        identity=row.identity + 1,
    )
    shown = START + 10
    return joined([part(columns, range(shown)), row, part(columns, range(shown, len(columns)))])


def late_arrival(columns: TradeColumns) -> TradeColumns:
    columns.recv_ns[START:END] = columns.event_ns[END]
    return columns


def sides_are_gone(columns: TradeColumns) -> TradeColumns:
    columns.side[START:] = SIDE_CODES["N"]
    return columns


def sizes_in_lots(columns: TradeColumns) -> TradeColumns:
    columns.size[START:] *= 100
    return columns


def coarse_stamps(columns: TradeColumns) -> TradeColumns:
    columns.event_ns[START:] = columns.event_ns[START:] // 1_000_000 * 1_000_000
    return columns


def sides_are_swapped(columns: TradeColumns) -> TradeColumns:
    columns.side[START:] = SIDE_CODES["A"] + SIDE_CODES["B"] - columns.side[START:]
    return columns


def one_side(columns: TradeColumns) -> TradeColumns:
    columns.side[START:] = SIDE_CODES["B"]
    return columns


def one_size(columns: TradeColumns) -> TradeColumns:
    columns.size[START:] = 7
    return columns


def sizes_worth(columns: TradeColumns) -> TradeColumns:
    columns.size[START:] = (columns.size[START:] * columns.price[START:]).round(2)
    return columns


def coarse_prices(columns: TradeColumns) -> TradeColumns:
    columns.price[START:] = (columns.price[START:] * 20).round() / 20
    return columns


def fine_prices(columns: TradeColumns) -> TradeColumns:
    columns.price[START:] += 0.0031
    return columns


def stamps_after_receipt(columns: TradeColumns) -> TradeColumns:
    columns.event_ns[START:] += 1_000_000_000
    return columns


def receipts_are_late(columns: TradeColumns) -> TradeColumns:
    columns.recv_ns[START:] += 100_000_000
    return columns


def every_other_cent(columns: TradeColumns) -> TradeColumns:
    columns.price[START:] = (columns.price[START:] * 50).round() / 50
    return columns


def prices_are_old(columns: TradeColumns) -> TradeColumns:
    columns.price[START:] = columns.price[START - 30 : -30].copy()
    return columns


def stamps_in_any_order(columns: TradeColumns) -> TradeColumns:
    columns.recv_ns[:] = 0
    columns.event_ns[START:] = columns.event_ns[START:].reshape(-1, 4)[:, ::-1].ravel()
    return columns


def conditions_are_gone(columns: TradeColumns) -> TradeColumns:
    columns.eligible[:START:12] &= ~PRICE_ELIGIBLE
    return columns


def two_venues(columns: TradeColumns) -> TradeColumns:
    columns.lane[:] = np.random.default_rng(7).choice([2, 30], len(columns), p=[0.65, 0.35])
    return columns


def a_venue_is_missing(columns: TradeColumns) -> TradeColumns:
    is_there = two_venues(columns).lane == 2
    is_there[:START] = True
    return part(columns, np.flatnonzero(is_there).tolist())


def a_venue_is_late(columns: TradeColumns) -> TradeColumns:
    columns.recv_ns[START:] += 3 * SECOND_NS * (two_venues(columns).lane[START:] == 30)
    return columns


def a_venue_has_coarse_stamps(columns: TradeColumns) -> TradeColumns:
    is_coarse = (two_venues(columns).lane == 30) & (np.arange(len(columns)) >= START)
    columns.event_ns[is_coarse] -= columns.event_ns[is_coarse] % SECOND_NS
    return columns


def receipts_are_unknown(columns: TradeColumns) -> TradeColumns:
    columns.recv_ns[START:] = 0
    return columns


@pytest.mark.parametrize(
    ("fault", "label", "words"),
    [
        (silence, "Silence", "minutes without a trade"),
        (jump_after_a_silence, "Silence", "above the last price, after"),
        (stuck_clock, "Stuck Clock", "have one time stamp"),
        (stuck_price, "Stuck Price", "the price stood at"),
        (wrong_scale, "Level Shift", "1/10 of those before for 300 prints"),
        (split, "Level Shift", "1/2 of those before for 300 prints"),
        (mixed_prices, "Mixed Prices", "alternate with others"),
        (repeated_feed, "Repeated Feed", "came in pairs"),
        (clock_ahead, "Clock Ahead", "30 minutes ahead of the tape"),
        (clock_ahead_of_receipt, "Clock Ahead", "30 minutes ahead of the tape"),
        (late_print, "Late Print", "of recent trades, and its time is"),
        (late_arrival, "Late Arrival", "prints in a row were received up to"),
        (sides_are_gone, "Column Change", "sides: 0% without a side before, 100% for the last"),
        (sides_are_swapped, "Column Change", "sides and prices: 89% of the price's moves are by the"),
        (one_side, "Column Change", "buys before, 100% for the last"),
        (sizes_in_lots, "Column Change", "whole hundreds before, 100% for the last"),
        (one_size, "Column Change", "repeated before, 100% for the last"),
        (sizes_worth, "Column Change", "sizes: "),
        (coarse_prices, "Column Change", "prices: 0% moves by multiples of 0.05 before, 100%"),
        (fine_prices, "Column Change", "prices: 100% multiples of 0.01 before, 0%"),
        (coarse_stamps, "Column Change", "time stamps: 0% at whole milliseconds before, 100%"),
        (stamps_after_receipt, "Column Change", "time stamps: 0% later than their receipt before, 100%"),
        (receipts_are_late, "Column Change", "times of receipt: 0% much later than usual before, 100%"),
        (every_other_cent, "Column Change", "prices: 9% moves by multiples of 0.02 before, 100%"),
        (prices_are_old, "Column Change", "sides and prices: 89% of the price's moves are by the"),
        (stamps_in_any_order, "Column Change", "time stamps: 0% earlier than the last one before, 7"),
        (conditions_are_gone, "Column Change", "conditions: 93% that set prices before, 100%"),
        (a_venue_is_missing, "Column Change", "venues: 35% from one of several before, 0%"),
        (a_venue_is_late, "Column Change", "times of receipt: 0% much later than usual before, 40%"),
        (a_venue_has_coarse_stamps, "Column Change", "time stamps: 0% at whole seconds before, 29%"),
        (receipts_are_unknown, "Column Change", "times of receipt: 100% known before, 0%"),
    ],
)
def test_a_fault_is_one_anomaly_that_says_what_it_is(
    fault: Callable[[TradeColumns], TradeColumns], label: str, words: str
) -> None:
    usual = found_in(tape())
    found = found_in(fault(tape()))
    named = [one for one in found.values() if one.anomalies[0] == label]
    assert len(named) == 1
    assert words.lower() in named[0].message.lower()
    assert len(found) - len(usual) <= 3


def test_a_calm_market_has_no_fault() -> None:
    labels = {label for one in found_in(tape()).values() for label in one.anomalies}
    assert labels <= {"Off-Market Price", "Unusual Size", "Burst"}


def test_the_first_good_price_after_a_stuck_one_is_not_blamed() -> None:
    found = found_in(stuck_price(tape()))
    assert END not in found
    [stuck] = [one for one in found.values() if one.anomalies[0] == "Stuck Price"]
    assert stuck.last_trade == str(END)


def test_a_stamp_after_its_receipt_is_known_at_once() -> None:
    found = found_in(part(clock_ahead(tape()), range(START + 1)))
    assert "after the print was received" in found[START].message


def test_prints_that_come_again_with_their_old_stamps_and_a_receipt_put_no_clock_ahead() -> None:
    columns = tape()
    again = part(columns, range(START, START + 100))
    again = replace(again, sequence=again.sequence + 1_005, recv_ns=again.recv_ns + 100 * SECOND_NS)
    found = found_in(with_rows(columns, again))
    labels = [one.anomalies[0] for one in found.values()]
    assert "Clock Ahead" not in labels
    assert labels.count("Column Change") == 1


def test_fills_of_one_order_at_one_stamp_are_no_stuck_clock() -> None:
    columns = tape()
    columns.event_ns[START:END] = columns.event_ns[START]
    columns.side[START:END] = SIDE_CODES["B"]
    columns.price[START:END] = np.sort(columns.price[START:END])
    assert "Stuck Clock" not in {one.anomalies[0] for one in found_in(columns).values()}


def test_a_halt_that_reopens_with_a_large_print_without_a_side_is_low() -> None:
    columns = jump_after_a_silence(tape())
    columns.size[START] = 100_000
    columns.side[START] = SIDE_CODES["N"]
    [halt] = [one for one in found_in(columns).values() if one.anomalies[0] == "Silence"]
    assert halt.severity == Severity.LOW
    assert "as after a halt" in halt.message


def test_a_new_level_is_the_usual_one_in_time() -> None:
    columns = tape()
    columns.price[500:] = (columns.price[500:] * 4).round(2)
    [shift] = [one for one in found_in(columns).values() if one.anomalies[0] == "Level Shift"]
    assert shift.count is not None
    assert shift.count < 1_000


def test_a_wrong_first_price_is_no_level() -> None:
    columns = tape()
    columns.price[0] *= 100
    assert "Level Shift" not in {one.anomalies[0] for one in found_in(columns).values()}


def test_a_venue_that_closes_after_regular_hours_is_not_missing() -> None:
    columns = a_venue_is_missing(tape())
    later_ns = 6 * 3600 * SECOND_NS
    columns = replace(
        columns,
        event_ns=columns.event_ns + later_ns,
        tape_ns=columns.tape_ns + later_ns,
        recv_ns=columns.recv_ns + later_ns,
    )
    assert "Column Change" not in {one.anomalies[0] for one in found_in(columns).values()}


def test_thin_symbols_may_be_silent_for_hours() -> None:
    random = np.random.default_rng(3)
    columns = part(tape(), range(300))
    columns = replace(
        columns, event_ns=columns.event_ns[0] + np.cumsum(random.exponential(60e9, 300).astype(np.int64) + 1)
    )
    assert "Silence" not in {one.anomalies[0] for one in found_in(columns).values()}
