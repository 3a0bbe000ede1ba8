import pytest

from services.common.errors import TapewatchError
from services.contracts.detectors import DETECTORS, SIZE, DetectorSpec
from services.detector.detectors.loading import load_detector
from services.detector.detectors.size.high_volume import HighVolume


def test_a_registered_detector_is_the_class_that_its_entry_names() -> None:
    assert load_detector("high_volume") is HighVolume


def test_an_unregistered_name_is_unknown() -> None:
    with pytest.raises(KeyError):
        load_detector("nothing")


@pytest.mark.parametrize(
    ("code", "cause"),
    [
        ("services.nowhere:Thing", "there is no module services.nowhere"),
        ("services.detector.detectors.size.high_volume:Thing", "has no class Thing"),
        ("services.detector.detectors.size.high_volume:HighVolumeParameters", "is not a detector"),
        ("services.detector.detectors.size.high_volume:HighVolume", "its name is high_volume"),
        ("services.detector.detectors.size.high_volume", r"has no class \(its entry names none\)"),
    ],
)
def test_a_wrong_registration_has_a_hint(code: str, cause: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(DETECTORS, "thing", DetectorSpec("thing", "Thing", SIZE, "in shares", code))
    with pytest.raises(TapewatchError, match=cause) as caught:
        load_detector("thing")
    assert "services/contracts/detectors.py" in caught.value.hint or "Derive" in caught.value.hint


class NoParameters(HighVolume):
    name = "thing"
    parameters = int  # type: ignore[assignment]


def test_a_detector_without_parameters_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    code = f"{__name__}:NoParameters"
    monkeypatch.setitem(DETECTORS, "thing", DetectorSpec("thing", "Thing", SIZE, "in shares", code))
    with pytest.raises(TapewatchError, match="does not declare its parameters"):
        load_detector("thing")
