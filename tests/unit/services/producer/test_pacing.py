import numpy as np
import pytest

from services.producer.pacing import Clock, slices

SECOND_NS = 1_000_000_000


class FakeTime:
    def __init__(self) -> None:
        self.now_s = 100.0

    def sleep(self, seconds: float) -> None:
        self.now_s += seconds


def test_without_speed_everything_is_due_at_once() -> None:
    event_ns = np.arange(25_000) * SECOND_NS
    pieces = list(slices(event_ns, None, Clock(), sleep=lambda seconds: pytest.fail(f"slept {seconds} s")))
    assert [(p.start, p.stop) for p in pieces] == [(0, 10_000), (10_000, 20_000), (20_000, 25_000)]


@pytest.mark.parametrize("speed", [1.0, 60.0])
def test_trades_come_at_their_time_divided_by_the_speed(speed: float) -> None:
    time = FakeTime()
    event_ns = np.array([0, 1, 1, 30, 90, 600]) * SECOND_NS
    published_s = {}
    for piece in slices(event_ns, speed, Clock(lambda: time.now_s), sleep=time.sleep):
        for at in range(piece.start, piece.stop):
            published_s[at] = time.now_s - 100.0
    assert sorted(published_s) == list(range(6))
    for at, second in enumerate([0, 1, 1, 30, 90, 600]):
        assert published_s[at] == pytest.approx(second / speed, abs=0.06)


def test_trade_out_of_order_is_due_with_those_before_it() -> None:
    time = FakeTime()
    event_ns = np.array([10, 5, 11]) * SECOND_NS
    pieces = list(slices(event_ns, 1.0, Clock(lambda: time.now_s), sleep=time.sleep))
    assert [(p.start, p.stop) for p in pieces] == [(0, 2), (2, 3)]
