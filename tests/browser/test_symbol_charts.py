"""What is drawn on a symbol's page when it is asked for, or when something happened, in a real browser."""

import datetime as dt
import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from dashboard.pages.symbol.feed_marks import BANDS, FeedMarkKind
from dashboard.pages.symbol.state import CANDLES, LINE
from dashboard.ui.palette import CANDLE_COLORS, CORRECTION_COLOR, VWAP_COLOR
from infra.embedded.stack import EmbeddedStack
from services.common.elastic.client import new_client
from tests.browser.conftest import OpenPage
from tests.browser.symbol_page import (
    chart_of,
    drag_across,
    expect_metric,
    expect_stretch,
    main_trades,
    mark_as_kept,
    switch,
)
from tests.browser.tape import DAY, MAIN, OPEN, Document

HALTED, RESUMED = (OPEN + dt.timedelta(hours=hours) for hours in (2, 3))
PRICES, VOLUMES = 0, 1
"""Numbers of the charts."""
CANDLE = f".mark-rect path[fill='{CANDLE_COLORS['up']}']"


@pytest.fixture(scope="module")
def cancelled(stack: EmbeddedStack, tape: list[Document]) -> Iterator[Document]:
    """A print that the venue took back; there is a halt, too."""
    trade = next(trade for trade in main_trades(tape) if "_anomaly" not in trade)
    corrections, events = f"corrections-{DAY:%Y.%m}", f"feed-events-{DAY:%Y.%m}"
    correction = {
        "@timestamp": f"{RESUMED:%Y-%m-%dT%H:%M:%S}.000000000Z",
        "correction_id": "charts-1",
        "trade_id": trade["trade_id"],
        "symbol": MAIN,
        "action": "cancel",
        "source": "test",
    }
    with new_client(stack.elasticsearch_url) as client:
        client.index(index=corrections, id="charts-1", document=correction, refresh=True)
        for event, at in (("halt", HALTED), ("resume", RESUMED)):
            told = {"@timestamp": f"{at:%Y-%m-%dT%H:%M:%SZ}", "venue": "test", "event": event, "symbol": MAIN}
            client.index(index=events, document=told, refresh=True)
        yield trade
        client.indices.delete(index=[corrections, events], ignore_unavailable=True)


@pytest.fixture
def page(open_page: OpenPage, dashboard_url: str, cancelled: Document) -> Iterator[Page]:
    page = open_page(f"{dashboard_url}/?symbol={MAIN}&session={DAY}")
    chart_of(page, PRICES)
    yield page
    expect(page.get_by_test_id("stException")).to_have_count(0)


@pytest.mark.slow
def test_the_average_price_is_drawn_by_its_switch(page: Page) -> None:
    line = chart_of(page, PRICES).locator(f"path[stroke='{VWAP_COLOR}']")
    expect(page.get_by_text("VWAP of the session")).to_have_count(0)
    expect(line).to_have_count(0)
    switch(page, "VWAP")
    page.wait_for_url("**vwap=on**")
    expect(line).to_have_count(1)
    expect(page.get_by_text("VWAP of the session")).to_be_visible()
    switch(page, "VWAP")
    expect(line).to_have_count(0)


@pytest.mark.slow
def test_a_cancelled_print_is_crossed_out_and_left_out_by_its_switch(
    page: Page, tape: list[Document], cancelled: Document
) -> None:
    everything = main_trades(tape)
    cross = chart_of(page, PRICES).locator(f"path[stroke='{CORRECTION_COLOR}']")
    expect(cross).to_have_count(1)
    expect(page.get_by_text("Cancelled by the venue")).to_be_visible()
    expect_metric(page, "Trades", f"{len(everything):,}")
    switch(page, "Cancelled prints")
    page.wait_for_url("**cancelled=hidden**")
    expect(cross).to_have_count(0)
    expect_metric(page, "Trades", f"{len(everything) - 1:,}")
    expect_metric(page, "Volume", f"{sum(one['size'] for one in everything) - cancelled['size']:,}")
    switch(page, "Cancelled prints")
    expect(cross).to_have_count(1)


@pytest.mark.slow
def test_a_halt_is_a_band_over_the_time_that_it_lasted(page: Page) -> None:
    chart = chart_of(page, PRICES)
    band = chart.locator(f".mark-rect path[fill='{BANDS[FeedMarkKind.HALTED]}']")
    expect(band).to_have_count(1)
    expect(page.get_by_text(re.compile(FeedMarkKind.HALTED))).not_to_have_count(0)
    # The unseen mark is as wide as the time axis, which shows twelve hours.
    share = chart.evaluate(
        """(chart, color) => {
            const width = (path) => path.getBBox().width;
            return width(chart.querySelector(`path[fill='${color}']`)) / Math.max(
                ...[...chart.querySelectorAll(".mark-rect path[opacity='0']")].map(width));
        }""",
        BANDS[FeedMarkKind.HALTED],
    )
    assert share == pytest.approx(1 / 12, rel=0.02)


@pytest.mark.slow
def test_the_browser_keeps_the_charts_from_line_to_candles(page: Page) -> None:
    candles = chart_of(page, PRICES).locator(CANDLE)
    chart_of(page, VOLUMES)
    expect(candles).to_have_count(0)
    kept = mark_as_kept(page)
    page.get_by_text(CANDLES).click()
    expect(candles).not_to_have_count(0)
    expect(kept).to_have_count(2)
    page.get_by_text(LINE, exact=True).click()
    expect(candles).to_have_count(0)
    expect(kept).to_have_count(2)


@pytest.mark.slow
@pytest.mark.parametrize("kind", [LINE, CANDLES])
def test_a_stretch_of_time_is_drawn_up_on_the_prices(page: Page, tape: list[Document], kind: str) -> None:
    chart = chart_of(page, PRICES)
    if kind == CANDLES:
        page.get_by_text(CANDLES).click()
        expect(chart.locator(CANDLE)).not_to_have_count(0)
    drag_across(chart)
    expect_stretch(page, tape)
