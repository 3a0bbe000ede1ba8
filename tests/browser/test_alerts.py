"""The alerts page in a real browser."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from infra.embedded.stack import EmbeddedStack
from services.common.elastic.client import Elasticsearch, new_client
from services.contracts.alert import Alert
from services.review.case import (
    Action,
    Case,
    Step,
)
from services.review.cases import (
    cases_of,
    take_step,
)
from services.review.history import Person
from services.review.verdicts import verdicts_of
from tests.browser.alerts import EVIL_MESSAGE, FIRST, indexed_alerts, remove_alerts
from tests.browser.conftest import OpenPage
from tests.browser.one_anomaly import indexed


@pytest.fixture(scope="module")
def client(stack: EmbeddedStack) -> Iterator[Elasticsearch]:
    with new_client(stack.elasticsearch_url) as opened:
        yield opened


@pytest.fixture(scope="module")
def anomalies(client: Elasticsearch) -> Iterator[None]:
    with indexed(client):
        yield


@pytest.fixture
def alerts(client: Elasticsearch, anomalies: None) -> Iterator[list[Alert]]:
    with indexed_alerts(client) as made:
        yield made


@pytest.fixture
def page(open_page: OpenPage, dashboard_url: str, alerts: list[Alert]) -> Iterator[Page]:
    page = open_page(f"{dashboard_url}/alerts")
    expect(page.get_by_text("4 alerts")).to_be_visible()
    yield page
    expect(page.get_by_test_id("stException")).to_have_count(0)


def case_of(client: Elasticsearch, alert: Alert) -> Case:
    return cases_of(client, [alert.alert_id]).get(alert.alert_id, Case())


def test_without_alerts_the_page_says_how_to_get_some_and_shows_the_first_by_itself(
    open_page: OpenPage, dashboard_url: str, client: Elasticsearch, anomalies: None
) -> None:
    remove_alerts(client)
    page = open_page(f"{dashboard_url}/alerts")
    expect(page.get_by_text("No alerts yet: start")).to_be_visible()
    expect(page.locator("code", has_text="tapewatch index")).to_be_visible()
    with indexed_alerts(client):
        expect(page.get_by_text("4 alerts")).to_be_visible()


@pytest.mark.slow
def test_the_navigation_tells_how_many_alerts_are_open(page: Page) -> None:
    counted = page.get_by_role("link", name="Alerts (4)")
    for _ in range(10):  # the number is some seconds old
        page.wait_for_timeout(1_000)
        if counted.is_visible():
            return
        page.reload()
    expect(counted).to_be_visible()


def test_keys_move_acknowledge_and_open(page: Page, client: Elasticsearch, alerts: list[Alert]) -> None:
    page.get_by_label("Your name").fill("Kim")
    page.get_by_label("Your name").press("Enter")
    page.get_by_text("4 alerts").click()
    page.keyboard.press("j")
    expect(page.get_by_text("Chosen: LOOK")).to_be_visible()
    page.keyboard.press("j")
    expect(page.get_by_text("Chosen: NVDA")).to_be_visible()
    page.keyboard.press("a")
    expect(page.get_by_text("Acknowledged: NVDA")).to_be_visible()
    # The newest first: the second row is the NVDA one, as the withdrawn one is not listed.
    (entry,) = case_of(client, alerts[2]).entries
    assert (entry.action, entry.recorded_by, entry.signed_in) == (Action.ACKNOWLEDGED, "Kim", False)
    page.keyboard.press("o")
    expect(page).to_have_url(re.compile(rf"alerts\?id={alerts[2].alert_id}$"))
    expect(page.get_by_text(EVIL_MESSAGE).first).to_be_visible()
    expect(page.get_by_text("acknowledged it")).to_be_visible()
    assert page.locator("img[src=x]").count() == 0
    assert page.title() == "NVDA alert · Tapewatch"


@pytest.mark.slow
def test_what_is_chosen_stays_in_the_address(page: Page, open_page: OpenPage) -> None:
    page.get_by_role("radio", name="Closed").click()
    expect(page.get_by_text("No closed alert fits")).to_be_visible()
    expect(page).to_have_url(re.compile(r"show=closed$"))
    page.goto(f"{page.url.partition('?')[0]}?severity=high&symbol=BTC-USD,NONE&show=nonsense")
    expect(page.get_by_text("1 alert", exact=True)).to_be_visible()
    expect(page.get_by_text("Ignored invalid URL parameters: show")).to_be_visible()


@pytest.mark.slow
def test_an_alert_is_worked_on_until_it_is_closed(
    page: Page, dashboard_url: str, client: Elasticsearch
) -> None:
    page.goto(f"{dashboard_url}/alerts?id={FIRST.alert_id}")
    expect(page.get_by_text("Nobody has worked on it yet.")).to_be_visible()
    expect(page.get_by_test_id("stVegaLiteChart")).to_have_count(2)
    expect(page.get_by_text("How it was sent")).to_be_visible()
    expect(page.get_by_role("link", name="Open in Kibana")).to_have_count(0)
    page.get_by_label("Your name").fill("Kim")
    page.get_by_label("Your name").press("Enter")
    comment = page.get_by_role("textbox", name="Comment")
    comment.fill("Looks like an auction.")
    # Somebody else is quicker.
    take_step(client, FIRST, Case(), Step(Action.ACKNOWLEDGED), Person("Lee", signed_in=True))
    page.get_by_role("button", name="Comment").click()
    expect(page.get_by_text("Lee acknowledged it at")).to_be_visible()
    expect(comment).to_have_value("Looks like an auction.")
    page.get_by_role("button", name="Comment").click()
    expect(page.get_by_text("commented", exact=False).first).to_be_visible()
    expect(comment).to_have_value("")
    page.get_by_role("radio", name="False alarm").click()
    page.get_by_role("button", name="Close").click()
    expect(page.get_by_text("closed it as false alarm")).to_be_visible()
    assert [one.action for one in case_of(client, FIRST).entries] == ["acknowledged", "commented", "closed"]
    assert verdicts_of(client, ["look-100"])["look-100"].verdict == "false alarm"
    page.get_by_role("button", name="All alerts").click()
    expect(page.get_by_text("3 alerts")).to_be_visible()


@pytest.mark.slow
def test_a_narrow_window_folds_the_filters_into_a_line(
    narrow: BrowserContext, dashboard_url: str, alerts: list[Alert]
) -> None:
    page = narrow.new_page()
    page.goto(f"{dashboard_url}/alerts?show=unassigned")
    expect(page.get_by_text("unassigned · no name")).to_be_visible()
    name = page.get_by_label("Your name")
    expect(name).to_be_hidden()
    page.get_by_text("Filters", exact=True).click()
    name.fill("Kim")
    name.press("Enter")
    expect(page.get_by_text("unassigned · Kim")).to_be_visible()
    assert page.evaluate("document.querySelector('[data-testid=stMain]').scrollWidth") <= 420
