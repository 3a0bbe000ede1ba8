from pathlib import Path

import pytest

from services.common.errors import TapewatchError
from services.detector.profiles.profile import BUILT_IN, Profile, load_profile
from tests.narrow import present


def write(path: Path, text: str) -> Path:
    file = path / "profile.yaml"
    file.write_text(text)
    return file


def running(profile: Profile, symbol: str = "") -> set[str]:
    return {name for name, parameters in profile.for_symbol(symbol) if parameters is not None}


def test_built_in_profiles_are_there() -> None:
    assert BUILT_IN == ("classic", "default")
    assert running(load_profile()) == {
        "auction_cross",
        "off_market_price",
        "unusual_size",
        "burst",
        "isolation_forest",
    }


def test_classic_has_the_tutorials_thresholds() -> None:
    classic = load_profile("classic")
    assert classic.sessions == "endless"
    assert running(classic) == {"high_volume", "rapid_price_change", "price_history_forest"}
    assert present(classic.detectors.high_volume).threshold_shares == 20_000
    assert present(classic.detectors.rapid_price_change).threshold_ratio == 0.05
    assert present(classic.detectors.price_history_forest).refit_trades == 1000
    assert present(classic.detectors.price_history_forest).contamination == 0.01
    assert present(classic.detectors.price_history_forest).trees == 1000


def test_file_is_laid_over_its_base(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        "name: mine\ndetectors:\n  high_volume: {threshold_shares: 10000}\n  burst: null\n"
        "  unusual_size: {alert: 3.5}\n",
    )
    profile = load_profile(path)
    assert running(profile) == {
        "auction_cross",
        "off_market_price",
        "unusual_size",
        "isolation_forest",
        "high_volume",
    }
    assert present(profile.detectors.unusual_size).alert == 3.5
    assert (
        present(profile.detectors.unusual_size).level == present(load_profile().detectors.unusual_size).level
    )
    on_classic = load_profile(write(tmp_path, "base: classic\n"))
    assert on_classic.detectors == load_profile("classic").detectors


def test_symbol_overrides_single_parameters_and_switches_detectors(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        "symbols:\n  NVDA:\n    high_volume: {threshold_shares: 50000}\n    burst: null\n"
        "    off_market_price: {tick: 0.05}\n",
    )
    profile = load_profile(path)
    assert running(profile) == running(load_profile())
    assert running(profile, "NVDA") == running(profile) - {"burst"} | {"high_volume"}
    assert present(profile.for_symbol("NVDA").off_market_price).tick == 0.05
    assert present(profile.for_symbol("MSFT").off_market_price).tick == 0.01


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        ("detectors: [", "is not YAML"),
        ("- 1", "is not a mapping"),
        ("base: best\n", "based on 'best'"),
        ("name: x\ndetectors:\n  high_volum: {}\n", "line 3: detectors.high_volum: Extra inputs"),
        (
            "detectors:\n  high_volume:\n    threshold_shares: lots\n",
            "line 3: detectors.high_volume.threshold_shares: Input should be a valid integer",
        ),
        (
            "\nsymbols:\n  NVDA:\n    isolation_forest:\n      trees: 0\n",
            "line 5: symbols.NVDA.isolation_forest.trees",
        ),
        ("detectors:\n  isolation_forest:\n    window_trades: 4000\n", "line 2: detectors.isolation_forest"),
    ],
)
def test_wrong_profile_names_the_line(tmp_path: Path, text: str, cause: str) -> None:
    with pytest.raises(TapewatchError) as caught:
        load_profile(write(tmp_path, text))
    assert cause in str(caught.value)


def test_missing_profile_names_the_built_in_ones(tmp_path: Path) -> None:
    with pytest.raises(TapewatchError, match="classic, default"):
        load_profile(tmp_path / "none.yaml")


def test_hash_differs_whenever_the_profile_does() -> None:
    other = load_profile().model_copy(update={"symbols": {"NVDA": {"burst": None}}})
    assert load_profile().hash == load_profile().hash != other.hash
