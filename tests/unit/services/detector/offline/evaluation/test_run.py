import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from services.common.errors import TapewatchError
from services.detector.offline.evaluation.detection import alert_scores, detect_in_frame
from services.detector.offline.evaluation.injection import inject
from services.detector.offline.evaluation.limits import FIGURES, Figure, results_of
from services.detector.offline.evaluation.reshape import STOCK_KINDS, StockKind
from services.detector.offline.evaluation.run import describe_events, evaluate_day, judge, run_evaluate
from services.detector.profiles.profile import Profile, load_profile
from services.sources.base import Chunk, Cursor, Source
from services.sources.files import open_sources
from services.sources.mapped.mapping import read_mapping
from services.sources.options import FileOptions
from services.sources.synthetic.day import DayConfig, write_day
from services.sources.synthetic.kinds import FAT_FINGER_KINDS, KINDS
from tests.samples import REAL_DATA, needs_real_data
from tests.unit.services.detector.offline.evaluation.days import DAY, generated_day

LARGE_ONLY = Profile.model_validate({"detectors": {"high_volume": {"threshold_shares": 1400}}})


@pytest.fixture
def day_file(tmp_path: Path) -> Path:
    file = tmp_path / "day.csv"
    write_day(
        DayConfig(date=DAY, seed=4, trades=14_000, symbols=1, anomaly_rate=0), file, tmp_path / "labels.csv"
    )
    return file


def test_each_trade_has_its_finding() -> None:
    trades = generated_day()
    findings = detect_in_frame(trades, LARGE_ONLY)
    is_large = trades["size"].to_numpy() > 1400
    assert [found is not None for found in findings] == is_large.tolist()
    assert is_large.any()


def test_every_event_is_described_by_its_best_trade() -> None:
    injected = inject(generated_day(), 1, 0.003)
    findings = detect_in_frame(injected.trades, LARGE_ONLY)
    judged = judge(alert_scores(findings), injected.labels)
    events = describe_events(injected.trades, injected.labels, findings, judged, LARGE_ONLY)
    assert [event["kind"] for event in events] == judged.kind.tolist()
    assert [event["score"] for event in events] == judged.event_scores.tolist()
    for event in events:
        assert (event["score"] > 0) == (event["size"] > 1400)
        assert event["label"] == ("High Volume" if event["score"] else "")
        if event["kind"] in FAT_FINGER_KINDS:
            assert event["score"] > 0


def test_figures_do_not_depend_on_other_runs_or_stocks() -> None:
    trades = generated_day()
    stock = StockKind("as it is", lambda trades, _: trades)
    once = list(evaluate_day(trades, stock, LARGE_ONLY, 7, 1))
    twice = list(evaluate_day(trades, stock, LARGE_ONLY, 7, 2))
    assert json.dumps(once) == json.dumps(twice[:2])
    assert json.dumps(twice[1]["events"]) != json.dumps(twice[2]["events"])


def test_means_are_over_days_and_the_worst_day_counts() -> None:
    days = [
        {"file": name, "figures": {"ap": value}}
        for name, value in (("a", 0.9), ("a", 0.9), ("a", 0.9), ("b", 0.7), ("b", np.nan))
    ]
    figure = Figure("ap", "", 0.8, 0.85)
    result = results_of(days, (figure,))["ap"]
    assert result.mean == pytest.approx(0.8)
    assert result.worst == 0.7
    assert result.meets_required
    assert not result.meets_target
    strict = Figure("ap", "", 0.75, 0.78, required_each_day=0.75)
    assert not results_of(days, (strict,))["ap"].meets_required
    assert results_of([], (figure,))["ap"].mean is None


def test_alarms_are_better_the_fewer() -> None:
    days = [{"file": name, "figures": {"x": value}} for name, value in (("a", 0.2), ("b", 0.6))]
    result = results_of(days, (Figure("x", "", 0.5, 0.3, less_is_better=True),))["x"]
    assert result.mean == pytest.approx(0.4)
    assert result.worst == 0.6
    assert result.meets_required
    assert not result.meets_target


