import subprocess
import sys
from pathlib import Path

import pytest

from services.common.errors import TapewatchError
from services.contracts.detectors import DATA_QUALITY, DETECTORS, PATTERN, SIZE, DetectorSpec
from services.detector.profiles.profile import BUILT_IN, Profile, load_profile

HEAVY = {"numba", "sklearn", "coniferest", "pandas", "polars", "scipy"}


def write(path: Path, text: str) -> Path:
    file = path / "profile.yaml"
    file.write_text(text)
    return file


def running(profile: Profile, symbol: str = "") -> set[str]:
    return set(profile.for_symbol(symbol).running)


def test_built_in_profiles_are_there() -> None:
    assert BUILT_IN == ("classic", "crypto", "default", "stock_anomaly")
    patterns = {name for name, spec in DETECTORS.items() if spec.family in (PATTERN, DATA_QUALITY)}
    assert running(load_profile()) == {
        "auction_cross",
        "scheduled_burst",
        "round_number_fill",
        "off_market_price",
        "unusual_size",
        "burst",
        "fast_market",
        *patterns,
    }


def test_stock_anomaly_has_the_tutorials_z_score() -> None:
    profile = load_profile("stock_anomaly")
    assert profile.sessions == "endless"
    assert running(profile) == {"level_z_score"}
    assert profile.detectors.model_dump()["level_z_score"] == {
        "window_trades": 50,
        "min_trades": 15,
        "threshold_sigmas": 4.0,
    }


def test_classic_has_the_tutorials_thresholds() -> None:
    classic = load_profile("classic")
    assert classic.sessions == "endless"
    assert running(classic) == {"high_volume", "rapid_price_change", "price_history_forest"}
    assert classic.detectors.model_dump()["high_volume"]["threshold_shares"] == 20_000
    assert classic.detectors.model_dump()["rapid_price_change"]["threshold_ratio"] == 0.05
    assert classic.detectors.model_dump()["price_history_forest"]["refit_trades"] == 1000
    assert classic.detectors.model_dump()["price_history_forest"]["contamination"] == 0.01
    assert classic.detectors.model_dump()["price_history_forest"]["trees"] == 1000


def test_file_is_laid_over_its_base(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        "name: mine\ndetectors:\n  high_volume: {threshold_shares: 10000}\n  burst: null\n"
        "  unusual_size: {alert_rarity: 3.5}\n",
    )
    profile = load_profile(path)
    assert running(profile) == running(load_profile()) - {"burst"} | {"high_volume"}
    size, default = (one.detectors.model_dump()["unusual_size"] for one in (profile, load_profile()))
    assert size == default | {"alert_rarity": 3.5}
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
    assert profile.for_symbol("NVDA").model_dump()["off_market_price"]["tick"] == 0.05
    assert profile.for_symbol("MSFT").model_dump()["off_market_price"]["tick"] == 0.01


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        ("detectors: [", "is not YAML"),
        ("- 1", "is not a mapping"),
        ("base: best\n", "unknown base 'best'"),
        ("name: x\ndetectors: [burst]\n", "line 2: detectors: write names and values, such as"),
        ("detectors:\n  1: {}\n", "detectors.1: unknown detector"),
        (
            "name: x\ndetectors:\n  high_volum: {}\n",
            "line 3: detectors.high_volum: unknown detector; did you mean high_volume?",
        ),
        (
            "detectors:\n  high_volume:\n    threshold_shares: lots\n",
            "line 3: detectors.high_volume.threshold_shares: Input should be a valid number",
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
    with pytest.raises(TapewatchError, match="classic, crypto, default, stock_anomaly"):
        load_profile(tmp_path / "none.yaml")


def test_file_that_is_not_text_is_an_error_and_no_traceback(tmp_path: Path) -> None:
    path = tmp_path / "profile.yaml"
    path.write_bytes(b"name: caf\xe9")
    with pytest.raises(TapewatchError, match="cannot be read: not UTF-8"):
        load_profile(path)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
def test_profile_with_a_byte_order_mark_is_read(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "profile.yaml"
    mark = "\ufeff" if encoding in ("utf-16-le", "utf-16-be") else ""
    path.write_bytes((mark + "name: Zürich\r\nsymbols:\r\n  NESN: {burst: null}\r\n").encode(encoding))
    profile = load_profile(path)
    assert profile.name == "Zürich"
    assert "burst" not in running(profile, "NESN")


def test_utf16_without_a_byte_order_mark_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "profile.yaml"
    path.write_bytes("name: mine\n".encode("utf-16-le"))
    with pytest.raises(TapewatchError, match="is not YAML"):
        load_profile(path)


@pytest.mark.parametrize(
    "ticker", ["ON", "NO", "TRUE", "0700", "1e5", "NULL", "~", "1:30", "2024-12-02", "NAN", "="]
)
def test_tickers_need_no_quotes(tmp_path: Path, ticker: str) -> None:
    profile = load_profile(write(tmp_path, f"symbols:\n  {ticker}: {{burst: null}}\n"))
    assert list(profile.symbols) == [ticker]
    assert "burst" not in running(profile, ticker)


def test_hash_differs_whenever_the_profile_does() -> None:
    other = load_profile().model_copy(update={"symbols": {"NVDA": {"burst": None}}})
    assert load_profile().hash == load_profile().hash != other.hash


def test_importing_the_profile_loads_no_detector_and_no_library_of_theirs() -> None:
    assert not loaded("import services.detector.profiles.profile") & {*HEAVY, "numpy"}


@pytest.mark.parametrize(
    ("text", "absent"),
    [
        ("{'high_volume': {}, 'z_score': {}}", {"sklearn", "coniferest", "pandas"}),
        ("{'high_volume': None}", {*HEAVY, "numpy"}),
    ],
)
def test_only_the_detectors_that_a_profile_names_are_loaded(text: str, absent: set[str]) -> None:
    found = loaded(
        "from services.detector.profiles.profile import Profile;"
        f"Profile.model_validate({{'detectors': {text}}})"
    )
    assert not found & absent
    assert "services.detector.detectors.price.price_history_forest" not in found


def loaded(code: str) -> set[str]:
    """Return the modules that a new interpreter has loaded after running the code."""
    run = [sys.executable, "-c", f"import sys; {code}; print(*sys.modules)"]
    return set(subprocess.run(run, check=True, capture_output=True, text=True).stdout.split())


def test_a_detector_that_is_registered_but_off_leaves_the_hash(monkeypatch: pytest.MonkeyPatch) -> None:
    before = load_profile().hash
    monkeypatch.setitem(DETECTORS, "thing", DetectorSpec("thing", "Thing", SIZE, "in shares", "a:B"))
    assert load_profile().hash == before
