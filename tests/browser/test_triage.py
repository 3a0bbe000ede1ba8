"""Anomalies worked through from a list: by keys alone, several at once, one after the other."""

import re
from collections.abc import Iterator
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Browser, BrowserContext, Locator, Page, expect

from infra.embedded.stack import EmbeddedStack
from services.common.elastic.client import Elasticsearch, new_client
from services.review.verdicts import Decision, record, verdicts_of
from tests.browser.conftest import TIMEOUT_MS, OpenPage
from tests.browser.one_anomaly import ITSELF, indexed
from tests.browser.tape import MAIN, Document

HIGHEST = f"/search?symbol={MAIN}&sort=score"
EVIL_NAME = "Kim; path=/x <b>%41</b> 'é"


@pytest.fixture(scope="module")
def client(stack: EmbeddedStack) -> Iterator[Elasticsearch]:
    with new_client(stack.elasticsearch_url) as opened:
        yield opened


@pytest.fixture
def ranked(client: Elasticsearch, tape: list[Document]) -> Iterator[list[Document]]:
    """The anomalies of the main symbol, the highest score first, without a verdict."""
    client.indices.delete(index="verdicts", ignore_unavailable=True)
    found = [trade | trade["_anomaly"] for trade in tape if "_anomaly" in trade and trade["symbol"] == MAIN]
    yield sorted(found, key=lambda one: (-one["score"], one["trade_id"]))
    client.indices.delete(index="verdicts", ignore_unavailable=True)


@pytest.fixture
def page(open_page: OpenPage, dashboard_url: str, ranked: list[Document]) -> Iterator[Page]:
    page = open_page(f"{dashboard_url}{HIGHEST}")
    expect(row_of(page, ranked[0])).to_be_visible()
    expect(page.get_by_label("Words in the message")).to_be_visible()
    yield page
    expect(page.get_by_test_id("stException")).to_have_count(0)


def row_of(page: Page, anomaly: Document) -> Locator:
    return page.locator(f".tw-list tr[data-id='{anomaly['trade_id']}']")


def give_name(page: Page, name: str) -> None:
    page.get_by_label("Your name").fill(name)
    page.keyboard.press("Enter")
    page.keyboard.press("Escape")
    # The run that takes the name begins a moment later, and draws again what stands below it.
    page.wait_for_timeout(500)
    page.wait_for_selector("[data-testid=stApp][data-test-script-state=notRunning]")


@pytest.mark.slow
def test_ten_anomalies_are_worked_through_by_keys_alone(
    page: Page, client: Elasticsearch, ranked: list[Document]
) -> None:
    keys = page.keyboard
    keys.press("?")
    expect(page.get_by_role("dialog", name="Keys of this page")).to_be_visible()
    keys.press("Escape")
    expect(page.get_by_role("dialog", name="Keys of this page")).to_be_hidden()
    keys.press("/")
    expect(page.get_by_label("Words in the message")).to_be_focused()
    keys.press("Escape")
    keys.press("j")
    expect(row_of(page, ranked[0])).to_have_attribute("aria-selected", "true")
    name = page.get_by_label("Your name")
    expect(name).to_be_visible()
    for _ in range(80):
        if name.evaluate("field => field === document.activeElement"):
            break
        keys.press("Tab")
    expect(name).to_be_focused()
    keys.type("Kim")
    keys.press("Enter")
    keys.press("Escape")
    decisions = [Decision.CONFIRMED if number % 2 else Decision.FALSE_ALARM for number in range(10)]
    for number, decision in enumerate(decisions):
        if number == 5:
            # The others follow on their own pages.
            keys.press("o")
            expect(page.get_by_text("Why it was flagged")).to_be_visible()
        if number:
            keys.press("j")
        shown = "id" if number >= 5 else "selected"
        expect(page).to_have_url(re.compile(rf"[?&]{shown}={ranked[number]['trade_id']}(&|$)"))
        expect(page.get_by_text("No verdict has been recorded yet.")).to_be_visible()
        keys.press("y" if decision is Decision.CONFIRMED else "n")
        expect(page.get_by_text("Recorded.")).to_be_visible()
    keys.press("u")
    expect(row_of(page, ranked[9])).to_have_attribute("aria-selected", "true")
    stored = verdicts_of(client, [one["trade_id"] for one in ranked[:11]])
    assert {key: (one.verdict, one.recorded_by) for key, one in stored.items()} == {
        one["trade_id"]: (str(decision), "Kim") for one, decision in zip(ranked[:10], decisions, strict=True)
    }


