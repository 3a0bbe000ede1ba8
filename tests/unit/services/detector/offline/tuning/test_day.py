from collections import Counter
from pathlib import Path

import pytest

from services.detector.detectors.checks import joined, session_trades
from services.detector.engine.columns import TradeColumns
from services.detector.engine.engine import Engine
from services.detector.offline.tuning import day, thresholds
from services.detector.offline.tuning.profile_choice import configuration
from services.detector.profiles.profile import Profile, load_profile
from tests.unit.services.detector.streams import EVERYTHING

SYMBOL = "AAA"
RULES_OF = {
    "high_volume": (200, 900, 3_000),
    "rapid_price_change": (0.0005, 0.001, 0.002),
    "z_score": (1.5, 2.0, 4.0),
}
FOREST = {"trees": 20, "subsample_trades": 64, "refit_trades": 500}


@pytest.fixture(scope="module")
def columns() -> TradeColumns:
    day = session_trades(SYMBOL, 0, 12_000, seed=1)
    again = TradeColumns(**{name: getattr(day, name)[:50] for name in TradeColumns.__dataclass_fields__})
    return joined([day, again])  # what comes again is late, and no detector sees it


def ignore(done: int, of: int) -> None:
    assert 0 < done <= of


def flagged(columns: TradeColumns, profile: Profile) -> Counter[str]:
    """Count the engine's detections by detector, as a backtest does."""
    anomalies = Engine(profile).detect_columns(columns)
    first = [anomaly for _, anomaly, _ in anomalies if anomaly.is_first]
    return Counter(one.detector for anomaly in first for one in anomaly.detections)


def with_thresholds(profile: Profile, chosen: dict[str, dict[str, float] | None], folder: Path) -> Profile:
    """Write the configuration and read it as `--profile` does."""
    path = folder / "tuned.yaml"
    path.write_text(configuration(profile, "default", SYMBOL, chosen, ["A head."]))
    return load_profile(path)


@pytest.mark.parametrize("number", range(3))
def test_one_pass_counts_what_a_run_with_each_threshold_flags(
    number: int, columns: TradeColumns, tmp_path: Path
) -> None:
    found = day.measure_day(columns, EVERYTHING, SYMBOL, ignore)
    chosen: dict[str, dict[str, float] | None] = {
        rule.detector: {rule.parameter: RULES_OF[rule.detector][number]} for rule in thresholds.RULES
    }
    counts = flagged(columns, with_thresholds(EVERYTHING, chosen, tmp_path))
    for rule in thresholds.RULES:
        count = found.measured[rule.detector].flagged(RULES_OF[rule.detector][number])
        assert count == counts[rule.detector] > 0
    assert (found.trades, found.late_trades) == (12_000, 50)


def test_the_present_setting_counts_what_the_profile_flags(columns: TradeColumns) -> None:
    found = day.measure_day(columns, EVERYTHING, SYMBOL, ignore)
    counts = flagged(columns, EVERYTHING)
    assert {alert.detector for alert in thresholds.alerts_of(EVERYTHING, SYMBOL)} == set(found.flagged)
    for detector, count in found.flagged.items():
        # A print that is far worse than those before it in its stretch is an anomaly of its own.
        assert count <= counts[detector] <= 1.1 * count
    alert = next(one for one in thresholds.ALERTS if one.detector == "unusual_size")
    known = thresholds.present(EVERYTHING, SYMBOL, alert)
    # Below what is kept of rarities a level cannot be told: the present one, 2.0, lies there.
    assert (known.value, known.runs) == (2.0, True)
    levels = [found.measured["unusual_size"].flagged(level) for level in (3.0, 4.0, 6.0)]
    assert levels == sorted(levels, reverse=True)


@pytest.mark.parametrize("sessions", ["daily", "endless"])
def test_one_pass_of_forests_counts_what_a_run_with_each_contamination_flags(
    sessions: str, columns: TradeColumns
) -> None:
    def profile(contamination: float) -> Profile:
        forest = {**FOREST, "contamination": contamination}
        return Profile.model_validate({"sessions": sessions, "detectors": {"price_history_forest": forest}})

    counts = day.measure_forest(columns, profile(0.013), SYMBOL, ignore)
    assert 0.013 in counts
    for contamination in (0.0001, 0.002, 0.013, 0.1, 0.5):
        assert counts[contamination] == flagged(columns, profile(contamination))["price_history_forest"]
    assert counts[0.5] > counts[0.01] > 0


def test_a_profiles_settings_for_the_symbol_apply(columns: TradeColumns) -> None:
    own = {"z_score": {"window_trades": 15, "threshold_sigmas": 3.0, "min_trades": 5}, "high_volume": None}
    profile = EVERYTHING.model_copy(update={"symbols": {SYMBOL: own}})
    found = day.measure_day(columns, profile, SYMBOL, ignore)
    assert thresholds.present(profile, SYMBOL, thresholds.Z_SCORE) == thresholds.Present(3.0, runs=True)
    assert found.measured["z_score"].flagged(3.0) == flagged(columns, profile)["z_score"]
    assert thresholds.present(profile, SYMBOL, thresholds.HIGH_VOLUME) == thresholds.Present(
        20_000, runs=False
    )
    assert found.measured["high_volume"].flagged(500) == int((columns.size[:12_000] > 500).sum())
