"""The page of one anomaly in a real browser."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from infra.embedded.stack import EmbeddedStack
from services.common.elastic.client import Elasticsearch, new_client
from services.review.verdicts import Decision, record, verdicts_of
from tests.browser.conftest import OpenPage
from tests.browser.one_anomaly import EVIL_REASON, ITSELF, Document, indexed


@pytest.fixture(scope="module")
def client(stack: EmbeddedStack) -> Iterator[Elasticsearch]:
    with new_client(stack.elasticsearch_url) as opened:
        yield opened


@pytest.fixture(scope="module")
def anomaly(client: Elasticsearch) -> Iterator[Document]:
    with indexed(client) as (_, anomalies):
        yield anomalies[2]


@pytest.fixture
def page(open_page: OpenPage, dashboard_url: str, anomaly: Document) -> Iterator[Page]:
    page = open_page(f"{dashboard_url}/anomaly?id={ITSELF}")
    expect(page.get_by_text("Earlier anomalies of the same kind")).to_be_visible()
    yield page
    expect(page.get_by_test_id("stException")).to_have_count(0)


def test_the_page_shows_the_reason_and_every_number(page: Page, anomaly: Document) -> None:
    expect(page.get_by_text(anomaly["message"])).to_be_visible()
    row = page.locator("tr", has_text="51.25")
    for text in ("Off-Market Price price per share", "51.25", "50.00", "50.75", "0.875"):
        expect(row.get_by_role("cell", name=text, exact=True)).to_be_visible()
    bars = page.get_by_test_id("stVegaLiteChart").first.locator(".mark-rect path")
    expect(bars).to_have_count(2)
    for name, value in (("Time (UTC)", "2039-12-05 15:00:00.050"), ("Source", "test")):
        expect(page.get_by_text(f"{name}{value}", exact=True)).to_be_visible()


def test_what_comes_from_the_data_is_text(page: Page) -> None:
    expect(page.get_by_text(EVIL_REASON)).to_be_visible()
    assert page.locator("img[src=x]").count() == 0
    assert page.title() == "LOOK 15:00 Off-Market Price · Tapewatch"


def test_the_command_that_judges_it_again_can_be_copied(page: Page) -> None:
    page.get_by_role("button", name="Judge it again").click()
    expect(page.get_by_text(f"tapewatch reproduce {ITSELF}", exact=True)).to_be_visible()


def test_a_trade_that_is_no_anomaly_leads_to_the_command_too(open_page: OpenPage, dashboard_url: str) -> None:
    page = open_page(f"{dashboard_url}/anomaly?id=2-1-20390101-7")
    expect(page.get_by_text("tapewatch reproduce 2-1-20390101-7", exact=True)).to_be_visible()


@pytest.mark.slow
def test_more_trades_around_it_stay_in_the_address(page: Page) -> None:
    dots = page.get_by_test_id("stVegaLiteChart").nth(2).locator(".mark-rect path")
    expect(dots).to_have_count(41)
    page.get_by_role("radio", name="50").click()
    expect(dots).to_have_count(101)
    expect(page).to_have_url(re.compile(rf"id={ITSELF}&around=50$"))
    page.reload()
    expect(dots).to_have_count(101)


@pytest.mark.slow
def test_a_verdict_is_recorded_over_another_and_withdrawn(
    page: Page, client: Elasticsearch, anomaly: Document
) -> None:
    expect(page.get_by_text("No verdict has been recorded yet.")).to_be_visible()
    page.get_by_label("Comment").fill("**Not** <i>one</i>")
    page.get_by_role("button", name="False alarm").click()
    expect(page.get_by_text("Nothing is recorded without a name.")).to_be_visible()
    page.get_by_label("Your name").fill("Kim")
    page.keyboard.press("Enter")
    record(client, anomaly, Decision.CONFIRMED, "", "Lee")
    page.get_by_role("button", name="False alarm").click()
    expect(page.get_by_text("It replaces “confirmed” by Lee")).to_be_visible()
    expect(page.get_by_label("Comment")).to_have_count(1)  # the one that was stored is gone
    expect(page.get_by_label("Comment")).to_have_value("")
    expect(page.get_by_text("**Not** <i>one</i>").first).to_be_visible()
    assert verdicts_of(client, [ITSELF])[ITSELF].verdict == "false alarm"
    page.get_by_role("button", name="Withdraw verdict").click()
    expect(page.get_by_text("No verdict counts now")).to_be_visible()
    assert verdicts_of(client, [ITSELF]) == {}


def test_unknown_id_is_reported_and_another_can_be_given(open_page: OpenPage, dashboard_url: str) -> None:
    page = open_page(f"{dashboard_url}/anomaly?id=%3Cb%3Enosuch%3C%2Fb%3E%22*")
    expect(page.get_by_text("No anomaly with this id is indexed.")).to_be_visible()
    expect(page.get_by_text('<b>nosuch</b>"*')).to_be_visible()
    box = page.get_by_label("Trade id of the anomaly")
    box.fill(ITSELF)
    box.press("Enter")
    expect(page.get_by_text("Why it was flagged")).to_be_visible()
    expect(page).to_have_url(re.compile(rf"\?id={ITSELF}$"))


def test_without_an_id_the_page_asks_for_one(open_page: OpenPage, dashboard_url: str) -> None:
    page = open_page(f"{dashboard_url}/anomaly")
    expect(page.get_by_label("Trade id of the anomaly")).to_be_visible()
