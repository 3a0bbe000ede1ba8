"""The overview in a real browser, on real Elasticsearch: 500 symbols, of which every number is recounted."""

import datetime as dt
import re
from collections import Counter
from collections.abc import Iterator
from typing import Literal
from urllib.parse import parse_qs, quote, urlsplit

import pytest
from elasticsearch import Elasticsearch
from playwright.sync_api import Browser, Page, expect

from dashboard.pages.overview.incidents import MIN_SYMBOLS
from dashboard.pages.overview.queries import MAX_LISTED, MAX_RANKED
from infra.embedded.stack import EmbeddedStack
from services.common.elastic.client import new_client
from services.contracts.anomaly import SEVERITY_COLORS, Severity
from tests.browser.conftest import TIMEOUT_MS, OpenPage
from tests.browser.many_symbols import DAY, Document, indexed, make_many
from tests.browser.tape import time_of

SYMBOLS = 500
SESSION = f"session={DAY}"
SHOWN = [str(severity) for severity in reversed(Severity) if severity is not Severity.INFO]
CANCELLED_AT = f"{DAY}T20:59:00.000000000Z"
CORRECTIONS = f"corrections-{DAY:%Y.%m}"


@pytest.fixture(scope="module")
def client(stack: EmbeddedStack) -> Iterator[Elasticsearch]:
    with new_client(stack.elasticsearch_url) as opened:
        yield opened


@pytest.fixture(scope="module")
def trades(client: Elasticsearch) -> Iterator[list[Document]]:
    with indexed(client, make_many(SYMBOLS)) as documents:
        worst = ranked_anomalies(documents)[0]
        correction = {
            "@timestamp": CANCELLED_AT,
            "correction_id": "c-1",
            "trade_id": worst["trade_id"],
            "symbol": worst["symbol"],
            "action": "cancel",
            "source": "test",
        }
        client.index(index=CORRECTIONS, id="c-1", document=correction, refresh=True)
        yield documents
        client.indices.delete(index=CORRECTIONS, ignore_unavailable=True)


@pytest.fixture
def page(open_page: OpenPage, dashboard_url: str, trades: list[Document]) -> Iterator[Page]:
    page = open_page(f"{dashboard_url}/?{SESSION}&live=off")
    expect(page.get_by_text("Symbols, the worst first")).to_be_visible()
    yield page
    expect(page.get_by_test_id("stException")).to_have_count(0)


def flagged(trades: list[Document]) -> list[Document]:
    return [t for t in trades if "_anomaly" in t and t["_anomaly"]["severity"] in SHOWN]


def ranked_anomalies(trades: list[Document]) -> list[Document]:
    """Return the anomalies that are shown, the worst first."""
    return sorted(
        flagged(trades), key=lambda t: (SHOWN.index(t["_anomaly"]["severity"]), -t["_anomaly"]["score"])
    )


def ranked_symbols(trades: list[Document]) -> list[tuple[str, Counter[str]]]:
    counts: dict[str, Counter[str]] = {}
    for trade in flagged(trades):
        counts.setdefault(trade["symbol"], Counter())[trade["_anomaly"]["severity"]] += 1
    return sorted(counts.items(), key=lambda one: ([-one[1][s] for s in SHOWN], one[0]))


def section(page: Page, title: str) -> list[str]:
    """Return the lines of the list below a heading."""
    heading = page.get_by_role("heading", name=title)
    lines = heading.locator("xpath=following::ul[1]/li")
    return lines.all_inner_texts()


def test_the_counts_are_those_of_a_recount_and_natural_events_are_left_out(
    page: Page, trades: list[Document]
) -> None:
    found = flagged(trades)
    natural = sum(t["_anomaly"]["severity"] == "info" for t in trades if "_anomaly" in t)
    symbols = len({t["symbol"] for t in found})
    expect(page.get_by_text(f"{len(found):,} anomalies of {symbols:,} symbols")).to_be_visible()
    expect(page.get_by_text(f"{natural:,} natural events, such as auction crosses")).to_be_visible()
    head = page.get_by_test_id("stHtml").filter(has_text=f"{len(found):,} anomalies of").inner_text()
    for severity, count in Counter(t["_anomaly"]["severity"] for t in found).items():
        assert f"{count:,} {severity}" in head


@pytest.mark.slow
def test_the_ranking_has_each_symbol_with_its_counts_and_last_price(
    page: Page, trades: list[Document]
) -> None:
    rows = page.locator(".tw-rank:not(.tw-heads)")
    expect(rows).to_have_count(MAX_RANKED)
    for text, (symbol, counts) in zip(rows.all_inner_texts(), ranked_symbols(trades), strict=False):
        of_symbol = sorted((t for t in trades if t["symbol"] == symbol), key=lambda t: t["@timestamp"])
        assert symbol in text
        for severity, count in counts.items():
            assert f"{count:,} {severity}" in text
        first, last = of_symbol[0]["price"], of_symbol[-1]["price"]
        assert f"{last:,.10g}" in text
        assert f"{100 * (last / first - 1):+,.2f}%" in text
        newest = flagged(of_symbol)[-1]
        assert newest["_anomaly"]["message"] in text