def test_the_command_reports_every_stock(
    day_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "report.json"
    assert run_evaluate(open_sources([str(day_file)]), None, 1, 1, True, output) == 0
    printed = capsys.readouterr().out
    assert all(figure.title in printed for figure in FIGURES)
    report = json.loads(output.read_text())
    assert set(report["figures"]) == {figure.name for figure in FIGURES}
    assert set(report["kinds"]) == set(KINDS)
    assert set(report["stocks"]) == {stock.name for stock in STOCK_KINDS[1:]}
    assert len(report["days"]) == 2 * sum(stock.days_per_run for stock in STOCK_KINDS)
    assert report["figures"]["ap_price"]["mean"] > 0.5
    assert list(tmp_path.glob(".report*")) == []


def test_kinds_by_name_have_tables_of_their_own(
    day_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "report.json"
    sources = open_sources([str(day_file)])
    kinds = "decimal_shift,first_print_bad,block"
    assert run_evaluate(sources, None, 1, 1, False, output, kinds, style="plain") == 0
    printed = capsys.readouterr().out
    assert "decimal shift" in printed
    assert "Six kinds" not in printed
    report = json.loads(output.read_text())
    assert report["days"] == []
    assert set(report["scenarios"]) == set(kinds.split(","))
    shift = report["scenarios"]["decimal_shift"]
    assert (shift["events"], shift["named"]["share"]) == (6, 1.0)
    assert shift["labels"] == {"Off-Market Price": 6}
    assert report["scenarios"]["block"]["natural"]
    (day,) = report["scenario_days"]
    assert (day["style"], day["run"], len(day["events"])) == ("plain", 1, 11)
    named = report["scenario_figures"]["named"]["mean"]
    assert named == pytest.approx((1 + report["scenarios"]["first_print_bad"]["named"]["share"]) / 2)


class NoChunks(Source):
    """A source that ends at once, as a DBN file without records does."""

    name = "empty.dbn"
    identity = "0" * 64

    def chunks(self, after: Cursor | None = None) -> Iterator[Chunk]:
        yield from ()


def test_source_without_a_single_chunk_is_an_error_that_names_it() -> None:
    with pytest.raises(TapewatchError, match=r"empty\.dbn has no trades"):
        run_evaluate([NoChunks()], None, seed=1, runs=1, reshape=False, output=None)


def test_sizes_with_decimals_are_an_error_that_names_the_file(tmp_path: Path) -> None:
    day = tmp_path / "day.csv"
    day.write_text("t,s,p,q\n2026-03-02T15:00:00Z,BTC-USD,100.5,0.25\n")
    mapping = FileOptions(read_mapping("time=t,symbol=s,price=p,size=q,side=-"), None, None)
    with pytest.raises(TapewatchError, match=r"day\.csv has sizes or prices with more decimals"):
        run_evaluate(open_sources([str(day)], mapping), None, 1, 1, reshape=False, output=None)


def test_two_profiles_are_evaluated_on_the_same_anomalies_and_shown_side_by_side(
    day_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    profile, report = tmp_path / "large.yaml", tmp_path / "report.json"
    profile.write_text("name: large\ndetectors:\n  high_volume: {threshold_shares: 1400}\n")
    sources = open_sources([str(day_file)])
    assert run_evaluate(sources, profile, 1, 1, False, report, beside="stock_anomaly") == 0
    printed = capsys.readouterr().out
    [heads] = [line for line in printed.splitlines() if "stock_anomaly" in line]
    assert heads.index("large") < heads.index("stock_anomaly")
    found = json.loads(report.read_text())
    ours, theirs = found["days"][1], found["beside"]["days"][1]
    singles = [  # a burst is described by its trade with the highest score
        [(one["kind"], one["ts_event"]) for one in day["events"] if one["kind"] != "burst"]
        for day in (ours, theirs)
    ]
    assert singles[0] == singles[1]
    assert singles[0]
    assert ours["figures"] != theirs["figures"]
    assert found["beside"]["profile"] == "stock_anomaly"
    alone = tmp_path / "alone.json"
    run_evaluate(sources, "stock_anomaly", 1, 1, False, alone)
    assert json.loads(alone.read_text()) == found["beside"]


def test_an_output_that_cannot_be_written_is_reported(day_file: Path, tmp_path: Path) -> None:
    profile = tmp_path / "nothing.yaml"
    profile.write_text("base: classic\ndetectors:\n  price_history_forest: null\n")
    with pytest.raises(TapewatchError, match="cannot be written"):
        run_evaluate(
            open_sources([str(day_file)]), profile, 1, 1, False, tmp_path / "missing" / "report.json"
        )


@needs_real_data
def test_a_real_day_keeps_its_order_under_injection() -> None:
    source = open_sources([str(sorted(REAL_DATA.glob("*.csv.zst"))[0])])[0]
    trades = pl.concat([chunk.trades for chunk in source.chunks()])
    injected = inject(trades, 1)
    keys = injected.trades.select("ts_event", "sequence")
    assert keys.equals(keys.sort("ts_event", "sequence"))
    assert abs(injected.labels["event"].n_unique() - 0.0005 * len(trades)) < 5


INJECTED_QUANTITY = {
    "off_market": {"price_distance"},
    "off_market_small": {"price_distance"},
    "stale": {"price_distance"},
    "fat_finger": {"size_surprise"},
    "off_market_fat_finger": {"price_distance", "size_surprise"},
    "burst": {"burst_intensity"},
}


@needs_real_data
def test_top_contribution_names_the_injected_quantity() -> None:
    source = open_sources([str(sorted(REAL_DATA.glob("*.csv.zst"))[0])])[0]
    trades = pl.concat([chunk.trades for chunk in source.chunks()])
    days = evaluate_day(trades, STOCK_KINDS[0], load_profile(), seed=5, runs=1)
    flagged = [event for day in days for event in day["events"] if event["score"] > 0]
    right = [event["top_contribution"] in INJECTED_QUANTITY[event["kind"]] for event in flagged]
    assert len(right) > 50
    assert sum(right) >= 0.95 * len(right)
