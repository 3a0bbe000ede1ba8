import datetime as dt
from collections.abc import Sequence
from pathlib import Path

import orjson
import pytest
from typer.testing import CliRunner

from cli.main import app
from services.common.errors import TapewatchError
from services.detector.offline.backtest.run import run_backtest
from services.detector.offline.reproduce.nearness import Nearness
from services.detector.offline.reproduce.report import Outcome, Report
from services.detector.offline.reproduce.run import reproduce
from services.sources.file import FileSource
from services.sources.files import open_sources
from services.sources.synthetic.day import DayConfig, write_day
from tests.samples import REAL_DATA, needs_real_data, row, write_csv

OFF_MARKET = "off_market_price"


class Day:
    """A day's file and its anomalies by a backtest."""

    def __init__(self, file: Path, profile: str | None = None) -> None:
        self.file = file
        self.sources: Sequence[FileSource] = open_sources([str(file)])
        self.anomalies = file.with_name("anomalies.ndjson")
        assert run_backtest(self.sources, self.anomalies, profile) == 0
        lines = self.anomalies.read_bytes().splitlines()
        self.lines = {orjson.loads(line)["trade_id"]: line for line in lines}

    def again(self, trade_id: str, profile: str | None = None) -> Report:
        return reproduce(trade_id, self.sources, None, self.anomalies, profile)

    def trade_ids(self) -> list[str]:
        return [
            one for source in self.sources for chunk in source.chunks() for one in chunk.trades["trade_id"]
        ]


@pytest.fixture(scope="module")
def day(tmp_path_factory: pytest.TempPathFactory) -> Day:
    file = tmp_path_factory.mktemp("day") / "day.csv"
    write_day(DayConfig(dt.date(2026, 3, 2), trades=9_000, symbols=2), file, file.with_name("labels.csv"))
    return Day(file)


def assert_every_anomaly_is_the_same(day: Day) -> None:
    assert day.lines
    for trade_id, line in day.lines.items():
        report = day.again(trade_id)
        assert report.document == line, (trade_id, report.differences())
        assert report.outcome is Outcome.EQUAL


def test_every_anomaly_of_a_generated_day_comes_back_byte_for_byte(day: Day) -> None:
    assert_every_anomaly_is_the_same(day)
    revisions = [orjson.loads(line).get("revision") for line in day.lines.values()]
    assert None in revisions
    assert max(revision or 0 for revision in revisions) > 1  # some have grown


@pytest.mark.slow
@needs_real_data
@pytest.mark.timeout(1800)
def test_every_anomaly_of_a_real_day_comes_back_byte_for_byte(tmp_path: Path) -> None:
    file = tmp_path / "day.csv.zst"
    file.symlink_to((REAL_DATA / "xnas-itch-20241202.trades.csv.zst").resolve())
    assert_every_anomaly_is_the_same(Day(file))


def test_an_endless_session_begins_with_the_symbols_first_trade(tmp_path: Path) -> None:
    file = tmp_path / "day.csv"
    write_day(DayConfig(trades=3_000, symbols=2), file, tmp_path / "labels.csv")
    classic = Day(file, "classic")
    trade_id = list(classic.lines)[-1]
    report = classic.again(trade_id)
    assert report.document == classic.lines[trade_id]
    assert report.rebuilt.session.day == ""
    assert report.profile.origin == "built in: classic"
    assert report.rebuilt.nearness == []  # what that profile learns cannot be put back


def steady(prices: Sequence[float]) -> list[str]:
    """Return rows of two seconds each."""
    start = dt.datetime(2026, 3, 2, 15)
    rows = []
    for number, price in enumerate(prices):
        time = f"{start + dt.timedelta(seconds=2 * number):%Y-%m-%dT%H:%M:%S}.000000007Z"
        rows.append(row(number, ts_event=time, ts_recv=time, price=f"{price:.9f}", side="AB"[number % 2]))
    return rows


