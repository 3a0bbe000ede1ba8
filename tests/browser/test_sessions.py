"""Prints with wrong dates, in a real browser on real Elasticsearch: no page leaves what it shows for them."""

import datetime as dt
import re
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import Page, expect

from dashboard.server.elastic import open_client
from dashboard.server.indexed_data import find_indexed_data
from infra.embedded.ports import free_port
from infra.embedded.stack import EmbeddedStack, StackConfig
from infra.setup.templates import set_up_templates
from services.common.elastic.client import Elasticsearch, new_client
from tests.browser.conftest import OpenPage, serve

DAY = dt.date(2025, 6, 30)
NEXT = DAY + dt.timedelta(days=1)
AHEAD = dt.date(2135, 6, 5)
EPOCH = dt.date(1970, 1, 1)
SET_ASIDE = re.compile(
    r"trades were set aside: dated .*Sun 5 Jun 2135.*Thu 1 Jan 1970, ahead of the clock, or too long ago"
)


@pytest.fixture(scope="module")
def stack() -> Iterator[EmbeddedStack]:
    """A stack without the trades of other tests, some of which are of newer days."""
    with EmbeddedStack(StackConfig(kafka_port=free_port(), elasticsearch_port=free_port())) as running:
        yield running


@pytest.fixture(scope="module")
def client(stack: EmbeddedStack) -> Iterator[Elasticsearch]:
    with new_client(stack.elasticsearch_url) as opened:
        set_up_templates(opened)
        yield opened


