import numpy as np

from services.detector.detectors.core.tail import ALERT
from services.detector.offline.expected.buckets import by_bucket
from services.detector.offline.expected.moments import MOMENTS

FLAGGED, USUAL = 1.1 * ALERT, 0.4 * ALERT


def moments(*rows: dict[str, float]) -> np.ndarray:
    """Return moments, a nanosecond apart, of which only these fields are known."""
    found = np.zeros(len(rows), MOMENTS)
    for name in (MOMENTS.names or ())[1:]:
        found[name] = [row.get(name, np.nan) for row in rows]
    found["event_ns"] = np.arange(len(rows))
    return found


def price(lowest: float, highest: float, evidence: float = USUAL) -> dict[str, float]:
    return {
        "low": lowest + 1,
        "high": highest - 1,
        "lowest": lowest,
        "highest": highest,
        "price_evidence": evidence,
    }


def size(seen: float, limit: float, evidence: float = USUAL) -> dict[str, float]:
    return {"size": seen, "usual_size": limit / 10, "size_limit": limit, "size_evidence": evidence}


def rate(seen: float, usual: float) -> dict[str, float]:
    return {"rate": seen, "usual_rate": usual, "rate_limit": 3 * usual, "rate_ratio": seen / usual}


def one_bucket(*rows: dict[str, float]) -> np.void:
    bucket: np.void
    (bucket,) = by_bucket(moments(*rows), np.array([0]), np.array([len(rows)]))
    return bucket


def test_without_a_flagged_price_no_price_of_the_bucket_was_flagged_within_its_band() -> None:
    bucket = one_bucket(price(90, 110), price(80, 100), price(95, 105))
    assert (bucket["lowest"], bucket["highest"]) == (80, 110)
    assert (bucket["low"], bucket["high"]) == (96, 104)  # recent at the end


def test_with_a_flagged_price_the_band_is_that_of_its_moment() -> None:
    bucket = one_bucket(price(90, 110), price(93, 107, FLAGGED), price(92, 108, ALERT), price(80, 120))
    assert (bucket["lowest"], bucket["highest"], bucket["low"]) == (93, 107, 94)


def test_the_size_is_the_flagged_one_or_the_largest() -> None:
    assert one_bucket(size(10, 500), size(300, 700), size(20, 400))["size_limit"] == 700
    flagged = one_bucket(size(10, 500), size(300, 700), size(200, 100, FLAGGED))
    assert (flagged["size"], flagged["usual_size"], flagged["size_limit"]) == (200, 10, 100)


def test_the_rate_is_the_one_farthest_above_the_usual() -> None:
    bucket = one_bucket(rate(100, 90), rate(50, 10), rate(20, 40))
    assert (bucket["rate"], bucket["usual_rate"], bucket["rate_limit"]) == (50, 10, 30)


def test_what_is_not_compared_is_left_out_and_a_bucket_without_any_is_not_known() -> None:
    bucket = one_bucket(price(90, 110), size(10, 500))
    assert (bucket["highest"], bucket["size_limit"]) == (110, 500)
    assert np.isnan(bucket["rate"])
    found = by_bucket(moments(price(90, 110), price(80, 120)), np.array([0, 1, 5]), np.array([1, 5, 9]))
    assert found["highest"][:2].tolist() == [110, 120]
    assert np.isnan(found["highest"][2])
