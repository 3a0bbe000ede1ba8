"""The frame of every page in a real browser: the clock, the chosen time zone, views, the wall, and narrow."""

import datetime as dt
import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
from playwright.sync_api import Browser, BrowserContext, Locator, Page, expect

from dashboard.server.tape_end import find_tape_end
from infra.embedded.ports import free_port
from infra.embedded.stack import EmbeddedStack
from services.common.elastic.client import Elasticsearch, new_client
from services.contracts.indices import VIEWS_INDEX
from tests.browser.conftest import TIMEOUT_MS, OpenPage, serve
from tests.browser.tape import MAIN, Document

PAGES = ("/", "/alerts", "/search", "/tuning", "/health", "/anomaly?id=test-0")
FUTURE = dt.datetime(2040, 1, 5, tzinfo=dt.UTC)
HOSTILE = '<img src=x onerror="document.title=1"> **b** /../?view=x&y'


NOTE_REMOVALS = """() => {
  window.removed = [];
  new MutationObserver((changes) => changes.forEach((change) => change.removedNodes.forEach((node) => {
    if (node.nodeType === 1) window.removed.push(node.outerHTML.slice(0, 200));
  }))).observe(document.querySelector("[data-testid=stMain]"), { childList: true, subtree: true });
}"""
"""Notes the elements that are taken away, as are those that are drawn anew."""


@pytest.fixture
def client(stack: EmbeddedStack, tape: list[Document]) -> Iterator[Elasticsearch]:
    with new_client(stack.elasticsearch_url) as opened:
        yield opened


@pytest.fixture
def trade_now(client: Elasticsearch, tape: list[Document]) -> Iterator[Document]:
    """Indexes a trade of three minutes ago; the test may index others in the same index."""
    index = "trades-2039.01.01"  # the name says nothing to Elasticsearch
    client.indices.delete(index=index, ignore_unavailable=True)
    trade = tape[0] | {"@timestamp": _ago(180), "trade_id": "now"}
    trade.pop("_anomaly", None)
    client.index(index=index, id="now", document=trade, refresh=True)
    yield trade
    client.indices.delete(index=index)


def _ago(seconds: float) -> str:
    return (dt.datetime.now(dt.UTC) - dt.timedelta(seconds=seconds)).isoformat()


def clock_of(page: Page) -> Locator:
    return page.locator(".st-key-frame-clock")


def first_time(page: Page) -> Locator:
    return page.locator(".tw-list tbody tr").first


@pytest.fixture
def today_url(stack: EmbeddedStack, tmp_path: Path) -> Iterator[str]:
    """A dashboard for which days ahead of the clock are no sessions."""
    with serve(stack.elasticsearch_url, tmp_path, TAPEWATCH_AHEAD_DAYS="0") as (url, _):
        yield url


def test_the_tapes_end_is_the_newest_trade_that_is_not_of_the_future(
    client: Elasticsearch, trade_now: Document, monkeypatch: pytest.MonkeyPatch
) -> None:
    ahead = find_tape_end(client, dt.datetime.now(dt.UTC))
    assert (ahead.newest and ahead.newest.date(), ahead.future) == (FUTURE.date(), None)
    monkeypatch.setenv("TAPEWATCH_AHEAD_DAYS", "0")
    end = find_tape_end(client, dt.datetime.now(dt.UTC))
    # Another test may index trades of now in the same moment.
    assert end.newest is not None
    assert dt.datetime.fromisoformat(trade_now["@timestamp"]) <= end.newest <= dt.datetime.now(dt.UTC)
    assert end.future is not None
    assert end.future.date() == FUTURE.date()
    assert end.trades <= client.count(index="trades-*")["count"]


@pytest.mark.slow
def test_the_clock_turns_amber_when_the_tape_stops_and_calm_when_it_runs(
    client: Elasticsearch, trade_now: Document, open_page: OpenPage, today_url: str
) -> None:
    page = open_page(f"{today_url}/health")
    expect(clock_of(page)).to_contain_text("no trade for 3 min")
    amber = clock_of(page).locator("span", has_text="no trade for").last
    assert amber.evaluate("e => getComputedStyle(e).color") != page.locator("h3").first.evaluate(
        "e => getComputedStyle(e).color"
    )
    clock_of(page).get_by_role("button").click()
    expect(page.get_by_text(f"{FUTURE:%Y-%m-%d}", exact=False).last).to_contain_text("not counted here")
    client.index(
        index="trades-2039.01.01",
        document=trade_now | {"@timestamp": _ago(0), "trade_id": "newer"},
        refresh=True,
    )
    expect(clock_of(page)).to_contain_text(re.compile(r"\d+ s behind"))
    expect(page.get_by_text("Newest trade", exact=True)).to_be_visible()