@pytest.mark.slow
def test_ticked_rows_get_one_verdict_but_none_over_somebody_elses(
    page: Page, client: Elasticsearch, ranked: list[Document]
) -> None:
    for one in ranked[:3]:
        row_of(page, one).get_by_role("checkbox").check()
    expect(page.get_by_text("3 ticked")).to_be_visible()
    give_name(page, "Kim")
    page.get_by_label("One comment for all of them").fill("an auction")
    expect(page.get_by_role("button", name="False alarm: 3")).to_be_visible()
    record(client, ranked[1], Decision.CONFIRMED, "seen", "Lee")
    page.get_by_role("button", name="False alarm: 3").click()
    expect(page.get_by_text("Not recorded: 1 of 3.")).to_be_visible()
    expect(page.get_by_text("Lee has said “confirmed” since.")).to_be_visible()
    expect(row_of(page, ranked[1])).to_contain_text("confirmed")
    stored = verdicts_of(client, [one["trade_id"] for one in ranked[:4]])
    assert [stored[one["trade_id"]].verdict for one in ranked[:3]] == [
        "false alarm",
        "confirmed",
        "false alarm",
    ]
    assert stored[ranked[0]["trade_id"]].comment == "an auction"
    assert len(stored) == 3
    page.get_by_role("button", name="False alarm: 1").click()
    expect(page.get_by_text("Recorded as false alarm: 1.")).to_be_visible()
    assert verdicts_of(client, [ranked[1]["trade_id"]])[ranked[1]["trade_id"]].recorded_by == "Kim"
    expect(page.get_by_role("checkbox", name="Tick this row").first).not_to_be_checked()


def test_the_page_of_an_anomaly_goes_on_in_the_order_of_its_list(
    page: Page, ranked: list[Document], dashboard_url: str
) -> None:
    row_of(page, ranked[1]).get_by_role("link", name="Open").click()
    expect(page.get_by_text(f"2 of {len(ranked)} of the list")).to_be_visible()
    label = ranked[1]["anomalies"][0]
    minute = ranked[1]["@timestamp"][11:16]
    page.wait_for_function(f"document.title === '{MAIN} {minute} {label} · Tapewatch'")
    assert parse_qs(urlsplit(page.url).query)["list"] == [f"symbol={MAIN}&sort=score"]
    page.get_by_role("button", name="Previous").click()
    expect(page.get_by_text(f"1 of {len(ranked)} of the list")).to_be_visible()
    expect(page.get_by_role("button", name="Previous")).to_be_disabled()
    # In a new tab, from its address alone.
    page.goto(page.url)
    expect(page.get_by_text(f"1 of {len(ranked)} of the list")).to_be_visible()
    page.get_by_role("button", name="Next").click()
    expect(page).to_have_url(re.compile(rf"id={ranked[1]['trade_id']}"))
    page.goto(f"{dashboard_url}/anomaly?id={ranked[0]['trade_id']}&list=nonsense")
    expect(page.get_by_text("Ignored invalid URL parameters: list.")).to_be_visible()
    expect(page.get_by_text(f"of {len(ranked)} of {MAIN} by time")).to_be_visible()


@pytest.mark.slow
def test_the_name_is_remembered_by_the_browser(
    browser: Browser, dashboard_url: str, client: Elasticsearch
) -> None:
    context = browser.new_context(viewport={"width": 1400, "height": 900})
    context.set_default_timeout(TIMEOUT_MS)
    with indexed(client):
        page = context.new_page()
        page.goto(f"{dashboard_url}/anomaly?id={ITSELF}")
        give_name(page, EVIL_NAME)
        page.wait_for_function("document.cookie.includes('tapewatch_name=')")
        page.reload()
        expect(page.get_by_label("Your name")).to_have_value(EVIL_NAME)
        other = context.new_page()
        other.goto(f"{dashboard_url}/anomaly?id={ITSELF}")
        expect(other.get_by_label("Your name")).to_have_value(EVIL_NAME)
        give_name(other, "")
        other.wait_for_function("!document.cookie.includes('tapewatch_name=')")
    context.close()


@pytest.mark.slow
def test_no_table_saves_itself_as_a_file_without_protection(
    open_page: OpenPage, dashboard_url: str, client: Elasticsearch
) -> None:
    with indexed(client):
        page = open_page(f"{dashboard_url}/anomaly?id={ITSELF}")
        table = page.locator("[data-testid=stDataFrame]:visible").first
        table.hover()
        expect(page.get_by_role("button", name="Fullscreen").first).to_be_visible()
        expect(page.get_by_role("button", name="Download as CSV")).to_have_count(0)


@pytest.mark.slow
def test_a_narrow_window_folds_the_filters_and_has_a_card_for_each_anomaly(
    narrow: BrowserContext, dashboard_url: str, ranked: list[Document]
) -> None:
    page = narrow.new_page()
    page.goto(f"{dashboard_url}{HIGHEST}")
    first = row_of(page, ranked[0])
    for text in (ranked[0]["severity"], f"{ranked[0]['score']:.3f}", ranked[0]["message"]):
        expect(first.get_by_text(text, exact=True)).to_be_visible()
    expect(page.get_by_role("combobox", name="Symbols")).to_be_hidden()
    box = first.bounding_box()
    assert box is not None
    assert box["y"] < 450
    assert box["x"] + box["width"] <= 420
    assert page.evaluate("document.documentElement.scrollWidth") <= 420
    page.get_by_text("Filters", exact=True).click()
    expect(page.get_by_role("combobox", name="Symbols")).to_be_visible()