@pytest.mark.slow
def test_the_worst_and_the_newest_are_listed_with_their_sentences(page: Page, trades: list[Document]) -> None:
    newest = sorted(flagged(trades), key=lambda t: t["@timestamp"], reverse=True)
    for title, expected in (("Worst anomalies", ranked_anomalies(trades)), ("Newest anomalies", newest)):
        lines = section(page, title)
        assert len(lines) == MAX_LISTED
        for line, trade in zip(lines, expected, strict=False):
            assert trade["symbol"] in line
            assert f"{time_of(trade):%H:%M:%S} UTC" in line
            assert trade["_anomaly"]["message"] in line
    assert "cancelled 20:59:00 by the venue" in section(page, "Worst anomalies")[0]


def test_the_heat_map_has_a_cell_for_each_stretch_with_anomalies(page: Page, trades: list[Document]) -> None:
    found = flagged(trades)
    ranked = [symbol for symbol, _ in ranked_symbols(trades)][:MAX_RANKED]
    start = min(time_of(t) for t in trades).replace(minute=0, second=0, microsecond=0)
    end = max(time_of(t) for t in trades).replace(minute=0, second=0, microsecond=0) + dt.timedelta(hours=1)
    assert end - start <= dt.timedelta(hours=8)
    width_s = 600  # eight hours in at most eighty stretches
    cells: dict[tuple[str, int], list[str]] = {}
    for trade in found:
        at = int(time_of(trade).timestamp()) // width_s
        for lane in ("", *([trade["symbol"]] if trade["symbol"] in ranked else [])):
            cells.setdefault((lane, at), []).append(trade["_anomaly"]["severity"])
    drawn = page.get_by_test_id("stVegaLiteChart").locator(".mark-rect path")
    expect(drawn).to_have_count(len(cells))
    colors = Counter(SEVERITY_COLORS[Severity(min(inside, key=SHOWN.index))] for inside in cells.values())
    assert Counter(drawn.evaluate_all("all => all.map(one => one.getAttribute('fill'))")) == colors
    expect(page.get_by_text(f"These are the {MAX_RANKED} worst of")).to_be_visible()
    expect(page.get_by_text("Most anomalies, ")).to_be_visible()


@pytest.mark.slow
def test_a_cell_leads_to_its_symbol_at_that_time_and_overview_back(
    page: Page, trades: list[Document]
) -> None:
    cells = page.get_by_test_id("stVegaLiteChart").locator(".mark-rect path")
    expect(cells.nth(60)).to_be_visible()
    cells.last.dispatch_event("click")
    page.wait_for_url("**symbol=**")
    asked = parse_qs(urlsplit(page.url).query)
    last = ranked_symbols(trades)[MAX_RANKED - 1][0]
    assert asked["symbol"] == [last]
    start, end = (dt.datetime.fromisoformat(asked[name][0]) for name in ("from", "to"))
    newest = [t for t in flagged(trades) if t["symbol"] == last]
    assert start <= max(map(time_of, newest)) < end
    assert end - start == dt.timedelta(minutes=10)
    expect(page.get_by_role("combobox", name="Symbol")).to_have_value(last)
    page.get_by_role("link", name="Overview").click()
    expect(page.get_by_text("Symbols, the worst first")).to_be_visible()
    page.wait_for_url(lambda url: "symbol=" not in url)


@pytest.mark.slow
def test_symbols_beyond_the_ranking_are_found_by_name(page: Page, trades: list[Document]) -> None:
    quiet = sorted({t["symbol"] for t in trades} - {t["symbol"] for t in flagged(trades)})
    symbol = quiet[0] if quiet else ranked_symbols(trades)[-1][0]
    page.get_by_label("Find a symbol").fill(symbol.lower())
    page.get_by_label("Find a symbol").press("Enter")
    page.wait_for_url(f"**find={symbol.lower()}**")
    link = page.get_by_role("link", name=symbol, exact=True)
    expect(link.first).to_have_attribute("href", re.compile(f"symbol={symbol}"))