@pytest.mark.slow
def test_the_clock_says_that_elasticsearch_is_away(
    open_page: OpenPage, tmp_path: Path, window: object
) -> None:
    with serve(f"http://127.0.0.1:{free_port()}", tmp_path) as (url, _):
        page = open_page(f"{url}/health")
        expect(clock_of(page)).to_contain_text("Elasticsearch does not answer")


@pytest.mark.slow
def test_a_clock_that_is_chosen_once_is_that_of_every_page_and_of_the_next_visit(
    browser: Browser, dashboard_url: str, tape: list[Document]
) -> None:
    context = browser.new_context(viewport={"width": 1400, "height": 1400}, timezone_id="Asia/Tokyo")
    context.set_default_timeout(TIMEOUT_MS)
    page = context.new_page()
    page.goto(f"{dashboard_url}/search?from=2040-01-04T14:30&symbol=MAIN")
    newest = max(trade["@timestamp"] for trade in tape if trade["symbol"] == "MAIN" and "_anomaly" in trade)
    utc = dt.datetime.fromisoformat(newest[:26] + "+00:00")
    expect(first_time(page)).to_contain_text(f"{utc:%H:%M:%S}")
    page.locator(".st-key-frame-menu").get_by_role("button").click()
    page.get_by_text("Exchange: New York").click()
    here = utc - dt.timedelta(hours=5)
    expect(first_time(page)).to_contain_text(f"{here:%H:%M:%S}")
    expect(page.get_by_text("From (New York)")).to_be_visible()
    expect(page).to_have_url(re.compile("tz=exchange"))
    assert "from=2040-01-04T14%3A30" in page.url  # the same time, by another clock
    page.keyboard.press("Escape")
    page.get_by_role("link", name="Overview").click()
    expect(page.get_by_text("Time (New York)").first).to_be_visible()
    page.close()
    again = context.new_page()
    again.goto(f"{dashboard_url}/search?symbol=MAIN")
    expect(again.get_by_text("From (New York)")).to_be_visible()
    again.goto(f"{dashboard_url}/search?symbol=MAIN&tz=local")
    there = utc + dt.timedelta(hours=9)
    expect(first_time(again)).to_contain_text(f"{there:%H:%M:%S}")
    again.goto(f"{dashboard_url}/search?symbol=MAIN")
    expect(again.get_by_text("From (New York)")).to_be_visible()  # a link is not remembered
    context.close()


@pytest.mark.slow
def test_a_view_is_saved_opened_by_its_name_and_deleted(
    client: Elasticsearch, open_page: OpenPage, dashboard_url: str
) -> None:
    client.indices.delete(index=VIEWS_INDEX, ignore_unavailable=True)
    page = open_page(f"{dashboard_url}/search?symbol=MAIN&severity=high")
    menu = page.locator(".st-key-frame-views").get_by_role("button").first
    menu.click()
    page.get_by_label("Your name").fill("Ann")
    page.get_by_label("Name of this view").fill(HOSTILE)
    page.get_by_label("Name of this view").press("Enter")
    page.get_by_role("button", name="Save this view").click()
    expect(page.get_by_role("button", name="Replace this view")).to_be_visible()
    expect(page.get_by_test_id("stText").get_by_text(HOSTILE)).to_be_visible()
    assert page.locator("img[src=x]").count() == 0
    page.goto(f"{dashboard_url}/?view={quote(HOSTILE, safe='')}")
    expect(page).to_have_url(re.compile("/search.*severity=high"))
    assert "symbol=MAIN" in page.url
    expect(page.get_by_role("combobox", name="Symbols")).to_be_visible()
    page.locator(".st-key-frame-views").get_by_role("button").first.click()
    page.get_by_label("Your name").fill("Bob")
    page.get_by_label("Your name").press("Enter")
    page.get_by_role("button", name="Delete").click()
    expect(page.get_by_text("No view is saved yet.", exact=False)).to_be_visible()
    page.goto(f"{dashboard_url}/?view={quote(HOSTILE, safe='')}")
    expect(page.get_by_text("There is no view of this name.")).to_be_visible()
    client.indices.delete(index=VIEWS_INDEX, ignore_unavailable=True)


def test_a_wall_screen_has_the_clock_and_nothing_to_click(
    open_page: OpenPage, dashboard_url: str, tape: list[Document]
) -> None:
    page = open_page(f"{dashboard_url}/search?wall&symbol=MAIN")
    expect(first_time(page)).to_contain_text("MAIN")
    expect(clock_of(page)).to_contain_text(re.compile("trade|replaying|behind"))
    expect(page.get_by_role("combobox", name="Symbols")).to_be_hidden()
    expect(page.get_by_role("link", name="Alerts")).to_be_hidden()
    expect(page).to_have_url(re.compile("wall=on"))
    # The clock itself, and headings that take no clicks.
    assert page.locator("button:visible:not(.tw-list button)").count() <= 1
    assert page.locator(".tw-list").evaluate("list => getComputedStyle(list).pointerEvents") == "none"
    assert page.evaluate("document.querySelector('[data-testid=stMain]').scrollWidth") <= 1400


