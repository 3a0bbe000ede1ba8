"""Anomalies of a live run, judged again from its index alone."""

import datetime as dt
from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest

from infra.embedded.stack import EmbeddedStack
from services.common.elastic.client import Elasticsearch, new_client
from services.detector.offline.reproduce.documents import stored_profile
from services.detector.offline.reproduce.report import Outcome, Report
from services.detector.offline.reproduce.run import reproduce
from services.detector.profiles.profile import load_profile
from services.sources.files import open_sources
from services.sources.synthetic.day import DayConfig
from tests.integration.pipeline import documents, run_pipeline, set_up, tapewatch, write_own_day
from tests.samples import REAL_DATA, needs_real_data

OWN = "name: own\ndetectors:\n  high_volume: {threshold_shares: 3000}\n"


@pytest.fixture
def client(stack: EmbeddedStack) -> Iterator[Elasticsearch]:
    with new_client(stack.elasticsearch_url) as opened:
        yield opened


@pytest.fixture(scope="module")
def live_day(stack: EmbeddedStack, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A generated day of ACMER and BOLTR, judged live by a profile that nobody has any more."""
    folder = tmp_path_factory.mktemp("reproduce")
    generated = DayConfig(dt.date(2026, 9, 14), trades=5_000, symbols=2, seed=11)
    day = write_own_day(folder / "day.csv", generated, "R")
    profile = folder / "own.yaml"
    profile.write_text(OWN)
    set_up(stack)
    tapewatch(stack, "produce", str(day))
    tapewatch(stack, "detect", "--profile", str(profile), "--until-idle", "1")
    tapewatch(stack, "index", "--until-idle", "1")
    profile.unlink()
    return day


def assert_all_are_equal(client: Elasticsearch, anomalies: dict[str, dict[str, object]]) -> list[Report]:
    assert anomalies
    reports = [reproduce(trade_id, [], client) for trade_id in anomalies]
    for report in reports:
        assert report.outcome is Outcome.EQUAL, (report.trade_id, report.differences())
    return reports


def own_anomalies(stack: EmbeddedStack) -> dict[str, dict[str, object]]:
    return documents(stack, "anomalies-2026.09")


def test_every_anomaly_of_the_index_comes_back_byte_for_byte(
    stack: EmbeddedStack, client: Elasticsearch, live_day: Path
) -> None:
    reports = assert_all_are_equal(client, own_anomalies(stack))
    assert {report.order for report in reports} == {"of their receipt"}
    assert {report.profile.origin for report in reports} == {"stored when its detector started: own"}
    assert any(((report.rebuilt.anomaly and report.rebuilt.anomaly.revision) or 0) > 1 for report in reports)


def test_the_profile_of_an_old_anomaly_is_found_by_its_hash(
    stack: EmbeddedStack, client: Elasticsearch, live_day: Path
) -> None:
    anomaly = next(iter(own_anomalies(stack).values()))
    model = anomaly["model"]
    assert isinstance(model, dict)
    profile = stored_profile(client, model["profile"])
    assert profile is not None
    assert profile.hash == model["profile"] != load_profile().hash
    assert profile.detectors.model_dump()["high_volume"]["threshold_shares"] == 3000
    assert stored_profile(client, "0123456789ab") is None


def test_the_commands_document_is_what_elasticsearch_has(
    stack: EmbeddedStack, live_day: Path, tmp_path: Path
) -> None:
    trade_id, anomaly = next(iter(own_anomalies(stack).items()))
    output = tmp_path / "again.json"
    done = tapewatch(stack, "reproduce", trade_id, "--output", str(output), "--json")
    assert output.read_bytes() == orjson.dumps(anomaly)
    assert orjson.loads(done.stdout)["outcome"] == "equal"


def test_a_print_without_an_anomaly_is_judged_by_the_profile_of_those_around_it(
    stack: EmbeddedStack, client: Elasticsearch, live_day: Path
) -> None:
    anomalies = own_anomalies(stack)
    symbol = next(iter(anomalies.values()))["symbol"]
    trades = documents(stack, "trades-2026.09.1*", term={"symbol": symbol})
    trade_id = next(one for one in list(trades)[200:] if one not in anomalies)
    report = reproduce(trade_id, [], client)
    assert report.outcome is Outcome.NOT_FLAGGED
    assert report.profile.profile.name == "own"
    assert {one.detector for one in report.rebuilt.nearness} >= {"high_volume", "off_market_price"}
    size = next(one.size for one in report.rebuilt.nearness if one.detector == "high_volume")
    assert size == 3001


def test_what_is_not_indexed_says_what_to_give(stack: EmbeddedStack, live_day: Path) -> None:
    done = tapewatch(stack, "reproduce", "nobody", code=1)
    assert "No trade and no anomaly with the id nobody is indexed" in done.stderr
    assert "reproduce TRADE_ID FILE" in done.stderr


def test_old_trades_may_come_from_a_file_and_the_anomaly_from_the_index(
    stack: EmbeddedStack, client: Elasticsearch, live_day: Path
) -> None:
    trade_id = next(iter(own_anomalies(stack)))
    report = reproduce(trade_id, open_sources([str(live_day)]), client)
    assert report.outcome is Outcome.EQUAL
    assert report.order == "as in the files"


@pytest.mark.slow
@needs_real_data
@pytest.mark.timeout(3600)
def test_anomalies_of_a_real_day_in_the_index_come_back_byte_for_byte(
    stack: EmbeddedStack, client: Elasticsearch
) -> None:
    # Other tests have trades of 2 December.
    run_pipeline(stack, str(REAL_DATA / "xnas-itch-20241203.trades.csv.zst"))
    found = documents(stack, "anomalies-2024.12", term={"symbol": "NVDA"})
    # Each reads half of the day again on average.
    chosen = sorted(key for key, one in found.items() if one["session"] == "2024-12-03")[::9]
    assert_all_are_equal(client, {key: found[key] for key in chosen})
