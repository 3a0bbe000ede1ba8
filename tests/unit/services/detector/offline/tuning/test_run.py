import datetime as dt
from pathlib import Path

import numpy as np
import pytest
import yaml

from services.common.errors import TapewatchError
from services.detector.offline.tuning.alerts import HIGHEST_ALERT, LOWEST_ALERT, choose_alerts, count_flagged
from services.detector.offline.tuning.measure import BY_RARITY, Measured, measure_days
from services.detector.offline.tuning.run import run_tune
from services.detector.profiles.profile import load_profile
from services.sources.files import open_sources
from services.sources.synthetic.day import DayConfig, write_day
from tests.samples import HEADER, row

BUDGET = 1.0
GIVEN = {"off_market_price": 4.0, "unusual_size": 3.4, "burst": 4.15, "isolation_forest": 4.6}


@pytest.fixture(scope="module")
def days(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    folder = tmp_path_factory.mktemp("days")
    files = []
    for day, rate in ((2, 0.002), (3, 0.0)):
        file = folder / f"{day}.csv"
        config = DayConfig(dt.date(2026, 3, day), trades=25_000, symbols=2, anomaly_rate=rate)
        write_day(config, file, folder / "labels.csv")
        files.append(str(file))
    return files


@pytest.fixture(scope="module")
def tuned(days: list[str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("tuned") / "tuned.yaml"
    assert run_tune(open_sources(days), BUDGET, None, path) == 0
    return path


def measured(days: list[str], profile: str | None) -> dict[str, Measured]:
    return measure_days(open_sources(days), load_profile(profile), lambda *_: None)


def test_meets_the_budget_on_its_own_days(days: list[str], tuned: Path) -> None:
    for one in measured(days, str(tuned)).values():
        rate = 1000 * one.flagged / one.trades
        assert 0.8 * BUDGET <= rate <= BUDGET


def test_the_profile_states_where_the_numbers_come_from(days: list[str], tuned: Path) -> None:
    text = tuned.read_text()
    assert "50,000 trades of 2026-03-02, 2026-03-03, starting from the profile default" in text
    assert text.count(" before, ") == 2
    own = next(iter(yaml.safe_load(text)["symbols"].values()))
    assert set(own) == set(BY_RARITY) - {"isolation_forest"}
    assert all(value == float(f"{value:.4g}") for detector in own.values() for value in detector.values())
    parameters = load_profile(tuned).for_symbol(next(iter(yaml.safe_load(text)["symbols"]))).model_dump()
    assert parameters["unusual_size"]["mean_size_prior"] == own["unusual_size"]["mean_size_prior"]


def test_two_days_have_no_usual_day(tuned: Path) -> None:
    text = tuned.read_text()
    assert "usual_day" not in text
    assert text.count("; too few full days (2 of 3) for a usual day") == 2


def test_three_days_give_a_usual_day_that_detection_uses(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files, output = [], tmp_path / "out.yaml"
    for day in (2, 3, 4):
        files.append(str(tmp_path / f"{day}.csv"))
        config = DayConfig(dt.date(2026, 3, day), trades=4_000, symbols=2, anomaly_rate=0.0, seed=day)
        write_day(config, Path(files[-1]), tmp_path / "labels.csv")
    run_tune(open_sources(files), BUDGET, None, output)
    profile, days = load_profile(output), measured(files, None)
    assert len(days) == 2
    for symbol, one in days.items():
        usual = profile.usual_day_of(symbol)
        assert usual is not None
        counts = [volume.moments.sum() for volume in one.volumes.values()]
        assert usual.moments == pytest.approx(np.median(counts), rel=1e-3)
        assert usual.shares == pytest.approx(np.median([v.shares for v in one.volumes.values()]), rel=1e-3)
    shown = capsys.readouterr().err
    assert "Usual day" in shown
    assert profile.hash != profile.model_copy(update={"symbols": {}}).hash


def test_a_budget_is_met_by_what_is_left_after_suppression(days: list[str], tmp_path: Path) -> None:
    given = tmp_path / "given.yaml"
    given.write_text("suppress:\n  - {label: Unusual Size}\n")
    flagged = {
        name: sum(one.flagged for one in measured(days[1:], profile).values())
        for name, profile in (("all", None), ("left", str(given)))
    }
    assert 0 < flagged["left"] < 0.7 * flagged["all"]
    output = tmp_path / "out.yaml"
    run_tune(open_sources(days[1:]), BUDGET, str(given), output)
    for one in measured(days[1:], str(output)).values():
        assert 0.3 * BUDGET <= 1000 * one.flagged / one.trades <= BUDGET


def test_tuning_again_changes_little(days: list[str], tuned: Path, tmp_path: Path) -> None:
    again = tmp_path / "again.yaml"
    run_tune(open_sources(days), BUDGET, str(tuned), again)
    first, second = (yaml.safe_load(path.read_text())["symbols"] for path in (tuned, again))
    for symbol in first:
        for detector in BY_RARITY.keys() & first[symbol].keys():
            assert second[symbol][detector]["alert_rarity"] == pytest.approx(
                first[symbol][detector]["alert_rarity"], abs=0.4
            )
            for name in ("threshold_prior", "excess_scale_prior"):
                assert second[symbol][detector][name] == pytest.approx(first[symbol][detector][name], rel=0.4)


def test_a_given_profiles_settings_are_kept(days: list[str], tmp_path: Path) -> None:
    given, output = tmp_path / "given.yaml", tmp_path / "out.yaml"
    given.write_text(
        "detectors:\n  burst: null\n  high_volume: {threshold_shares: 5000}\n"
        "  off_market_price: {join_s: 2}\n"
        "symbols:\n  'NO': {high_volume: null}\n"
    )
    run_tune(open_sources(days[1:]), BUDGET, str(given), output)
    before, after = load_profile(given), load_profile(output)
    assert after.detectors == before.detectors
    assert after.symbols["NO"] == {"high_volume": None}
    assert all("burst" not in own for own in after.symbols.values())


def test_few_trades_keep_the_alerts(tmp_path: Path) -> None:
    file, output = tmp_path / "t.csv", tmp_path / "out.yaml"
    file.write_text("\n".join([HEADER, *(row(n) for n in range(50)), ""]))
    run_tune(open_sources([str(file)]), BUDGET, None, output)
    assert "too few trades" in output.read_text()
    assert (
        load_profile(output).for_symbol("NVDA").model_dump()["unusual_size"]["alert_rarity"]
        == GIVEN["unusual_size"]
    )


@pytest.mark.parametrize("budget", [0.0, -1.0, float("nan"), 1000.0])
def test_rejects_an_invalid_budget(budget: float, tmp_path: Path) -> None:
    with pytest.raises(TapewatchError, match="budget"):
        run_tune([], budget, None, tmp_path / "out.yaml")


def test_rejects_files_without_trades(tmp_path: Path) -> None:
    file = tmp_path / "t.csv"
    file.write_text(HEADER + "\n" + row(1, price="nonsense") + "\n")
    with pytest.raises(TapewatchError, match=r"Nothing in t\.csv is a trade"):
        run_tune(open_sources([str(file)]), BUDGET, None, tmp_path / "out.yaml")
    assert [path.name for path in tmp_path.iterdir()] == ["t.csv"]


def test_rejects_a_profile_with_nothing_to_tune(days: list[str], tmp_path: Path) -> None:
    file = tmp_path / "t.csv"
    file.write_text("\n".join([HEADER, row(1), ""]))
    with pytest.raises(TapewatchError, match="no detector that can be tuned"):
        run_tune(open_sources([str(file)]), BUDGET, "classic", tmp_path / "out.yaml")


def rarities(count: int = 20_000) -> np.ndarray:
    """Return rarities as ordinary trades have them: rarity r once in 10 ** r trades."""
    return -np.log10(np.random.default_rng(1).random((count, len(BY_RARITY))))


def test_only_the_size_alert_moves_where_that_is_enough() -> None:
    chosen = choose_alerts(rarities(), list(BY_RARITY), GIVEN, allowed=12)
    assert {**chosen, "unusual_size": 3.4} == GIVEN
    assert count_flagged(rarities(), list(BY_RARITY), chosen) <= 12


@pytest.mark.parametrize("allowed", [1, 2, 60])
def test_else_all_move_by_one_shift(allowed: int) -> None:
    chosen = choose_alerts(rarities(), list(BY_RARITY), GIVEN, allowed)
    shifts = {
        round(chosen[detector] - GIVEN[detector], 3)
        for detector in ("off_market_price", "burst", "isolation_forest")
    }
    limited = [alert for alert in chosen.values() if alert in (LOWEST_ALERT, HIGHEST_ALERT)]
    assert len(shifts) == 1 or limited
    assert count_flagged(rarities(), list(BY_RARITY), chosen) <= allowed


def test_alerts_stay_within_their_limits() -> None:
    everything = choose_alerts(rarities(), list(BY_RARITY), GIVEN, allowed=20_000)
    assert set(everything.values()) == {LOWEST_ALERT}
    nothing = choose_alerts(np.full((5, len(BY_RARITY)), np.inf), list(BY_RARITY), GIVEN, allowed=0)
    assert max(nothing.values()) == HIGHEST_ALERT


def test_a_detector_that_does_not_run_gets_no_alert() -> None:
    given = {"burst": 4.15}
    assert set(choose_alerts(rarities(), list(BY_RARITY), given, allowed=3)) == {"burst"}
