from hypothesis import given
from hypothesis import strategies as st

from benchmarks.peers.comparing import Differences, Key, compare, large_trades, trade_rows
from tests.unit.benchmarks.peers.records import records

Row = dict[str, object]
KEYS = st.tuples(st.text(max_size=3), st.integers(1, 3))
WANTED = st.dictionaries(KEYS, st.fixed_dictionaries({"size": st.integers()}), max_size=8)
SAME = Differences(0, 0, 0)


@given(WANTED, st.randoms())
def test_the_same_rows_in_any_order_are_no_difference(wanted: dict[Key, Row], chance: st.DataObject) -> None:
    found = list(wanted.items())
    chance.shuffle(found)  # type: ignore[attr-defined]
    assert compare(wanted, found) == SAME


@given(WANTED, st.data())
def test_each_row_left_out_is_lost(wanted: dict[Key, Row], data: st.DataObject) -> None:
    kept = [pair for pair in wanted.items() if data.draw(st.booleans())]
    assert compare(wanted, kept) == Differences(len(wanted) - len(kept), 0, 0)


@given(WANTED, st.data())
def test_each_repeat_of_a_row_is_doubled(wanted: dict[Key, Row], data: st.DataObject) -> None:
    again = [pair for pair in wanted.items() for _ in range(data.draw(st.integers(0, 2)))]
    assert compare(wanted, [*wanted.items(), *again]) == Differences(0, len(again), 0)


def test_changed_and_unwanted_rows_are_different() -> None:
    wanted = {("a", 1): {"size": 1}, ("b", 1): {"size": 2}}
    found: list[tuple[Key, Row]] = [(("a", 1), {"size": 1}), (("b", 1), {"size": 3}), (("c", 1), {"size": 4})]
    assert compare(wanted, found) == Differences(lost=0, doubled=0, different=2)


def test_null_is_the_same_as_no_field() -> None:
    (written,) = trade_rows(records({"trade_id": "a", "size": 1, "depth": None}))
    (left_out,) = trade_rows(records({"size": 1.0, "trade_id": "a"}))
    assert written == left_out == (("a", 1), {"trade_id": "a", "size": 1})


def test_only_trades_above_the_threshold_are_large() -> None:
    trades = records(*({"trade_id": str(size), "size": size} for size in (19, 20, 21)))
    assert large_trades(trades, 20) == trades[2:]