@pytest.fixture(scope="module")
def url(stack: EmbeddedStack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A dashboard as it is by default: nothing that is dated ahead counts."""
    folder = tmp_path_factory.mktemp("dated")
    with serve(stack.elasticsearch_url, folder, TAPEWATCH_AHEAD_DAYS="0", TAPEWATCH_REFRESH_S="1") as (
        url,
        _,
    ):
        yield url


@contextmanager
def traded(client: Elasticsearch, day: dt.date, count: int, symbol: str = "REAL") -> Iterator[None]:
    """Have trades at noon in New York on a day until the end of the block."""
    for minute in range(count):
        trade(client, day, minute, symbol)
    try:
        yield
    finally:
        client.indices.delete(index=f"trades-{day:%Y.%m.%d}")


def trade(client: Elasticsearch, day: dt.date, minute: int, symbol: str) -> None:
    """Have a trade so many minutes after noon."""
    document = {
        "@timestamp": f"{day}T17:{minute:02}:00.000000007Z",
        "trade_id": f"{symbol}-{day}-{minute}",
        "symbol": symbol,
        "price": 10.0 + minute,
        "size": 100,
        "side": "A",
        "source": "test",
        "sequence": minute,
    }
    index = f"trades-{day:%Y.%m.%d}"
    client.index(index=index, id=str(document["trade_id"]), document=document, refresh=True)


@contextmanager
def anomalous(client: Elasticsearch, day: dt.date) -> Iterator[None]:
    """Have the first trade of `traded` be an anomaly until the end of the block."""
    index = f"anomalies-{day:%Y.%m}"
    found = client.get(index=f"trades-{day:%Y.%m.%d}", id=f"REAL-{day}-0")["_source"]
    fields = {
        "anomalies": ["Burst"],
        "severity": "high",
        "score": 0.9,
        "message": "A burst.",
        "detections": [{"detector": "test", "label": "Burst", "score": 0.9}],
    }
    client.index(index=index, document=found | fields, refresh=True)
    try:
        yield
    finally:
        client.indices.delete(index=index)


def expect_session(page: Page, title: str, trades: int) -> None:
    expect(page.get_by_role("combobox", name="Session")).to_have_value(title)
    metric = page.get_by_test_id("stMetric").filter(has=page.get_by_text("Trades", exact=True))
    expect(metric.get_by_test_id("stMetricValue")).to_have_text(str(trades))


@pytest.mark.slow
def test_prints_with_wrong_dates_are_set_aside_and_can_be_looked_at(
    open_page: OpenPage, client: Elasticsearch, url: str
) -> None:
    with traded(client, DAY, 5):
        page = open_page(f"{url}/?symbol=REAL&session={DAY}")
        expect_session(page, "Mon 30 Jun 2025", 5)
        with traded(client, AHEAD, 2, "ODD"), traded(client, EPOCH, 1, "ODD"):
            expect(page.get_by_text(SET_ASIDE)).to_be_visible()
            expect_session(page, "Mon 30 Jun 2025", 5)
            expect(page.get_by_text(re.compile("(last trade|replaying) 30 June 2025"))).to_be_visible()
            page.goto(f"{url}/?symbol=ODD&session={AHEAD}")
            expect_session(page, "Sun 5 Jun 2135", 2)
            page.goto(f"{url}/?session={DAY}")
            expect(page.get_by_text(SET_ASIDE)).to_be_visible()
            page.goto(f"{url}/?session={AHEAD}")
            expect(page.get_by_role("combobox", name="Session")).to_have_value("Sun 5 Jun 2135")
            page.goto(f"{url}/tuning?day={DAY}")
            expect(page.get_by_role("button", name="Read 5 trades")).to_be_visible(timeout=60_000)
            expect(page.get_by_text(SET_ASIDE)).to_be_visible()
            page.goto(f"{url}/tuning?day={EPOCH}")
            expect(page.get_by_role("button", name="Read 1 trade")).to_be_visible(timeout=60_000)


@pytest.mark.slow
def test_an_open_page_offers_a_newer_session_and_stays(
    open_page: OpenPage, client: Elasticsearch, url: str
) -> None:
    with traded(client, DAY, 5):
        page = open_page(f"{url}/?symbol=REAL")
        expect_session(page, "Mon 30 Jun 2025", 5)
        with traded(client, NEXT, 3, "OTHER"):
            offer = page.get_by_role("button", name="Newer session: Tue 1 Jul 2025")
            expect(offer).to_be_visible()
            expect_session(page, "Mon 30 Jun 2025", 5)
            expect(page.get_by_role("combobox", name="Symbol")).to_have_value("REAL")
            offer.click()
            expect_session(page, "Tue 1 Jul 2025", 3)
            expect(page.get_by_role("combobox", name="Symbol")).to_have_value("OTHER")
            expect(offer).to_have_count(0)


@pytest.mark.slow
def test_an_open_overview_offers_a_newer_session_and_stays(
    open_page: OpenPage, client: Elasticsearch, url: str
) -> None:
    with traded(client, DAY, 5), anomalous(client, DAY):
        page = open_page(f"{url}/")
        session = page.get_by_role("combobox", name="Session")
        link = page.locator(".tw-rank").get_by_role("link", name="REAL", exact=True)
        expect(link).to_have_attribute("href", "?symbol=REAL")
        with traded(client, NEXT, 1, "OTHER"):
            offer = page.get_by_role("button", name="Newer session: Tue 1 Jul 2025")
            expect(offer).to_be_visible()
            expect(session).to_have_value("Mon 30 Jun 2025")
            expect(link).to_have_attribute("href", f"?symbol=REAL&session={DAY}")
            offer.click()
            expect(session).to_have_value("Tue 1 Jul 2025")
            expect(page.get_by_text("0 anomalies of 0 symbols")).to_be_visible()
            expect(offer).to_have_count(0)


@pytest.mark.slow
def test_on_a_wall_the_overview_goes_to_a_newer_session_by_itself(
    open_page: OpenPage, client: Elasticsearch, url: str
) -> None:
    with traded(client, DAY, 5), anomalous(client, DAY):
        page = open_page(f"{url}/?wall")
        expect(page.get_by_text("1 anomaly of 1 symbol")).to_be_visible()
        with traded(client, NEXT, 1, "OTHER"):
            expect(page.get_by_text("0 anomalies of 0 symbols")).to_be_visible()
            expect(page.get_by_text("Newer session")).to_have_count(0)


@pytest.mark.slow
def test_the_last_minutes_of_all_symbols_can_be_chosen_and_a_link_to_a_symbol_keeps_them(
    open_page: OpenPage, client: Elasticsearch, url: str
) -> None:
    with traded(client, DAY, 5), anomalous(client, DAY):
        page = open_page(f"{url}/")
        session = page.get_by_role("combobox", name="Session")
        expect(session).to_have_value("Mon 30 Jun 2025")
        session.click()
        page.get_by_role("option", name="Last 15 minutes").click()
        page.wait_for_url("**/?range=15m")
        expect(page.get_by_text("1 anomaly of 1 symbol")).to_be_visible()
        page.locator(".tw-rank").get_by_role("link", name="REAL", exact=True).click()
        page.wait_for_url("**/?symbol=REAL&range=15m")
        expect_session(page, "Last 15 minutes", 5)


@pytest.mark.slow
def test_on_a_wall_the_last_minutes_move_on_with_the_tape(
    open_page: OpenPage, client: Elasticsearch, url: str
) -> None:
    with traded(client, DAY, 5), anomalous(client, DAY):
        page = open_page(f"{url}/?wall&range=15m")
        expect(page.get_by_text("1 anomaly of 1 symbol")).to_be_visible()
        trade(client, DAY, 30, "OTHER")
        expect(page.get_by_text("0 anomalies of 0 symbols")).to_be_visible()


def test_the_newest_trade_is_never_one_that_is_ahead_of_the_clock(
    client: Elasticsearch, stack: EmbeddedStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TAPEWATCH_AHEAD_DAYS", "0")
    with open_client(stack.elasticsearch_url) as shared, traded(client, DAY, 1), traded(client, AHEAD, 2):
        indexed = find_indexed_data(shared)
    assert indexed.trades.count == client.count(index="trades-*")["count"] + 3
    assert indexed.trades.newest == dt.datetime(2025, 6, 30, 17, tzinfo=dt.UTC)