@pytest.mark.slow
def test_incidents_lead_to_their_moment(
    client: Elasticsearch, trades: list[Document], open_page: OpenPage, dashboard_url: str
) -> None:
    at = time_of(trades[0]).replace(hour=14, minute=7, second=30, microsecond=0)
    base = flagged(trades)[0]
    together = []
    for number in range(MIN_SYMBOLS):
        source = {name: value for name, value in base.items() if name != "_anomaly"} | base["_anomaly"]
        time = at + dt.timedelta(milliseconds=200 * number)
        together.append(
            source
            | {
                "@timestamp": f"{time:%Y-%m-%dT%H:%M:%S.%f}Z",
                "trade_id": f"together-{number}",
                "symbol": f"EVENT{number}",
                "severity": "critical",
            }
        )
    index = f"anomalies-{DAY:%Y.%m}"
    for one in together:
        client.index(index=index, id=one["trade_id"], document=one, refresh=True)
    try:
        page = open_page(f"{dashboard_url}/?{SESSION}&live=off&severity=critical")
        line = page.get_by_role("link").filter(has_text="within 0.400 s: EVENT0, EVENT1, EVENT2.")
        expect(line).to_contain_text("3 symbols")
        expect(line).to_have_attribute("href", re.compile("from=.*14%3A07Z&to=.*14%3A08Z"))
    finally:
        for one in together:
            client.delete(index=index, id=one["trade_id"], refresh=True)


@pytest.mark.slow
def test_watched_symbols_are_small_charts_that_lead_to_their_pages(
    trades: list[Document], open_page: OpenPage, dashboard_url: str
) -> None:
    page = open_page(f"{dashboard_url}/?{SESSION}&live=off&watch=SYM007,NOSUCH")
    cards = page.locator(".tw-card")
    expect(cards).to_have_count(2)
    mine = sorted((t for t in trades if t["symbol"] == "SYM007"), key=lambda t: t["@timestamp"])
    first, last = mine[0]["price"], mine[-1]["price"]
    count = len(flagged(mine))
    alt = f"SYM007: {last:,.10g} ({100 * (last / first - 1):+,.2f}%), {count} anomal"
    expect(cards.first.locator("img")).to_have_attribute("alt", re.compile("^" + re.escape(alt)))
    assert cards.first.locator("img").evaluate("image => image.naturalWidth") > 0
    expect(cards.first).to_contain_text(flagged(mine)[-1]["_anomaly"]["message"])
    expect(cards.nth(1)).to_contain_text("No trades in this time.")
    cards.first.click()
    expect(page.get_by_role("combobox", name="Symbol")).to_have_value("SYM007")


def test_in_four_clicks_from_the_start_to_the_worst_anomaly_its_reason_its_fate_and_its_symbols_days(
    page: Page, trades: list[Document], tape: list[Document]
) -> None:
    # The tape has sessions besides that of `trades`.
    worst = ranked_anomalies(trades)[0]
    page.get_by_role("heading", name="Worst anomalies").locator("xpath=following::a[1]").click()
    page.wait_for_url(f"**/anomaly?id={worst['trade_id']}")
    expect(page.get_by_text(worst["_anomaly"]["message"]).first).to_be_visible()
    expect(page.get_by_text("Why it was flagged")).to_be_visible()
    expect(page.locator("tr", has_text=worst["_anomaly"]["anomalies"][0]).first).to_be_visible()
    expect(page.get_by_text("Cancelled by the venue at 20:59:00 UTC")).to_be_visible()
    page.get_by_role("link", name="Last five sessions").click()
    expect(page.get_by_role("combobox", name="Symbol")).to_have_value(worst["symbol"])
    expect(page.get_by_role("combobox", name="Session")).to_have_value(re.compile("^Last [2-5] sessions$"))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("query", "told"),
    [
        ("session=1999-01-04", "The session in the address has no trades."),
        ("severity=bad", "Ignored invalid URL parameters: severity."),
        (f"{SESSION}&find=%3Cb%3E", "No symbol with “<b>” in its name has trades in this session."),
        (f"{SESSION}&label={quote('Z-Score')}&from=1999-01-04T10:00Z&to=1999-01-04T11:00Z", "outside this"),
    ],
)
def test_what_an_address_asks_for_in_vain_is_said(
    query: str, told: str, open_page: OpenPage, dashboard_url: str, trades: list[Document]
) -> None:
    page = open_page(f"{dashboard_url}/?live=off&{query}")
    expect(page.get_by_text(told).first).to_be_visible()
    expect(page.get_by_test_id("stException")).to_have_count(0)


@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_narrow_window_shows_all_without_scrolling_sideways(
    scheme: Literal["light", "dark"], browser: Browser, dashboard_url: str, trades: list[Document]
) -> None:
    context = browser.new_context(viewport={"width": 420, "height": 900}, color_scheme=scheme)
    context.set_default_timeout(TIMEOUT_MS)
    page = context.new_page()
    page.goto(f"{dashboard_url}/?{SESSION}&live=off&watch=SYM007")
    expect(page.get_by_test_id("stVegaLiteChart").locator("svg")).to_be_visible()
    expect(page.get_by_text("Symbols, the worst first")).to_be_visible()
    main = page.get_by_test_id("stMain")
    assert main.evaluate("main => main.scrollWidth <= main.clientWidth")
    context.close()
