from pathlib import Path

import pytest

from services.contracts.detectors import DETECTORS
from services.detector.detectors.context import DetectorContext
from services.detector.detectors.loading import load_detector
from services.detector.detectors.usual_day import UsualDay
from services.detector.engine.batch import SessionKey
from services.detector.profiles.calendar import CalendarEvent
from services.detector.profiles.profile import Profile, load_profile
from services.detector.profiles.suppress import Suppress

TEXT = (Path(__file__).parents[2] / "docs" / "detection.md").read_text()


@pytest.mark.parametrize("name", DETECTORS)
def test_every_parameter_is_documented_with_its_default(name: str) -> None:
    kind = load_detector(name).parameters
    assert f"`{name}`" in TEXT
    for parameter, field in kind.model_fields.items():
        lines = [line for line in TEXT.splitlines() if line.startswith(f"| `{parameter}` |")]
        assert any(f"| {field.default} |" in line for line in lines)


def shown(name: str, folder: Path) -> Profile:
    """Return the profile of a name that the page shows."""
    [text] = [part for part in TEXT.split("```yaml\n")[1:] if part.startswith(f"name: {name}\n")]
    (folder / "shown.yaml").write_text(text.split("```")[0])
    return load_profile(folder / "shown.yaml")


def test_the_rulebooks_profile_shown_is_one(tmp_path: Path) -> None:
    (tmp_path / "listings.csv").write_text("symbol,tier,previous_close\nAAPL,1,237.33\n")
    profile = shown("rulebook", tmp_path)
    context = DetectorContext(lambda symbol: profile.for_symbol(symbol).running, lambda _day: (0, 0))
    detector = load_detector("luld_band")(context)
    sessions = [SessionKey(symbol, "2024-12-02") for symbol in ("NVDA", "AAPL", "TSLA")]
    assert [one.symbol for one in sessions if not detector.cannot_judge(one)] == ["NVDA", "AAPL"]
    assert profile.detectors.get("clearly_erroneous") is not None


def test_the_profile_shown_with_suppression_and_a_calendar_is_one(tmp_path: Path) -> None:
    profile = shown("quiet", tmp_path)
    assert profile.suppress[0].text == "Off-Market Price below 5 bp"
    assert [event.at_most for event in profile.calendar] == ["low", "medium", None]
    fields = {
        *Suppress.model_fields,
        *(field.alias or name for name, field in CalendarEvent.model_fields.items()),
    }
    assert {name for name in fields if f"`{name}" not in TEXT} == set()


def test_the_profile_shown_with_usual_days_is_one(tmp_path: Path) -> None:
    profile = shown("usual", tmp_path)
    own = profile.usual_day_of("NVDA")
    assert own is not None
    assert profile.usual_day is not None
    assert own.curve == profile.usual_day.curve
    assert profile.usual_day_of("TINY") is None
    assert {name for name in UsualDay.model_fields if f"| `{name}` |" not in TEXT} == set()


def test_the_profile_shown_is_one(tmp_path: Path) -> None:
    profile = shown("desk", tmp_path)
    assert profile.detectors.model_dump()["unusual_size"]["alert_rarity"] == 3.6
    assert profile.for_symbol("NVDA").get("isolation_forest") is None
