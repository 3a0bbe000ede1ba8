"""The tuning page in a real browser, and its counts against a backtest, on real Elasticsearch."""

import json
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path

import pytest
from numpy.testing import assert_array_equal
from playwright.sync_api import Page, expect

from dashboard.server.elastic import open_client
from dashboard.ui.time_ranges import Period
from infra.embedded.stack import EmbeddedStack
from services.common.elastic.client import Elasticsearch
from services.common.errors import TapewatchError
from services.detector.engine.columns import TradeColumns
from services.detector.offline.backtest.run import run_backtest
from services.detector.offline.decode import decode_chunk
from services.detector.offline.tuning import day
from services.detector.offline.tuning.indexed_day import count_trades, read_trades
from services.detector.offline.tuning.profile_choice import configuration
from services.detector.profiles.profile import load_profile
from services.sources.elasticsearch import IndexRange
from tests.browser.conftest import OpenPage
from tests.browser.tape import DAY, EVIL, FIRST_DAY, MAIN, Document

RANGE = Period(DAY, DAY).time_range
LOADING_MS = 60_000.0
"""Time limit for loading the detectors, which are compiled if they are not cached."""

SHOWN = f"/tuning?symbol={MAIN}&day={DAY}"


@pytest.fixture
def client(stack: EmbeddedStack, tape: list[Document]) -> Iterator[Elasticsearch]:
    with open_client(stack.elasticsearch_url) as opened:
        yield opened


@pytest.fixture
def page(open_page: OpenPage, dashboard_url: str, tape: list[Document]) -> Iterator[Page]:
    page = open_page(dashboard_url + SHOWN)
    question = page.get_by_role("button", name="Read 4,000 trades")
    answer = page.get_by_text("4,000 trades scored.")
    expect(question.or_(answer)).to_be_visible(timeout=LOADING_MS)
    if question.is_visible():  # not read yet: what was, is kept for all visitors
        question.click()
    expect(answer).to_be_visible(timeout=LOADING_MS)
    yield page
    expect(page.get_by_test_id("stException")).to_have_count(0)


def ignore(done: int, of: int) -> None:
    assert 0 < done <= of


def backtest(client: Elasticsearch, profile: Path, folder: Path) -> Counter[str]:
    """Run the same day through `tapewatch backtest` and count its detections by detector."""
    output = folder / "anomalies.ndjson"
    run_backtest([IndexRange(client, RANGE.start, RANGE.end, MAIN)], output, str(profile))
    lines = [json.loads(line) for line in output.read_text().splitlines()]
    return Counter(one["detector"] for line in lines for one in line["detections"])


@pytest.mark.parametrize(
    ("shares", "ratio", "sigmas", "contamination"), [(400, 0.03, 3.0, 0.005), (480, 0.045, 2.5, 0.3)]
)
def test_the_counts_are_those_of_a_backtest_with_the_configuration(
    client: Elasticsearch,
    tmp_path: Path,
    shares: int,
    ratio: float,
    sigmas: float,
    contamination: float,
) -> None:
    classic = load_profile("classic")
    trades = read_trades(client, MAIN, RANGE.start, RANGE.end, 4000, "America/New_York", ignore).columns
    found = day.measure_day(trades, classic, MAIN, ignore)
    by_contamination = day.measure_forest(trades, classic, MAIN, ignore)
    told = {
        "high_volume": found.measured["high_volume"].flagged(shares),
        "rapid_price_change": found.measured["rapid_price_change"].flagged(ratio),
        "z_score": found.measured["z_score"].flagged(sigmas),
        "price_history_forest": by_contamination[contamination],
    }
    profile = tmp_path / "tuned.yaml"
    chosen: dict[str, dict[str, float] | None] = {
        "high_volume": {"threshold_shares": shares},
        "rapid_price_change": {"threshold_ratio": ratio},
        "z_score": {"threshold_sigmas": sigmas},
        "price_history_forest": {"contamination": contamination},
    }
    profile.write_text(configuration(classic, "classic", MAIN, chosen, []))
    assert told == backtest(client, profile, tmp_path)
    assert min(told.values()) > 0


