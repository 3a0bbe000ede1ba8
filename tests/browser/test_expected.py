"""What the detector expected, on a symbol's page: against the anomalies' documents, and in a browser."""

import datetime as dt
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pytest
from elasticsearch import helpers
from playwright.sync_api import Browser, Page, expect

from dashboard.pages.symbol.expected import Expected
from dashboard.pages.symbol.judged import find_expected, find_profile_hash
from dashboard.pages.symbol.queries import summarize_trades
from dashboard.server.elastic import open_client
from dashboard.ui.palette import EXPECTED_COLOR
from dashboard.ui.time_ranges import Period, TimeRange
from infra.embedded.stack import EmbeddedStack
from infra.setup.templates import set_up_templates
from services.common.elastic.client import Elasticsearch
from services.detector.offline.backtest.run import run_backtest
from services.detector.profiles.profile import load_profile
from services.sources.elasticsearch import IndexRange
from services.sources.files import open_sources
from services.sources.synthetic.day import DayConfig, write_day
from services.sources.synthetic.trades import symbol_name
from tests.browser.conftest import TIMEOUT_MS, OpenPage
from tests.browser.contrast import seen_texts

DAY = dt.date(2039, 12, 29)
SESSION = Period(DAY, DAY).time_range
SYMBOL = symbol_name(0)
TRADES = 20_000
LOADING_MS = 90_000.0
"""Time limit for loading the detectors, which are compiled if they are not cached."""

PATH = f"/?symbol={SYMBOL}&session={DAY}"
COMPARED = re.compile(r"Expected by the profile default, which compared ([\d,]+) trades\.")


@dataclass(frozen=True)
class Judged:
    """An indexed day, with the anomalies that a backtest finds in it."""

    trades: list[dict[str, Any]]
    anomalies: list[dict[str, Any]]


@pytest.fixture(scope="module")
def client(stack: EmbeddedStack) -> Iterator[Elasticsearch]:
    with open_client(stack.elasticsearch_url) as opened:
        yield opened


@pytest.fixture(scope="module")
def day(client: Elasticsearch, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Judged]:
    folder = tmp_path_factory.mktemp("day")
    config = DayConfig(date=DAY, trades=TRADES, symbols=1, anomaly_rate=0.003)
    write_day(config, folder / "day.csv", folder / "labels.csv")
    [source] = open_sources([str(folder / "day.csv")])
    trades = [json.loads(one) for chunk in source.chunks() for one in source.to_json(chunk.trades)]
    patient = client.options(request_timeout=120)
    set_up_templates(patient)
    helpers.bulk(patient, [_action("trades", 10, one) for one in trades], refresh=True)
    run_backtest(
        [IndexRange(client, SESSION.start, SESSION.end, SYMBOL)], folder / "anomalies.ndjson", "default"
    )
    anomalies = [json.loads(line) for line in (folder / "anomalies.ndjson").read_text().splitlines()]
    helpers.bulk(patient, [_action("anomalies", 7, one) for one in anomalies], refresh=True)
    yield Judged(trades, anomalies)
    for index in {_action("trades", 10, one)["_index"] for one in trades} | {
        _action("anomalies", 7, one)["_index"] for one in anomalies
    }:
        patient.indices.delete(index=index, ignore_unavailable=True)


def _action(kind: str, digits: int, document: dict[str, Any]) -> dict[str, Any]:
    day = document["@timestamp"][:digits].replace("-", ".")
    return {"_index": f"{kind}-{day}", "_id": document["trade_id"], "_source": document}


def expected_in(client: Elasticsearch, time_range: TimeRange) -> Expected:
    found = find_expected(client, SYMBOL, time_range, summarize_trades(client, SYMBOL, time_range))
    assert found.buckets is not None, found.remark
    return found


def around(document: dict[str, Any]) -> TimeRange:
    """Return the second in which a trade was: its buckets take 2 ms."""
    second = dt.datetime.fromisoformat(document["@timestamp"][:19] + "+00:00")
    return TimeRange(second, second + dt.timedelta(seconds=1))


