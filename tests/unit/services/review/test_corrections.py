import datetime as dt
from zoneinfo import ZoneInfo

import pytest

from services.review.corrections import VenueCorrection

AT = dt.datetime(2026, 11, 29, 10, 3, 12, tzinfo=dt.UTC)


@pytest.mark.parametrize(
    ("action", "short", "is_cancelled"),
    [
        ("cancel", "cancelled 10:03:12", True),
        ("error", "reported in error 10:03:12", True),
        ("correct", "corrected 10:03:12", False),
    ],
)
def test_a_correction_says_what_happened_and_when(action: str, short: str, is_cancelled: bool) -> None:
    correction = VenueCorrection("1", action, AT)
    assert correction.short() == short
    assert correction.is_cancelled == is_cancelled


def test_a_corrected_trade_says_what_it_is_now() -> None:
    correction = VenueCorrection("1", "correct", AT, 39.18, 0.25)
    said = "corrected by the venue at {}: price 39.18, size 0.25"
    assert correction.sentence() == said.format("10:03:12 UTC on 2026-11-29")
    tokyo = correction.sentence(ZoneInfo("Asia/Tokyo"), "Tokyo")
    assert tokyo == said.format("19:03:12 Tokyo on 2026-11-29")
    assert correction.short(ZoneInfo("Asia/Tokyo")) == "corrected 19:03:12"
