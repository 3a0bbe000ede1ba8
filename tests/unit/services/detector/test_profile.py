from pathlib import Path

import pytest

from services.common.errors import TapewatchError
from services.detector.profile import Profile, load_profile


def test_defaults_are_those_of_the_contract() -> None:
    detectors = load_profile(None).detectors
    assert detectors.high_volume.threshold_shares == 20_000
    assert detectors.rapid_price_change.threshold_ratio == 0.05
    assert detectors.isolation_forest.refit_trades == 1000
    assert detectors.isolation_forest.contamination == 0.01


def test_symbol_overrides_single_parameters_and_can_switch_a_detector_off(tmp_path: Path) -> None:
    path = tmp_path / "profile.yaml"
    path.write_text(
        "name: mine\n"
        "detectors:\n  high_volume: {threshold_shares: 10000}\n"
        "symbols:\n  NVDA:\n    rapid_price_change: {threshold_ratio: 0.02}\n    isolation_forest: null\n"
    )
    profile = load_profile(path)
    assert profile.for_symbol("MSFT") == profile.detectors
    nvda = profile.for_symbol("NVDA")
    assert nvda.high_volume.threshold_shares == 10_000
    assert nvda.rapid_price_change.threshold_ratio == 0.02
    assert nvda.isolation_forest is None


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        ("detectors: [", "is not YAML"),
        ("detectors: {high_volum: {}}", "detectors.high_volum: Extra inputs"),
        ("detectors: {high_volume: {threshold_shares: lots}}", "detectors.high_volume.threshold_shares"),
        ("symbols: {NVDA: {isolation_forest: {contamination: 2}}}", "isolation_forest.contamination"),
    ],
)
def test_wrong_profile_names_what_is_wrong(tmp_path: Path, text: str, cause: str) -> None:
    path = tmp_path / "profile.yaml"
    path.write_text(text)
    with pytest.raises(TapewatchError) as caught:
        load_profile(path)
    assert cause in str(caught.value)


def test_missing_profile_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(TapewatchError, match="cannot be read"):
        load_profile(tmp_path / "none.yaml")


def test_hash_differs_whenever_the_profile_does() -> None:
    other = Profile.model_validate({"symbols": {"NVDA": {"high_volume": {"threshold_shares": 1}}}})
    assert Profile().hash == Profile().hash != other.hash