def bucket_of(expected: Expected, document: dict[str, Any]) -> Any:  # noqa: ANN401 - a row
    time = np.datetime64(document["@timestamp"].rstrip("Z"), "ns")
    assert expected.buckets is not None
    starts, ends = (expected.buckets[name].dt.tz_localize(None) for name in ("start", "end"))
    (row,) = expected.buckets[(starts <= time) & (time < ends)].itertuples()
    return row


def test_at_an_anomaly_the_charts_show_what_its_document_says(client: Elasticsearch, day: Judged) -> None:
    alone = [one for one in day.anomalies if one.get("count") in (None, 1)]
    prices = sizes = 0
    for anomaly in alone:
        row = bucket_of(expected_in(client, around(anomaly)), anomaly)
        for one in anomaly["detections"]:
            # Of several flagged within 2 ms, the most striking one is shown.
            if one["detector"] == "off_market_price" and one["threshold"] in (row.lowest, row.highest):
                assert (anomaly["features"]["price_low"], anomaly["features"]["price_high"]) == (
                    row.low,
                    row.high,
                )
                prices += 1
            if one["detector"] == "unusual_size" and one["value"] == row.size:
                assert (one["expected"], one["threshold"]) == (row.usual_size, row.size_limit)
                sizes += 1
    told = [one["detector"] for anomaly in alone for one in anomaly["detections"]]
    assert prices >= 0.9 * told.count("off_market_price") > 5
    assert sizes >= 0.9 * told.count("unusual_size") > 5


@pytest.mark.slow
def test_over_the_whole_session_the_band_holds_what_was_not_flagged(
    client: Elasticsearch, day: Judged
) -> None:
    expected = expected_in(client, SESSION)
    flagged = {
        anomaly["trade_id"]
        for anomaly in day.anomalies
        if "off_market_price" in [one["detector"] for one in anomaly["detections"]]
    }
    assert expected.buckets is not None
    buckets = expected.buckets
    starts = buckets["start"].dt.tz_localize(None).to_numpy("datetime64[ns]")
    times = np.array([one["@timestamp"].rstrip("Z") for one in day.trades], "datetime64[ns]")
    at = np.searchsorted(starts, times, side="right") - 1
    with_flags = {int(place) for place, one in zip(at, day.trades, strict=True) if one["trade_id"] in flagged}
    outside, largest = 0, dict.fromkeys(range(len(buckets)), 0.0)
    for place, one in zip(at.tolist(), day.trades, strict=True):
        row = buckets.iloc[place]
        if place not in with_flags and not row["lowest"] <= one["price"] <= row["highest"]:
            outside += 1
        largest[place] = max(largest[place], one["size"])
    assert flagged
    assert outside < 0.001 * len(day.trades)
    equal = [largest[place] == size for place, size in enumerate(buckets["size"])]
    assert np.mean(equal) > 0.9  # but auctions, and buckets with a flagged size


@pytest.mark.slow
def test_the_profile_is_that_of_the_newest_anomaly(client: Elasticsearch, day: Judged) -> None:
    assert find_profile_hash(client, SESSION) == load_profile("default").hash
    other = day.anomalies[-1] | {"model": {"name": "tapewatch", "version": "1", "profile": "0123456789ab"}}
    try:
        helpers.bulk(client, [_action("anomalies", 7, other)], refresh=True)
        found = find_expected(client, SYMBOL, SESSION, summarize_trades(client, SYMBOL, SESSION))
        assert found.buckets is None
        assert "ran a profile (0123456789ab) that is neither built in" in found.remark
    finally:
        helpers.bulk(client, [_action("anomalies", 7, day.anomalies[-1])], refresh=True)


@pytest.mark.slow
def test_of_several_sessions_nothing_is_drawn_and_the_page_says_so(
    client: Elasticsearch, day: Judged
) -> None:
    longer = TimeRange(SESSION.start, SESSION.end + dt.timedelta(hours=1))
    found = find_expected(client, SYMBOL, longer, summarize_trades(client, SYMBOL, longer))
    assert found == Expected("What was expected is shown within one session: choose one, or zoom in.")


