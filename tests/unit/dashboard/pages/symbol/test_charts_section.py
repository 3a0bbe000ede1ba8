import datetime as dt

import pytest

from dashboard.pages.symbol.charts_section import beyond_text, prices_beyond, rounded
from dashboard.pages.symbol.price_axis import PriceAxis
from dashboard.pages.symbol.queries import Beyond, to_prints
from dashboard.ui.prices import PriceRange
from dashboard.ui.time_ranges import TimeRange
from tests.unit.dashboard.answers import OPEN

AXIS = PriceAxis(PriceRange(100.0, 110.0), 2)


@pytest.mark.parametrize(
    ("total", "lowest", "highest", "text"),
    [
        (1, 1444.9, 1444.9, "1 print at 1,444.90 is beyond the price axis, and marked at its edge."),
        (2, 5.04, 1444.9, "2 prints at 5.04 and 1,444.90 are beyond the price axis."),
        (9, 120.0, 130.0, "9 prints at 120.00 to 130.00 are beyond the price axis."),
        (
            900,
            5.0,
            5.0,
            "900 prints at 5.00 are beyond the price axis. The first 100 are marked at its edge.",
        ),
    ],
)
def test_what_is_beyond_the_axis_is_said(total: int, lowest: float, highest: float, text: str) -> None:
    assert beyond_text(Beyond(total, lowest, highest, to_prints([])), AXIS) == text


def test_a_long_stretch_is_zoomed_to_by_the_minute_and_a_short_one_by_the_second() -> None:
    start = OPEN + dt.timedelta(seconds=7, microseconds=5)
    assert rounded(start, start + dt.timedelta(minutes=20)) == TimeRange(
        OPEN, OPEN + dt.timedelta(minutes=21)
    )
    assert rounded(start, start + dt.timedelta(seconds=2)) == TimeRange(
        OPEN + dt.timedelta(seconds=7), OPEN + dt.timedelta(seconds=10)
    )


def test_a_print_just_outside_the_market_that_the_axis_has_room_for_is_not_beyond_it() -> None:
    just = AXIS.shown.high
    assert prices_beyond(Beyond(1, just, just, to_prints([])), AXIS) == []
    assert len(prices_beyond(Beyond(2, AXIS.shown.low - 1, just, to_prints([])), AXIS)) == 1
