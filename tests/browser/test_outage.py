"""Elasticsearch that goes away and comes back, in a real browser: nothing that was shown or typed is lost."""

import datetime as dt
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urljoin, urlsplit

import pytest
from elasticsearch import Elasticsearch
from playwright.sync_api import Page, expect

from dashboard.server.answers import SHARED_FOR_S
from dashboard.settings import DashboardSettings
from infra.embedded.stack import EmbeddedStack
from services.common.elastic.client import new_client
from services.contracts.indices import TRADES_INDICES
from services.review.verdicts import verdicts_of
from tests.alerts import changed
from tests.browser.alerts import FIRST, index_alerts, indexed_alerts, make_alerts
from tests.browser.alerts import INDICES as ALERT_INDICES
from tests.browser.conftest import OpenPage, serve
from tests.browser.one_anomaly import INDICES as ONE_ANOMALYS
from tests.browser.one_anomaly import ITSELF, indexed, make_documents
from tests.browser.symbol_page import main_trades
from tests.browser.tape import MAIN, Document, index_trades, time_of
from tests.browser.visitors import visited
from tests.standins.elastic_proxy import ElasticProxy, elastic_proxy

REFRESH_S = 1.0
PATIENCE_MS = 60_000.0
AGE = re.compile(r"Elasticsearch has not answered since \d\d:\d\d:\d\d UTC \(\d+ s ago\)")
PAGES = {
    "/": "Symbols, the worst first",
    f"/?symbol={MAIN}": "Anomalies per 1,000 trades",
    "/alerts": "Show",
    f"/alerts?id={FIRST.alert_id}": "How it was sent",
    "/search": "Words in the message",
    f"/tuning?symbol={MAIN}": "are read once and kept",
    "/health": "Newest (UTC)",
    f"/anomaly?id={ITSELF}": "Earlier anomalies of the same kind",
}
"""By address, what stands on the page when it has its data."""
NEW = "It came while Elasticsearch was away."
NEWS = dict.fromkeys(PAGES, NEW) | {
    "/alerts": "The list has changed: show it again",
    f"/tuning?symbol={MAIN}": "Read {main:,} trades",
    "/health": "{trades:,}",
}
"""By address, what stands there besides when the documents of `arrived` are."""
REFRESH_THEMSELVES = ("/", f"/?symbol={MAIN}", "/alerts", "/health")
"""The other pages ask when they are opened, or used."""
SOON_MS = 1000 * (2 * REFRESH_S + 8)
"""Two refreshes, and what a slow machine takes to ask, to send and to draw."""


@pytest.fixture(scope="module")
def client(stack: EmbeddedStack, tape: list[Document]) -> Iterator[Elasticsearch]:
    with new_client(stack.elasticsearch_url) as client, indexed(client), indexed_alerts(client):
        yield client


@pytest.fixture(scope="module")
def proxy(stack: EmbeddedStack, client: Elasticsearch) -> Iterator[ElasticProxy]:
    with elastic_proxy(stack.elasticsearch_url) as proxy:
        yield proxy