@pytest.fixture
def page(open_page: OpenPage, dashboard_url: str, day: Judged) -> Iterator[Page]:
    page = open_page(dashboard_url + PATH)
    expect(page.locator(".tw-list")).to_be_visible()
    yield page
    expect(page.get_by_test_id("stException")).to_have_count(0)


@pytest.mark.slow
def test_it_is_switched_on_and_stands_in_the_address(page: Page, day: Judged) -> None:
    charts = page.get_by_test_id("stVegaLiteChart")
    expect(charts).to_have_count(2)
    page.get_by_role("switch", name="Expected").locator("xpath=ancestor::label").click()
    expect(page.get_by_text(COMPARED)).to_be_visible(timeout=LOADING_MS)
    page.wait_for_url("**expected=on**")
    expect(page.get_by_text(f"compared {len(day.trades):,} trades")).to_be_visible()
    expect(charts).to_have_count(4)
    band = charts.first.locator(f"path[fill='{EXPECTED_COLOR}']")
    expect(band.first).to_be_visible()
    assert band.count() > 100
    for place in (2, 3):
        lines = charts.nth(place).locator(f"path[stroke='{EXPECTED_COLOR}']")
        expect(lines.first).to_be_attached()
        assert lines.filter(has_not=page.locator("[stroke-dasharray='5,4']")).count() > 0
    expect(page.get_by_text("Expected: prices that are not flagged")).to_be_visible()
    said = page.get_by_text(re.compile(r"Expected at the end: prices from .* are not flagged; the usual"))
    expect(said).to_be_attached()
    page.get_by_role("switch", name="Expected").locator("xpath=ancestor::label").click()
    expect(charts).to_have_count(2)


@pytest.mark.slow
def test_while_it_is_live_only_new_trades_are_added_and_no_chart_is_built_again(
    open_page: OpenPage, dashboard_url: str, client: Elasticsearch, day: Judged
) -> None:
    page = open_page(f"{dashboard_url}{PATH}&expected=on")
    expect(page.get_by_text(COMPARED)).to_be_visible(timeout=LOADING_MS)
    charts = page.get_by_test_id("stVegaLiteChart").locator("svg")
    expect(charts).to_have_count(4)
    charts.evaluate_all("charts => charts.forEach(chart => { chart.dataset.seen = 'yes' })")
    last = day.trades[-1]
    one_more = last | {"trade_id": "one-more", "sequence": last["sequence"] + 1}
    try:
        helpers.bulk(client, [_action("trades", 10, one_more)], refresh=True)
        expect(page.get_by_text(f"compared {len(day.trades) + 1:,} trades")).to_be_visible()
        page.wait_for_timeout(500)
        expect(page.locator("svg[data-seen=yes]")).to_have_count(4)
    finally:
        client.delete(index=_action("trades", 10, one_more)["_index"], id="one-more", refresh=True)


@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_all_text_can_be_read(
    scheme: Literal["light", "dark"], browser: Browser, dashboard_url: str, day: Judged
) -> None:
    context = browser.new_context(viewport={"width": 1400, "height": 1600}, color_scheme=scheme)
    context.set_default_timeout(TIMEOUT_MS)
    page = context.new_page()
    page.goto(f"{dashboard_url}{PATH}&expected=on")
    expect(page.get_by_text(COMPARED)).to_be_visible(timeout=LOADING_MS)
    expect(page.get_by_test_id("stVegaLiteChart")).to_have_count(4, timeout=TIMEOUT_MS)
    page.wait_for_timeout(1_500)
    texts = seen_texts(page)
    context.close()
    assert any("Trades/s" in one.text for one in texts)
    assert [one for one in texts if not one.is_readable] == []


@pytest.mark.slow
def test_a_narrow_window_does_not_scroll_sideways(browser: Browser, dashboard_url: str, day: Judged) -> None:
    context = browser.new_context(viewport={"width": 420, "height": 900})
    context.set_default_timeout(TIMEOUT_MS)
    page = context.new_page()
    page.goto(f"{dashboard_url}{PATH}&expected=on")
    expect(page.get_by_text(COMPARED)).to_be_visible(timeout=LOADING_MS)
    assert page.evaluate("document.documentElement.scrollWidth") <= 420
    context.close()
