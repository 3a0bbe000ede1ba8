from pathlib import Path

import pytest

from services.common.errors import TapewatchError
from services.detector.offline.selftest import run as selftest
from services.detector.offline.selftest.report import Result, selftest_table, summary
from services.detector.offline.selftest.run import run_selftest, try_all
from services.detector.profiles.profile import load_profile
from services.detector.selftest.trial import Outcome, Trial
from services.sources.files import open_sources
from services.sources.options import FileOptions
from tests.samples import HEADER, row, write_csv


@pytest.fixture(autouse=True)
def small_day(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(selftest, "GENERATED_TRADES", 6_000)


def profile(folder: Path, changes: str = "") -> str:
    path = folder / "profile.yaml"
    off = dict.fromkeys(load_profile().detectors.running)
    lines = [f"  {name}: null" for name in off if name not in ("off_market_price", "matched_pairs")]
    path.write_text("\n".join(["name: small", "detectors:", *lines, changes]))
    return str(path)


def test_every_label_fires_in_a_generated_day(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_selftest([], profile(tmp_path)) == 0
    shown = capsys.readouterr().out
    assert "Off-Market Price" in shown
    assert "2 of 2 labels of the profile small" in " ".join(shown.split())


def test_a_threshold_out_of_reach_is_exit_code_1(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_selftest([], profile(tmp_path, "  matched_pairs: {least_turns: 1400, least_pairs: 1000}")) == 1
    assert "Did not fire: Matched Pairs" in " ".join(capsys.readouterr().out.split())


def test_without_an_occasion_a_label_is_named_and_does_not_count(tmp_path: Path) -> None:
    file = write_csv(tmp_path / "few.csv", [row(number) for number in range(5)])
    results = try_all(open_sources([str(file)], FileOptions(None, None, None)), load_profile())
    assert {result.trial.outcome for result in results} == {Outcome.WAITING}
    text = str(summary(results, load_profile(), is_generated=False))
    assert "No occasion: Auction Cross" in text
    assert "Did not fire" not in text


def test_a_file_without_trades_is_an_error(tmp_path: Path) -> None:
    empty = tmp_path / "empty.csv"
    empty.write_text(f"{HEADER}\n")
    with pytest.raises(TapewatchError):
        run_selftest(open_sources([str(empty)], FileOptions(None, None, None)), None)


def test_what_fired_counts_before_what_failed_and_that_before_what_waited() -> None:
    result = Result(Trial("burst", Outcome.WAITING))
    for outcome, expected in (
        (Outcome.QUIET, Outcome.QUIET),
        (Outcome.WAITING, Outcome.QUIET),
        (Outcome.FIRED, Outcome.FIRED),
    ):
        result.take(Trial("burst", outcome), "A", 1)
        assert result.trial.outcome is expected
    assert selftest_table([result]).row_count == 1
