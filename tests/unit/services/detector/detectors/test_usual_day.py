import pytest
from pydantic import ValidationError

from services.detector.detectors.usual_day import QUARTERS, UsualDay, quarter_text


def test_the_curve_adds_up_to_one_and_what_is_not_named_has_none() -> None:
    curve = UsualDay(by_quarter_hour={"09:30": 0.5, "15:45": 0.6}).curve
    assert len(curve) == QUARTERS
    assert sum(curve) == pytest.approx(1)
    assert [quarter_text(at) for at, share in enumerate(curve) if share] == ["09:30", "15:45"]
    assert UsualDay(moments=5).curve == ()


@pytest.mark.parametrize(
    ("given", "fault"),
    [
        ({}, "it says nothing"),
        ({"moments": 0}, "greater than 0"),
        ({"shares": -1}, "greater than 0"),
        ({"trades": 5}, "Extra inputs"),
        ({"by_quarter_hour": {"9:30": 1}}, "'9:30' is no quarter of an hour: write 09:30"),
        ({"by_quarter_hour": {"09:35": 1}}, "'09:35' is no quarter"),
        ({"by_quarter_hour": {"24:00": 1}}, "'24:00' is no quarter"),
        ({"by_quarter_hour": {"09:30": 4.1}}, "4.1 at 09:30 is no share of the day: write 0.041 for 4.1 %"),
        ({"by_quarter_hour": {"09:30": 1, "09:45": -0.1}}, "-0.1 at 09:45 is no share"),
        ({"by_quarter_hour": {"09:30": 0.1}}, "add up to 0.1, not to about 1"),
        ({"by_quarter_hour": {"09:30": 0.9, "09:45": 0.9}}, "add up to 1.8"),
        ({"by_quarter_hour": {}}, "add up to 0"),
    ],
)
def test_a_wrong_one_says_what_is_wrong(given: dict[str, object], fault: str) -> None:
    with pytest.raises(ValidationError, match=fault):
        UsualDay.model_validate(given)
