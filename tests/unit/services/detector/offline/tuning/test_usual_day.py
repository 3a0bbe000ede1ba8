import numpy as np
import pytest

from services.common.exchange_calendar import ExchangeCalendar
from services.detector.detectors.patterns.time_of_day import QUARTER_NS, midnight_ns
from services.detector.detectors.usual_day import QUARTERS
from services.detector.engine.batch import FULLY_ELIGIBLE, PRICE_ELIGIBLE, SIDE_CODES, Batch
from services.detector.offline.tuning.usual_day import LEAST_MOMENTS, DayVolume, usual_days

MISSING = ExchangeCalendar("XNAS").missing_ns
DAY = "2024-12-02"
START_NS = midnight_ns(DAY, "America/New_York")
FULL = ("2024-12-02", "2024-12-03", "2024-12-04", "2024-12-05")
HALF, SUNDAY = "2024-11-29", "2024-12-01"


def prints(event_ns: list[int], size: float = 100.0, eligible: int = FULLY_ELIGIBLE) -> Batch:
    count = len(event_ns)
    return Batch(
        slot=np.zeros(count, np.int64),
        event_ns=np.array(event_ns, np.int64),
        price=np.full(count, 100.0),
        size=np.full(count, size),
        side=np.full(count, SIDE_CODES["N"], np.int64),
        eligible=np.full(count, eligible),
    )


def day(moments: int, shares: float = 1e6, busy: int = 38, share: float = 0.5) -> DayVolume:
    """Return a day with some share of its moments in one quarter of an hour, the others in the next."""
    volume = DayVolume(START_NS, 10_000_000)
    volume.moments[busy] = round(moments * share)
    volume.moments[busy + 1] = moments - round(moments * share)
    volume.shares = shares
    return volume


def test_fills_of_one_order_are_one_moment_however_they_are_cut() -> None:
    ms = 1_000_000
    times = [START_NS + 38 * QUARTER_NS + after * ms for after in (0, 4, 9, 10, 11, 400)]
    whole, cut = DayVolume(START_NS, 10 * ms), DayVolume(START_NS, 10 * ms)
    whole.add(prints(times))
    for time in times:
        cut.add(prints([time]))
    assert whole.moments.tolist() == cut.moments.tolist()
    assert (whole.moments[38], whole.moments.sum()) == (3, 3)
    assert whole.shares == cut.shares == 600


def test_a_size_that_is_not_eligible_is_no_volume() -> None:
    volume = DayVolume(START_NS, 0)
    volume.add(prints([START_NS], eligible=PRICE_ELIGIBLE))
    assert (volume.moments.sum(), volume.shares) == (1, 0)


def test_one_wild_day_changes_little_of_a_usual_day() -> None:
    days = [day(10_000, 2e6), day(11_000, 3e6), day(90_000, 5e7, busy=60), day(12_000, 4e6)]
    usual = usual_days({"NVDA": dict(zip(FULL, days, strict=True))}, MISSING)
    own = usual.of_symbol["NVDA"]
    assert (own.moments, own.shares) == (11_500, 3.5e6)
    assert usual.of_all is not None
    assert usual.of_all.by_quarter_hour == {"09:30": 0.5, "09:45": 0.5}


def test_a_quarter_of_an_hour_that_is_busy_on_some_days_has_more_than_its_median() -> None:
    shares = (0.1, 0.1, 0.2, 0.6)
    days = [day(10_000, share=share) for share in shares]
    usual = usual_days({"NVDA": dict(zip(FULL, days, strict=True))}, MISSING)
    assert usual.of_all is not None
    assert usual.of_all.by_quarter_hour is not None
    assert 0.15 < usual.of_all.by_quarter_hour["09:30"] < np.mean(shares)


def test_half_days_and_days_without_a_session_do_not_count() -> None:
    days = dict.fromkeys(FULL[:3], day(10_000)) | {HALF: day(3_000), SUNDAY: day(5)}
    usual = usual_days({"NVDA": days}, MISSING)
    assert usual.days == {"NVDA": 3}
    assert usual.of_symbol["NVDA"].moments == 10_000


@pytest.mark.parametrize("days", [FULL[:2], (*FULL[:2], HALF), ("",)])
def test_too_few_full_days_have_no_usual_one(days: tuple[str, ...]) -> None:
    usual = usual_days({"NVDA": dict.fromkeys(days, day(10_000))}, MISSING)
    assert not usual.of_symbol
    assert usual.of_all is None


def test_symbols_with_few_moments_take_the_curve_of_the_others() -> None:
    volumes = {
        "BUSY": dict.fromkeys(FULL, day(10_000, share=0.6)),
        "OTHER": dict.fromkeys(FULL, day(20_000, share=0.2)),
        "THIN": dict.fromkeys(FULL, day(LEAST_MOMENTS - 1, shares=0)),
    }
    usual = usual_days(volumes, MISSING)
    assert usual.of_symbol["BUSY"].by_quarter_hour == {"09:30": 0.6, "09:45": 0.4}
    assert usual.of_symbol["OTHER"].by_quarter_hour == {"09:30": 0.2, "09:45": 0.8}
    assert usual.of_symbol["THIN"].by_quarter_hour is None
    assert usual.of_symbol["THIN"].shares is None
    assert usual.of_all is not None
    assert usual.of_all.by_quarter_hour == {"09:30": 0.4, "09:45": 0.6}
    assert len(usual.of_all.curve) == QUARTERS
