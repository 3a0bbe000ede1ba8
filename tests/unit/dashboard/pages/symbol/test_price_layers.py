from dashboard.pages.symbol.price_layers import segments
from dashboard.pages.symbol.queries import to_buckets
from tests.unit.dashboard.answers import bucket


def test_a_line_does_not_cross_a_closed_market() -> None:
    frame = to_buckets([bucket(minute, {"A": 1}) for minute in (0, 1, 5, 31, 62, 63)], 60)
    assert segments(frame, 60).tolist() == [0, 0, 0, 0, 0, 0]
    overnight = to_buckets([bucket(minute, {"A": 1}) for minute in (0, 1, 33, 34)], 60)
    assert segments(overnight, 60).tolist() == [0, 0, 1, 1]


def test_a_line_connects_wide_buckets_that_follow_each_other() -> None:
    frame = to_buckets([bucket(minute, {"A": 1}) for minute in (0, 720, 2880)], 43_200)
    assert segments(frame, 43_200).tolist() == [0, 0, 0]
