"""Charts that one bad print does not flatten, and an anomaly's whole stretch, in a real browser."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Locator, Page, expect

from dashboard.pages.symbol.queries import find_beyond, summarize_trades
from dashboard.server.anomaly_rows import to_anomaly_rows
from dashboard.server.elastic import open_client
from dashboard.server.one_anomaly import Stretch, find_stretch
from dashboard.server.stretches import find_ends
from dashboard.ui.prices import PriceRange
from dashboard.ui.time_ranges import Period
from infra.embedded.stack import EmbeddedStack
from services.common.elastic.client import Elasticsearch
from tests.browser.conftest import OpenPage
from tests.browser.far_off import (
    COUNT,
    COUNTED_ELSEWHERE,
    DAY,
    GROWN,
    HIGH,
    LAST,
    LOW,
    SYMBOL,
    Document,
    indexed,
)

Documents = tuple[list[Document], list[Document]]


@pytest.fixture(scope="module")
def client(stack: EmbeddedStack) -> Iterator[Elasticsearch]:
    with open_client(stack.elasticsearch_url) as opened:
        yield opened


@pytest.fixture(scope="module")
def documents(client: Elasticsearch) -> Iterator[Documents]:
    with indexed(client) as made:
        yield made


@pytest.fixture
def address(dashboard_url: str, documents: Documents) -> str:
    return f"{dashboard_url}/?symbol={SYMBOL}&session={DAY}&live=off"


def price_chart(page: Page) -> Locator:
    chart = page.get_by_test_id("stVegaLiteChart").first
    expect(chart.locator("svg")).to_be_visible()
    return chart


def price_labels(chart: Locator) -> list[float]:
    """Return the numbers beside the price axis."""
    texts = chart.locator(".role-axis-label text").all_text_contents()
    return [float(text.replace(",", "")) for text in texts if re.fullmatch(r"[0-9,]+[.][0-9]{2}", text)]


def test_a_print_far_off_stands_at_the_edge_and_one_click_shows_all(
    open_page: OpenPage, address: str
) -> None:
    page = open_page(address)
    chart = price_chart(page)
    expect(page.get_by_text("2 prints at 5.01 and 500.10 are beyond the price axis.")).to_be_visible()
    expect(chart.get_by_text("▲ 500.10")).to_be_visible()
    expect(chart.get_by_text("▼ 5.01")).to_be_visible()
    assert 49.5 < min(price_labels(chart)) < max(price_labels(chart)) < 50.5
    page.get_by_role("button", name="Show all prices").click()
    page.wait_for_url("**axis=all**")
    expect(page.get_by_text("The price axis shows every price")).to_be_visible()
    expect(chart.get_by_text("▲ 500.10")).to_have_count(0)
    assert max(price_labels(chart)) >= 500
    page.get_by_role("button", name="Follow the market").click()
    expect(chart.get_by_text("▲ 500.10")).to_be_visible()
    page.wait_for_url(lambda url: "axis" not in url)


@pytest.mark.slow
def test_candles_follow_the_market_too(open_page: OpenPage, address: str) -> None:
    chart = price_chart(open_page(f"{address}&chart=candles"))
    expect(chart.get_by_text("▲ 500.10")).to_be_visible()
    assert max(price_labels(chart)) < 50.5


def test_the_prints_beyond_a_range_are_those_of_a_recount(
    client: Elasticsearch, documents: Documents
) -> None:
    found = find_beyond(client, SYMBOL, Period(DAY, DAY).time_range, PriceRange(49.0, 51.0))
    assert (found.total, found.lowest, found.highest) == (2, 5.01, 500.1)
    assert found.prints["trade_id"].tolist() == [f"far-{HIGH}", f"far-{LOW}"]
    assert found.prints["price"].tolist() == [500.1, 5.01]


@pytest.mark.slow
def test_the_volume_leaves_out_what_is_counted_elsewhere(
    client: Elasticsearch, documents: Documents, open_page: OpenPage, address: str
) -> None:
    shares = sum(one["size"] for number, one in enumerate(documents[0]) if number != COUNTED_ELSEWHERE)
    summary = summarize_trades(client, SYMBOL, Period(DAY, DAY).time_range)
    assert (summary.trades, summary.shares) == (60, shares)
    metric = open_page(address).get_by_test_id("stMetric").filter(has_text="Volume")
    expect(metric.get_by_test_id("stMetricValue")).to_have_text(f"{shares:,}")


@pytest.mark.slow
def test_a_second_is_a_second_wide(open_page: OpenPage, address: str) -> None:
    page = open_page(f"{address}&from=2039-12-07T15:01:40Z&to=2039-12-07T15:01:50Z")
    chart = price_chart(page)
    expect(page.get_by_test_id("stMetric").filter(has_text="Trades").first).to_contain_text("1")
    # Without the one that nobody sees: it gives the axis its ends, and is as wide as the chart.
    widths = chart.locator(".mark-rect path:not([opacity='0'])").evaluate_all(
        "paths => paths.map(path => path.getBBox().width)"
    )
    assert widths
    assert max(widths) < 20
    assert "from=2039-12-07T15:01:40Z" in page.url


@pytest.mark.slow
def test_a_range_that_ends_before_it_begins_is_reported(open_page: OpenPage, address: str) -> None:
    page = open_page(f"{address}&from=2039-12-07T15:05Z&to=2039-12-07T15:01Z")
    expect(page.get_by_text("The time in the address ends before it begins.")).to_be_visible()
    price_chart(page)


@pytest.mark.slow
def test_an_anomaly_that_has_grown_is_a_band_on_the_day(
    client: Elasticsearch, documents: Documents, open_page: OpenPage, address: str
) -> None:
    trades, anomalies = documents
    rows = to_anomaly_rows(anomalies)
    ends = find_ends(client, rows)
    assert [end.isoformat() for end in ends.dropna()] == [
        trades[LAST]["@timestamp"].replace(".000Z", "+00:00")
    ]
    chart = price_chart(open_page(address))
    expect(chart.locator("path[fill-opacity='0.14']")).to_have_count(1)


@pytest.mark.slow
def test_the_page_of_an_anomaly_shows_its_whole_stretch(
    client: Elasticsearch, documents: Documents, dashboard_url: str, open_page: OpenPage
) -> None:
    trades, anomalies = documents
    after = LAST - GROWN
    assert find_stretch(client, anomalies[1]) == Stretch(COUNT, COUNT - 1 - after, after)
    assert find_stretch(client, anomalies[0]) is None
    page = open_page(f"{dashboard_url}/anomaly?id=far-{GROWN}")
    first = trades[LAST - COUNT + 1]["@timestamp"][11:23]
    last = trades[LAST]["@timestamp"][11:23]
    expect(
        page.get_by_text(
            f"The stretch: {COUNT} prints by the detector's count, among {COUNT} trades in 70.0 s, "
            f"from {first} to {last} UTC."
        )
    ).to_be_visible()
    expect(page.get_by_role("radio", name="Whole stretch")).to_be_checked()
    expect(page.get_by_role("cell", name="no burst", exact=True)).to_be_visible()
    sizes = page.get_by_test_id("stVegaLiteChart").nth(1)
    expect(sizes.get_by_text("Trades before and after")).to_be_visible()
    page.get_by_text("By time", exact=True).click()
    expect(sizes.get_by_text("Time before and after, in minutes")).to_be_visible()
    expect(page).to_have_url(re.compile("by=time"))
    page.get_by_role("radio", name="50").click()
    expect(page).to_have_url(re.compile("around=50"))


@pytest.mark.slow
def test_the_page_of_a_print_far_off_shows_its_price_the_expected_and_its_conditions(
    documents: Documents, dashboard_url: str, open_page: OpenPage
) -> None:
    page = open_page(f"{dashboard_url}/anomaly?id=far-{HIGH}")
    chart = price_chart(page)
    expect(chart.get_by_text("▲ 500.10")).to_be_visible()
    assert max(price_labels(chart)) < 50.5
    for text in (
        "recent prices it was compared with: 50.01 to 50.05",
        "a price is flagged beyond 51.25",
        "usual size: 120",
        "odd lot, late (I, Z)",
        "XNYS",
        "desk",
    ):
        expect(page.get_by_text(text)).to_be_visible()
    for text in ("500.10", "50.03", "51.25"):
        expect(page.get_by_role("cell", name=text, exact=True)).to_be_visible()
    page.get_by_text("All prices", exact=True).click()
    expect(page).to_have_url(re.compile("axis=all"))
    expect(chart.get_by_text("▲ 500.10")).to_have_count(0)
    assert max(price_labels(chart)) >= 500