def test_a_late_print_is_judged_by_the_state_that_it_met(tmp_path: Path) -> None:
    prices = [100 + 0.01 * (n % 4) for n in range(401)]
    prices[394] = 111.0
    rows = steady(prices)
    day = Day(write_csv(tmp_path / "late.csv", [*rows[:394], *rows[395:], rows[394]]))
    trade_id = day.trade_ids()[-1]
    assert "late_s" in orjson.loads(day.lines[trade_id])
    report = day.again(trade_id)
    assert report.outcome is Outcome.EQUAL
    assert any("late" in remark for remark in report.remarks())
    assert report.rebuilt.trades == 400


def test_a_print_that_is_too_old_to_be_judged_says_so(tmp_path: Path) -> None:
    rows = steady([100 + 0.01 * (n % 4) for n in range(200)])
    day = Day(write_csv(tmp_path / "old.csv", [*rows[:20], *rows[21:], rows[20]]))
    report = day.again(day.trade_ids()[-1])
    assert report.outcome is Outcome.NOT_FLAGGED
    assert report.rebuilt.fate.too_late == 1
    assert report.rebuilt.nearness == []
    assert "older than what a session remembers" in report.remarks()[0]


@pytest.fixture(scope="module")
def calm(tmp_path_factory: pytest.TempPathFactory) -> Day:
    """A calm market with one print 5 % off near its end."""
    prices = [100 + 0.01 * (n % 4) for n in range(600)]
    prices[500] = 105.0
    return Day(write_csv(tmp_path_factory.mktemp("calm") / "calm.csv", steady(prices)))


def near(report: Report, detector: str) -> Nearness:
    return next(one for one in report.rebuilt.nearness if one.detector == detector)


def test_a_print_that_was_not_flagged_says_what_would_have_been(calm: Day, tmp_path: Path) -> None:
    ids = calm.trade_ids()
    report = calm.again(ids[450])
    assert report.outcome is Outcome.NOT_FLAGGED
    found = near(report, OFF_MARKET)
    assert found.evidence is not None
    assert found.evidence < 1
    assert not found.is_flagged
    assert found.price_above is not None
    assert found.price_below is not None
    # What it says is true of a day with that print, and a cent less is not flagged.
    for number, (price, is_flagged) in enumerate(
        [
            (found.price_above, True),
            (round(found.price_above - 0.01, 2), False),
            (found.price_below, True),
            (round(found.price_below + 0.01, 2), False),
        ]
    ):
        prices = [100 + 0.01 * (n % 4) for n in range(451)]
        prices[450] = price
        folder = tmp_path / str(number)
        folder.mkdir()
        other = Day(write_csv(folder / "other.csv", steady(prices)))
        assert (ids[450] in other.lines) == is_flagged, price


def test_a_flagged_print_says_how_far_beyond_the_threshold_it_is(calm: Day) -> None:
    trade_id = calm.trade_ids()[500]
    report = calm.again(trade_id)
    assert report.outcome is Outcome.EQUAL
    margins = report.to_json()["margins"]
    own = next(one for one in margins if one["detector"] == OFF_MARKET)
    detection = next(
        one for one in orjson.loads(calm.lines[trade_id])["detections"] if one["detector"] == OFF_MARKET
    )
    assert own["beyond"] == pytest.approx(detection["value"] - detection["threshold"])
    assert own["times_threshold"] > 1
    assert near(report, OFF_MARKET).is_flagged
    assert report.rebuilt.measures["high"] == pytest.approx(100.03)


def test_lower_thresholds_tell_how_near_a_pattern_is(tmp_path: Path) -> None:
    rows = steady([100 + 0.01 * (n % 4) for n in range(300)])
    times = [f"2026-03-02T15:10:{10 + n * 0.005:012.9f}Z" for n in range(40)]  # a storm takes 50 a second
    storm = [
        row(n, ts_event=time, ts_recv=time, price="100.010000000", size="7", sequence=str(2000 + n))
        for n, time in enumerate(times)
    ]
    day = Day(write_csv(tmp_path / "storm.csv", [*rows, *storm]))
    report = reproduce(day.trade_ids()[-1], day.sources, None)
    assert report.rebuilt.eased["print_storm"] == 0.75
    storm_near = near(report, "print_storm")
    assert storm_near.prints is not None
    assert 2 <= storm_near.prints <= 12


