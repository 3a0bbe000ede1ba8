from pathlib import Path

import pytest

from services.contracts.detectors import DETECTORS
from services.detector.detectors.loading import load_detector
from services.detector.profiles.profile import load_profile

TEXT = (Path(__file__).parents[2] / "docs" / "detection.md").read_text()


@pytest.mark.parametrize("name", DETECTORS)
def test_every_parameter_is_documented_with_its_default(name: str) -> None:
    kind = load_detector(name).parameters
    assert f"`{name}`" in TEXT
    for parameter, field in kind.model_fields.items():
        lines = [line for line in TEXT.splitlines() if line.startswith(f"| `{parameter}` |")]
        assert any(f"| {field.default} |" in line for line in lines)


def test_the_profile_shown_is_one(tmp_path: Path) -> None:
    shown = TEXT.split("```yaml\n")[1].split("```")[0]
    (tmp_path / "shown.yaml").write_text(shown)
    profile = load_profile(tmp_path / "shown.yaml")
    assert profile.detectors.model_dump()["unusual_size"]["alert_rarity"] == 3.6
    assert profile.for_symbol("NVDA").get("isolation_forest") is None