def test_trades_are_read_page_by_page_as_a_backtest_reads_them(
    client: Elasticsearch, monkeypatch: pytest.MonkeyPatch
) -> None:
    time_zone = "America/New_York"
    source = IndexRange(client, RANGE.start, RANGE.end, MAIN)
    (chunk,) = source.chunks()
    whole = decode_chunk(source, chunk, time_zone)
    monkeypatch.setattr("services.common.elastic.paging.PAGE_VALUES", 999)
    trades = read_trades(client, MAIN, RANGE.start, RANGE.end, 3_500, time_zone, ignore).columns
    assert len(trades) == 3_500
    assert len(set(trades.identity)) == 3_500
    for field in fields(TradeColumns):
        # It counts documents instead of reading their ids, and does not read when they were received.
        if field.name in ("identity", "recv_ns"):
            continue
        assert_array_equal(getattr(trades, field.name), getattr(whole.columns, field.name)[:3_500])


def test_symbol_or_day_without_trades_and_one_with_too_many_are_errors(client: Elasticsearch) -> None:
    for symbol in ("NOSUCH", "*", '"}}]}}'):
        with pytest.raises(TapewatchError, match="is indexed on this day"):
            count_trades(client, symbol, RANGE.start, RANGE.end)
    with pytest.raises(TapewatchError, match="has 4,000 trades on this day; this page reads at most 3,999"):
        count_trades(client, MAIN, RANGE.start, RANGE.end, most=3_999)


@pytest.mark.slow
def test_a_tried_threshold_is_counted_marked_configured_and_in_the_address(
    page: Page, tape: list[Document]
) -> None:
    expect(page.get_by_test_id("stVegaLiteChart")).to_have_count(6)
    page.get_by_label("Threshold: shares in one trade").fill("450")
    page.get_by_label("Threshold: shares in one trade").press("Enter")
    count = sum(trade["symbol"] == MAIN and trade["size"] > 450 for trade in tape)
    expect(page.get_by_text(f"{count:,} flagged, {count / 4:g} per 1,000 trades.")).to_be_visible()
    expect(page.get_by_test_id("stVegaLiteChart").first.get_by_text("chosen")).to_be_visible()
    code = page.get_by_test_id("stCode").last
    expect(code).to_contain_text("high_volume: null")
    page.get_by_text("In the configuration").first.click()
    expect(code).to_contain_text("high_volume: {threshold_shares: 450}")
    expect(page).to_have_url(re.compile(r"high_volume=450"))
    page.reload()
    expect(page.get_by_label("Threshold: shares in one trade")).to_have_value("450")
    expect(code).to_contain_text("high_volume: {threshold_shares: 450}")


@pytest.mark.slow
def test_the_forest_is_fitted_on_demand(page: Page) -> None:
    page.get_by_role("button", name="Fit the forests").click()
    expect(page.get_by_test_id("stVegaLiteChart")).to_have_count(7, timeout=LOADING_MS)
    expect(page.get_by_text(re.compile(r"its default, 0\.01, would flag [\d,]+\."))).to_be_visible()


@pytest.mark.slow
def test_invalid_values_in_an_address_fall_back_to_the_defaults(
    open_page: OpenPage, dashboard_url: str, tape: list[Document]
) -> None:
    page = open_page(
        f"{dashboard_url}/tuning?symbol=NOSUCH&day=yesterday&profile=/etc/passwd&z_score=1e999&high_volume=%00"
    )
    expect(page.get_by_role("combobox", name="Symbol")).to_have_value(MAIN, timeout=LOADING_MS)
    expect(page.get_by_role("combobox", name="Profile")).to_have_value("default")
    expect(
        page.get_by_text(re.compile(r"parameters: day, (high_volume, )?profile, symbol(, z_score)?\."))
    ).to_be_visible()
    expect(page.get_by_test_id("stException")).to_have_count(0)


def test_a_symbol_from_the_data_is_text(
    open_page: OpenPage, dashboard_url: str, tape: list[Document]
) -> None:
    page = open_page(f"{dashboard_url}/tuning?day={FIRST_DAY}")
    page.get_by_role("button", name="Read 1 trade").click(timeout=LOADING_MS)
    expect(page.get_by_text("1 trade scored.")).to_be_visible()
    expect(page.get_by_test_id("stCode").first).to_contain_text(f"--symbol '{EVIL}'")
    assert page.locator("b", has_text="EV").count() == 0
    expect(page.get_by_test_id("stException")).to_have_count(0)