@pytest.mark.slow
def test_on_a_wall_no_chart_blinks_at_one_refresh_a_second(
    open_page: OpenPage, stack: EmbeddedStack, tape: list[Document], tmp_path: Path
) -> None:
    with serve(stack.elasticsearch_url, tmp_path, TAPEWATCH_REFRESH_S="1") as (url, _):
        page = open_page(f"{url}/?wall&symbol=MAIN")
        charts = page.get_by_test_id("stVegaLiteChart").locator("svg.marks")
        expect(charts).to_have_count(2)
        page.wait_for_timeout(2_000)
        page.evaluate(NOTE_REMOVALS)
        page.wait_for_timeout(12_000)
        assert page.evaluate("window.removed") == []


@pytest.mark.slow
@pytest.mark.parametrize("path", PAGES)
def test_nothing_scrolls_sideways_in_a_narrow_window_and_the_navigation_is_folded(
    path: str, narrow: BrowserContext, dashboard_url: str, tape: list[Document]
) -> None:
    page = narrow.new_page()
    page.goto(dashboard_url + path)
    pages = page.locator(".st-key-frame-pages").get_by_role("button")
    expect(pages).to_be_visible()
    page.wait_for_function("!document.querySelector('[data-testid=stSkeleton]')")
    page.wait_for_timeout(1000)
    assert page.evaluate("document.querySelector('[data-testid=stMain]').scrollWidth") <= 420
    assert page.locator(".st-key-frame-header").bounding_box()["height"] < 110  # type: ignore[index]
    pages.click()
    expect(page.get_by_role("link", name="Search").last).to_be_visible()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("path", "chosen", "control"),
    [
        ("/?severity=high", "high", "Labels"),
        (f"/?symbol={MAIN}&label=Burst", f"{MAIN} · Wed 4 Jan 2040 · Burst", "Severity"),
        (f"/tuning?symbol={MAIN}", f"{MAIN} · Wed 4 Jan 2040 · default", "Profile"),
    ],
)
def test_a_narrow_window_folds_filters_into_a_line_that_says_what_is_chosen(
    path: str, chosen: str, control: str, narrow: BrowserContext, dashboard_url: str, tape: list[Document]
) -> None:
    page = narrow.new_page()
    page.goto(dashboard_url + path)
    expect(page.locator("[class*='-fold']").get_by_text(chosen)).to_be_visible()
    one = page.get_by_role("combobox", name=control)
    expect(one).to_be_hidden()
    page.get_by_text("Filters", exact=True).click()
    expect(one).to_be_visible()
    assert page.evaluate("document.querySelector('[data-testid=stMain]').scrollWidth") <= 420


@pytest.mark.slow
@pytest.mark.parametrize("path", PAGES)
def test_every_page_explains_its_words(
    path: str, open_page: OpenPage, dashboard_url: str, tape: list[Document]
) -> None:
    page = open_page(dashboard_url + path)
    page.locator(".st-key-frame-help").get_by_role("button").click()
    expect(page.get_by_text("More in docs/", exact=False)).to_be_visible()


STAND_IN = """
window.shown = [];
window.Notification = class {
  static permission = "default";
  static requestPermission() {
    window.Notification.permission = "granted";
    return Promise.resolve("granted");
  }
  constructor(title, options) { window.shown.push(title + " | " + options.body); }
};
"""
"""For the browser's own, which a headless one does not have: notes what would be shown."""


@pytest.mark.slow
def test_each_new_urgent_anomaly_is_told_once_to_whoever_asked_for_it(
    client: Elasticsearch, open_page: OpenPage, dashboard_url: str, tape: list[Document]
) -> None:
    index = "anomalies-2039.01"
    page = open_page("about:blank")
    page.add_init_script(STAND_IN)
    page.goto(f"{dashboard_url}/health")
    page.locator(".st-key-frame-menu").get_by_role("button").click()
    page.get_by_text("critical and high", exact=True).click()
    page.wait_for_function("Notification.permission === 'granted'")
    trade = {name: value for name, value in tape[0].items() if name != "_anomaly"}
    for number, severity in enumerate(("high", "low", "critical")):
        fields = tape[0]["_anomaly"] | {
            "trade_id": f"new-{number}",
            "severity": severity,
            "message": HOSTILE,
            "detected_at": _ago(-number),
        }
        client.index(index=index, id=f"new-{number}", document=trade | fields, refresh=True)
    expected = [f"High: MAIN | {HOSTILE}", f"Critical: MAIN | {HOSTILE}"]
    page.wait_for_function("window.shown.length >= 2")
    page.wait_for_timeout(6000)
    assert page.evaluate("window.shown") == expected
    client.indices.delete(index=index)
