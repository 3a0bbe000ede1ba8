import json

import pytest

from benchmarks.peers.live import Plan, delays_s

APPENDED_S = {"a": 100.5, "b": 100.75, "c": 101.5}


def result(trade_id: str, **fields: object) -> bytes:
    return json.dumps({"trade_id": trade_id, **fields}).encode()


def test_delay_is_from_the_appending_of_a_trade_to_the_reading_of_its_result() -> None:
    seen = [(100.6, result("a")), (100.9, result("b"))]
    assert delays_s(seen, APPENDED_S, 100, 101) == pytest.approx([0.1, 0.15])


def test_trades_of_other_times_do_not_count() -> None:
    seen = [(100.6, result("a")), (100.9, result("b")), (101.6, result("c")), (101.7, b"{}")]
    assert delays_s(seen, APPENDED_S, 100.6, 101) == pytest.approx([0.15])


def test_only_the_first_result_of_a_trade_counts() -> None:
    seen = [(100.6, result("a", revision=1)), (103.0, result("a", revision=2))]
    assert delays_s(seen, APPENDED_S, 100, 101) == pytest.approx([0.1])


def test_one_kill_comes_in_each_share_of_the_time_and_always_at_the_same_moment() -> None:
    plan = Plan(kills=20, kills_s=120)
    assert [int(at_s // 6) for at_s in plan.kill_times_s()] == list(range(20))
    assert plan.kill_times_s() == Plan(kills=20, kills_s=120).kill_times_s()
    assert Plan(kills=0).kill_times_s() == []