@pytest.fixture(scope="module")
def url(proxy: ElasticProxy, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A dashboard behind the proxy."""
    folder = tmp_path_factory.mktemp("outage")
    with serve(proxy.url, folder, TAPEWATCH_REFRESH_S=f"{REFRESH_S:g}") as (url, _):
        yield url


@pytest.fixture(autouse=True)
def well_again(proxy: ElasticProxy) -> Iterator[None]:
    yield
    proxy.is_away, proxy.status = False, None


def expect_data(page: Page, path: str) -> None:
    # In a table, which is a picture, the text is there for screen readers alone.
    expect(page.get_by_text(PAGES[path]).first).to_be_attached(timeout=PATIENCE_MS)


@contextmanager
def arrived(client: Elasticsearch, tape: list[Document]) -> Iterator[dict[str, int]]:
    """Index what every page shows until the end of the block: prints with anomalies, and alerts.

    Yields
    ------
    dict
        How many trades there are then: `trades` in all, and `main` of the symbol.
    """
    newest = max((one for one in main_trades(tape) if "_anomaly" in one), key=time_of)
    print_ = newest | {"trade_id": "arrived", "_anomaly": newest["_anomaly"] | {"message": NEW}}
    _, anomalies = make_documents()
    earlier = anomalies[1] | {"trade_id": "arrived-earlier", "message": NEW}
    first, *_, last = make_alerts()
    one_more = changed(last, first_trade="arrived")
    try:
        index_trades(client, [print_])
        client.index(index=ONE_ANOMALYS[1], id="arrived-earlier", document=earlier)
        index_alerts(client, [changed(first, message=NEW), one_more])
        client.indices.refresh()
        yield {
            "trades": client.count(index=TRADES_INDICES)["count"],
            "main": len(main_trades(tape)) + 1,
        }
    finally:
        day = print_["@timestamp"][:10].replace("-", ".")
        for index, one in (
            (f"trades-{day}", "arrived"),
            (f"anomalies-{day[:7]}", "arrived"),
            (ONE_ANOMALYS[1], "arrived-earlier"),
            (ALERT_INDICES[0], one_more.alert_id),
        ):
            client.delete(index=index, id=one, refresh=True)
        index_alerts(client, [first])


@pytest.mark.slow
@pytest.mark.parametrize("path", PAGES)
def test_a_page_keeps_what_it_had_says_how_old_it_is_and_shows_what_is_new_within_two_refreshes(
    path: str,
    open_page: OpenPage,
    proxy: ElasticProxy,
    url: str,
    client: Elasticsearch,
    tape: list[Document],
) -> None:
    page = open_page(url + path)
    expect_data(page, path)
    page.wait_for_timeout(1000 * SHARED_FOR_S)  # younger answers are given without asking
    proxy.is_away = True
    if path not in REFRESH_THEMSELVES:
        page.reload()
    page.evaluate("window.is_the_same = true")
    expect(page.get_by_text(AGE).first).to_be_visible(timeout=SOON_MS)
    expect_data(page, path)
    with arrived(client, tape) as counts:
        new = page.get_by_text(NEWS[path].format_map(counts)).first
        page.wait_for_timeout(1000 * REFRESH_S)
        expect(new).to_have_count(0)
        expect(page.get_by_text("The data cannot be shown.")).to_have_count(0)
        proxy.is_away = False
        expect(new).to_be_attached(timeout=SOON_MS)
        expect(page.get_by_text(AGE)).to_have_count(0)
        expect_data(page, path)
    assert page.evaluate("window.is_the_same")
    expect(page.get_by_test_id("stException")).to_have_count(0)


@pytest.mark.slow
def test_the_last_minutes_stay_while_it_is_away_though_the_clock_moves_on(
    open_page: OpenPage, proxy: ElasticProxy, client: Elasticsearch, tape: list[Document], tmp_path: Path
) -> None:
    now = dt.datetime.now(dt.UTC)
    trade = tape[0] | {"@timestamp": now.isoformat(), "trade_id": "now", "symbol": "NOW"}
    trade.pop("_anomaly", None)
    client.index(index="trades-2039.01.01", id="now", document=trade, refresh=True)
    try:
        with serve(proxy.url, tmp_path, TAPEWATCH_REFRESH_S="1", TAPEWATCH_AHEAD_DAYS="0") as (url, _):
            page = open_page(f"{url}/?symbol=NOW&range=15m")
            expect(page.get_by_text("Anomalies per 1,000 trades")).to_be_visible(timeout=PATIENCE_MS)
            proxy.is_away = True
            page.wait_for_timeout(65_000)  # the range moves on by the minute
            expect(page.get_by_text(AGE).first).to_be_visible(timeout=PATIENCE_MS)
            expect(page.get_by_text("Anomalies per 1,000 trades")).to_be_visible()
            expect(page.get_by_text("The data cannot be shown.")).to_have_count(0)
    finally:
        client.indices.delete(index="trades-2039.01.01")


@pytest.mark.slow
def test_a_verdict_that_was_typed_while_it_was_away_is_kept_until_it_is_stored(
    open_page: OpenPage, proxy: ElasticProxy, url: str, client: Elasticsearch
) -> None:
    page = open_page(f"{url}/anomaly?id={ITSELF}")
    expect_data(page, f"/anomaly?id={ITSELF}")
    proxy.is_away = True
    page.get_by_label("Comment").fill("an auction print")
    page.get_by_label("Your name").fill("Kim")
    page.keyboard.press("Enter")
    page.get_by_role("button", name="False alarm").click()
    expect(page.get_by_text("Nothing was recorded. What you typed is still here")).to_be_visible(
        timeout=PATIENCE_MS
    )
    expect(page.get_by_label("Comment")).to_have_value("an auction print")
    expect(page.get_by_text("Earlier anomalies of the same kind")).to_be_visible()
    proxy.is_away = False
    expect(page.get_by_text("Nothing was recorded.")).to_have_count(0, timeout=PATIENCE_MS)
    expect(page.get_by_label("Comment")).to_have_value("an auction print")
    page.get_by_role("button", name="False alarm").click()
    expect(page.get_by_text("Recorded.", exact=True)).to_be_visible(timeout=PATIENCE_MS)
    found = verdicts_of(client, [ITSELF])[ITSELF]
    assert (found.verdict, found.comment, found.recorded_by) == ("false alarm", "an auction print", "Kim")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("status", "reason"),
    [
        (403, "action is unauthorized for this user"),
        (400, "Fielddata is disabled on [symbol]"),
        (503, "all shards failed"),
    ],
)
def test_every_page_says_why_it_cannot_show_anything(
    status: int,
    reason: str,
    open_page: OpenPage,
    stack: EmbeddedStack,
    client: Elasticsearch,
    tmp_path: Path,
) -> None:
    with elastic_proxy(stack.elasticsearch_url) as refusing:
        refusing.status, refusing.reason = status, reason
        with serve(refusing.url, tmp_path, TAPEWATCH_REFRESH_S="1") as (url, _):
            page = open_page(url)
            expect(page.get_by_role("link", name="Pipeline")).to_be_visible(timeout=PATIENCE_MS)
            links = page.get_by_test_id("stPageLink-NavLink")
            paths = {
                urlsplit(urljoin(page.url, str(link.get_attribute("href")))).path for link in links.all()
            }
            assert paths <= {path.partition("?")[0] for path in PAGES}
            for path in (path for path in PAGES if not path.startswith("/?")):
                page.goto(url + path)
                expect(page.get_by_text(f"status {status}: {reason}").first).to_be_visible(
                    timeout=PATIENCE_MS
                )
                expect(page.get_by_test_id("stException")).to_have_count(0)
            refusing.status = None
            page.goto(f"{url}/?symbol={MAIN}")
            expect_data(page, f"/?symbol={MAIN}")


def searches(proxy: ElasticProxy, url: str, visitors: int) -> float:
    """Return how many searches a second so many visitors of one view cost, spread evenly."""
    with visited(f"{url}/?symbol={MAIN}", visitors, within_s=DashboardSettings().refresh_s) as there:
        deadline_s = time.monotonic() + 120
        while not all(one.refreshes for one in there):
            assert time.monotonic() < deadline_s, [one.failure for one in there]
            time.sleep(0.2)
        before, began_s = proxy.searches, time.monotonic()
        time.sleep(30)
        assert not [one.failure for one in there if one.failure]
        return (proxy.searches - before) / (time.monotonic() - began_s)


@pytest.mark.slow
def test_twenty_visitors_cost_elasticsearch_what_two_do(
    stack: EmbeddedStack, client: Elasticsearch, tmp_path: Path
) -> None:
    with elastic_proxy(stack.elasticsearch_url) as proxy, serve(proxy.url, tmp_path) as (url, _):
        one, two, twenty = (searches(proxy, url, visitors) for visitors in (1, 2, 20))
    print(f"searches a second: {one:.2f} for 1 visitor, {two:.2f} for 2, {twenty:.2f} for 20")
    assert twenty < 1.5 * two
    # However many, they ask no more often than answers grow old.
    assert twenty < 1.1 * one * DashboardSettings().refresh_s / SHARED_FOR_S
