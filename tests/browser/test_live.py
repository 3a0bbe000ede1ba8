"""A live feed in a real browser: a venue that misbehaves, and what the dashboard says of it."""

import re
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from dashboard.pages.symbol.feed_marks import BANDS, TICKS, FeedMarkKind
from infra.embedded.ports import LOOPBACK, free_port
from infra.embedded.stack import EmbeddedStack
from services.common.elastic.client import new_client
from services.contracts.indices import FEED_EVENTS_INDICES
from tests.browser.conftest import OpenPage, page_of
from tests.browser.running_demo import OUTAGE_S, SYMBOLS, VENUE, live_demo, make_faults
from tests.integration.pipeline import started, tapewatch
from tests.standins.process import StandInProcess
from tests.standins.tape import TapeConfig

PATIENCE_MS = 60_000.0
STRUCK_WITHIN_S = 120.0
BOTH_ENDED = 2
"""Connections that a reset and an outage end."""


def metric(page: Page, name: str) -> Locator:
    """Return a metric's value."""
    found = page.get_by_test_id("stMetric").filter(has=page.get_by_text(name, exact=True))
    return found.get_by_test_id("stMetricValue")


def number(page: Page, name: str) -> int:
    """Return the value of a metric that is a whole number."""
    return int(metric(page, name).inner_text().replace(",", ""))


def wait_until(is_so: Callable[[], bool], what: str, within_s: float = STRUCK_WITHIN_S) -> None:
    """Ask again and again."""
    until_s = time.monotonic() + within_s
    while not is_so():
        assert time.monotonic() < until_s, what
        time.sleep(0.5)


def expect_a_healthy_feed_that_lost_something(page: Page, venue: StandInProcess) -> None:
    """Compare a feed's card with what the venue did: a gap to fill, a reset, and an outage that it forgot."""
    expect(page.get_by_text("Prints are coming.")).to_be_visible(timeout=PATIENCE_MS)
    expect(metric(page, "Reconnects")).to_have_text(str(BOTH_ENDED), timeout=PATIENCE_MS)
    expect(metric(page, "Gaps lost")).not_to_have_text("0", timeout=PATIENCE_MS)
    expect(metric(page, "Gaps open")).to_have_text("0", timeout=PATIENCE_MS)
    expect(metric(page, "Gaps filled")).not_to_have_text("0")
    for age in ("Last record", "Newest print"):
        expect(metric(page, age)).to_have_text(re.compile(r"^\d+\.\d s$"))
    assert venue.state()["sessions"] == 1 + BOTH_ENDED


@pytest.mark.slow
def test_the_pipeline_page_shows_a_real_feed_and_what_went_wrong(
    stack: EmbeddedStack, open_page: OpenPage, tmp_path: Path
) -> None:
    tapewatch(stack, "setup")
    tape = TapeConfig(("SHOWN-USD",), per_second=60.0, seed=5)
    address = f"{LOOPBACK}:{free_port()}"
    settings = {
        "TAPEWATCH_KAFKA": stack.kafka_bootstrap,
        "TAPEWATCH_METRICS_PORT": address.rpartition(":")[2],
    }
    feed = ("feed", VENUE, "--symbols", *tape.symbols)
    with (
        StandInProcess(VENUE, tape, make_faults(40, 40, outage_s=1.5)) as venue,
        started(tmp_path / "feed.log", *feed, *venue.urls, **settings),
        page_of([address], stack.elasticsearch_url, tmp_path, open_page) as page,
    ):
        expect(page.get_by_text(f"feed · {address}")).to_be_visible(timeout=PATIENCE_MS)
        expect_a_healthy_feed_that_lost_something(page, venue)


@pytest.mark.slow
def test_the_demo_shows_a_live_market_and_what_went_wrong_with_its_feed(
    open_page: OpenPage, tmp_path: Path
) -> None:
    symbol = SYMBOLS[0]
    with live_demo(tmp_path, make_faults(400, 300)) as (demo, venue):
        wait_until(lambda: not venue.state()["not_struck"], "a fault has not struck")
        time.sleep(OUTAGE_S)

        page = open_page(f"{demo.dashboard}/?symbol={symbol}")
        expect(metric(page, "Trades")).to_be_visible(timeout=PATIENCE_MS)
        before = number(page, "Trades")
        wait_until(lambda: number(page, "Trades") > before, "no new trades are shown")
        expect(page.locator(".st-key-frame-clock")).to_contain_text(
            re.compile(r"\d+ s behind"), timeout=PATIENCE_MS
        )
        assert number(page, "Anomalies") > 0
        chart = page.get_by_test_id("stVegaLiteChart").first
        expect(page.get_by_test_id("stVegaLiteChart")).to_have_count(2)
        expect(chart.locator(".mark-symbol path").first).to_be_visible()
        for kind in (FeedMarkKind.LOST, FeedMarkKind.AWAY):
            expect(chart.locator(f".mark-rect path[fill='{BANDS[kind]}']").first).to_be_attached()
            expect(page.get_by_text(kind, exact=False).first).to_be_visible()
        expect(chart.locator(f"path[fill='{TICKS[FeedMarkKind.FILLED]}']").first).to_be_attached()
        expect(page.get_by_test_id("stException")).to_have_count(0)

        page.goto(f"{demo.dashboard}/health")
        expect_a_healthy_feed_that_lost_something(page, venue)
        with new_client(demo.elasticsearch) as client:
            for name, event in (("Gaps filled", "gap_filled"), ("Gaps lost", "gap_lost")):
                told = client.count(index=FEED_EVENTS_INDICES, query={"term": {"event": event}})["count"]
                assert number(page, name) == told > 0
        expect(page.get_by_text("What happened to feeds last")).to_be_visible()
        expect(page.get_by_test_id("stException")).to_have_count(0)