def test_what_joined_another_anomaly_names_it(day: Day) -> None:
    grown = [orjson.loads(line) for line in day.lines.values() if (orjson.loads(line).get("count") or 1) > 1]
    last = next(one["last_trade"] for one in grown if one["last_trade"] != one["trade_id"])
    first = next(one["trade_id"] for one in grown if one["last_trade"] == last)
    report = day.again(last)
    assert report.outcome is Outcome.NOT_FLAGGED
    assert report.rebuilt.part_of == first
    assert report.rebuilt.flags


def test_another_version_is_said_and_not_hidden(calm: Day, tmp_path: Path) -> None:
    trade_id = calm.trade_ids()[500]
    known = orjson.loads(calm.lines[trade_id])
    known["model"]["version"] = "0.0.7"
    file = tmp_path / "old.ndjson"
    file.write_bytes(orjson.dumps(known) + b"\n")
    report = reproduce(trade_id, calm.sources, None, file)
    assert report.outcome is Outcome.DIFFERENT
    assert [name for name, *_ in report.differences()] == ["model"]
    assert "found by Tapewatch 0.0.7" in report.remarks()[0]


def test_another_profile_is_said_and_one_that_nobody_knows_is_an_error(calm: Day, tmp_path: Path) -> None:
    trade_id = calm.trade_ids()[500]
    report = calm.again(trade_id, "classic")
    assert report.outcome.is_surprise
    assert any("not with this one" in remark for remark in report.remarks())
    known = orjson.loads(calm.lines[trade_id])
    known["model"]["profile"] = "0123456789ab"
    file = tmp_path / "other.ndjson"
    file.write_bytes(orjson.dumps(known) + b"\n")
    with pytest.raises(TapewatchError, match="0123456789ab of this anomaly is not known") as error:
        reproduce(trade_id, calm.sources, None, file)
    assert "--profile FILE" in error.value.hint


def test_an_anomaly_that_is_not_found_again_is_a_surprise(calm: Day, tmp_path: Path) -> None:
    ids = calm.trade_ids()
    known = orjson.loads(calm.lines[ids[500]]) | {"trade_id": ids[450]}
    file = tmp_path / "made-up.ndjson"
    file.write_bytes(orjson.dumps(known) + b"\n")
    report = reproduce(ids[450], calm.sources, None, file)
    assert report.outcome is Outcome.ONLY_THERE
    assert any("order" in remark for remark in report.remarks())


def test_the_profile_leads_to_every_parameter(calm: Day) -> None:
    profile = calm.again(calm.trade_ids()[500]).to_json()["profile"]
    assert profile["parameters"]["detectors"][OFF_MARKET]["alert_rarity"] > 0
    assert profile["hash"] == orjson.loads(calm.lines[calm.trade_ids()[500]])["model"]["profile"]


def test_the_command_writes_the_document_and_its_exit_code_says_what_differs(
    calm: Day, tmp_path: Path
) -> None:
    trade_id = calm.trade_ids()[500]
    output = tmp_path / "anomaly.json"
    against = ("--against", str(calm.anomalies))
    done = CliRunner().invoke(
        app, ["reproduce", trade_id, str(calm.file), *against, "--output", str(output), "--json"]
    )
    assert done.exit_code == 0, done.output
    assert output.read_bytes() == calm.lines[trade_id]
    assert orjson.loads(done.stdout)["outcome"] == "equal"
    none = tmp_path / "none.ndjson"
    none.write_bytes(b"")
    done = CliRunner().invoke(app, ["reproduce", trade_id, str(calm.file), "--against", str(none)])
    assert done.exit_code == 3
    assert "no anomaly is known of it" in done.stderr
    done = CliRunner().invoke(app, ["reproduce", "nobody", str(calm.file)])
    assert isinstance(done.exception, TapewatchError)
    assert "No trade has the id nobody" in done.exception.cause
