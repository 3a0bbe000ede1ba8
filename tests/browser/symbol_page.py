"""What tests read of a symbol's page, and do there."""

import datetime as dt
from urllib.parse import parse_qs, urlsplit

from playwright.sync_api import Locator, Page, expect

from tests.browser.tape import MAIN, Document, time_of


def main_trades(tape: list[Document]) -> list[Document]:
    """Return the trades of the symbol that has nearly all."""
    return [trade for trade in tape if trade["symbol"] == MAIN]


def expect_metric(page: Page, name: str, value: str) -> None:
    """Wait until a number has this value."""
    metric = page.get_by_test_id("stMetric").filter(has=page.get_by_text(name, exact=True))
    expect(metric.get_by_test_id("stMetricValue")).to_have_text(value)


def switch(page: Page, name: str) -> None:
    """Turn a switch on or off."""
    page.get_by_role("switch", name=name).locator("xpath=ancestor::label").click()


def chart_of(page: Page, number: int) -> Locator:
    """Return one of the charts, from 0 on, once it is drawn."""
    chart = page.get_by_test_id("stVegaLiteChart").nth(number)
    expect(chart.locator("svg")).to_be_visible()
    return chart


def mark_as_kept(page: Page) -> Locator:
    """Mark the charts that are there; returns those that still are, later."""
    charts = page.get_by_test_id("stVegaLiteChart").locator("svg")
    charts.evaluate_all("charts => charts.forEach(chart => { chart.dataset.kept = 'yes' })")
    return page.locator("svg[data-kept=yes]")


def drag_across(chart: Locator) -> None:
    """Drag the mouse across a part of a chart."""
    chart.scroll_into_view_if_needed()
    box = chart.bounding_box()
    assert box is not None
    mouse, y = chart.page.mouse, box["y"] + 60
    mouse.move(box["x"] + 500, y)
    mouse.down()
    mouse.move(box["x"] + 700, y, steps=8)
    mouse.up()


def expect_stretch(page: Page, tape: list[Document]) -> str:
    """Wait until a drag has chosen a stretch of some hours, and its trades are counted; returns how many."""
    page.wait_for_url("**from=**")
    asked = parse_qs(urlsplit(page.url).query)
    start, end = (dt.datetime.fromisoformat(asked[name][0]) for name in ("from", "to"))
    assert dt.timedelta(hours=1) < end - start < dt.timedelta(hours=4)
    inside = [trade for trade in main_trades(tape) if start <= time_of(trade) < end]
    count = f"{len(inside):,}"
    expect_metric(page, "Trades", count)
    return count
