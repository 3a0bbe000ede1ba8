"""The symbol page in a real browser, on real Elasticsearch."""

import datetime as dt
import json
import re
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Literal
from urllib.parse import quote

import pytest
from playwright.sync_api import Browser, Locator, Page, expect
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg

from dashboard.pages.symbol.queries import MAX_ANOMALIES, MAX_LISTED
from infra.embedded.ports import free_port
from infra.embedded.stack import EmbeddedStack
from services.common.elastic.client import new_client
from services.contracts.anomaly import SEVERITY_COLORS, Severity
from tests.browser.conftest import TIMEOUT_MS, OpenPage, serve
from tests.browser.symbol_page import (
    chart_of,
    drag_across,
    expect_metric,
    expect_stretch,
    main_trades,
    mark_as_kept,
    switch,
)
from tests.browser.tape import EVIL, EVIL_MESSAGE, MAIN, OPEN, Document, anomalies_of, index_trades, time_of


@pytest.fixture
def page(open_page: OpenPage, dashboard_url: str, tape: list[Document]) -> Iterator[Page]:
    page = open_page(f"{dashboard_url}/?symbol={MAIN}")
    expect(page.locator(".tw-list")).to_be_visible()
    yield page
    expect(page.get_by_test_id("stException")).to_have_count(0)


def choose(page: Page, control: str, option: str) -> None:
    page.get_by_role("combobox", name=control).click()
    page.get_by_role("option", name=option, exact=True).click()


def marks(page: Page, color: str = "") -> int:
    """Count the markers in the price chart."""
    selector = ".mark-symbol path" + (f"[fill='{color}']" if color else "")
    return page.get_by_test_id("stVegaLiteChart").first.locator(selector).count()


def table_of(page: Page) -> Locator:
    return page.locator(".tw-list table")


def test_the_newest_session_is_shown_as_a_recount_has_it(page: Page, tape: list[Document]) -> None:
    trades = main_trades(tape)
    anomalies = anomalies_of(trades)
    urgent = [a for a in anomalies if a["severity"] in (Severity.CRITICAL, Severity.HIGH)]
    expect_metric(page, "Trades", f"{len(trades):,}")
    expect_metric(page, "Volume", f"{sum(trade['size'] for trade in trades):,}")
    expect_metric(page, "Anomalies", f"{len(anomalies):,}")
    expect_metric(page, "Critical or high", f"{len(urgent):,}")
    expect(page.get_by_text("The charts show the 500 highest-scoring of 600 anomalies.")).to_be_visible()
    expect(page.get_by_text("The 100 newest of 600 anomalies.")).to_be_visible()
    expect(page.get_by_test_id("stVegaLiteChart")).to_have_count(2)
    assert marks(page) == MAX_ANOMALIES
    drawn = sorted(anomalies, key=lambda anomaly: anomaly["score"], reverse=True)[:MAX_ANOMALIES]
    small = sum(anomaly["severity"] in (Severity.LOW, Severity.INFO) for anomaly in drawn)
    expect(page.get_by_text(f"{small} low or info anomalies are small marks at the bottom")).to_be_visible()


def test_the_table_has_the_newest_first_and_the_highest_score_on_demand(
    page: Page, tape: list[Document]
) -> None:
    table = table_of(page)
    expect(table.locator("tbody tr")).to_have_count(MAX_LISTED)
    first_row = table.locator("tbody tr").first
    newest = max(trade["@timestamp"] for trade in main_trades(tape) if "_anomaly" in trade)
    expect(first_row).to_contain_text(newest[11:23])
    page.get_by_text("Highest score first").click()
    expect(first_row).to_contain_text(EVIL_MESSAGE)


def test_what_comes_from_the_data_is_text(page: Page) -> None:
    choose(page, "Session", "Tue 3 Jan 2040")
    expect(page.get_by_role("combobox", name="Symbol")).to_have_value(EVIL)
    expect_metric(page, "Trades", "1")
    assert page.locator("b", has_text="EV").count() == 0
    assert page.locator("img[src=x]").count() == 0
    assert page.title() == f"{EVIL} · Tapewatch"


def test_the_filters_choose_what_is_marked_and_listed(page: Page, tape: list[Document]) -> None:
    anomalies = anomalies_of(main_trades(tape))
    critical = sum(anomaly["severity"] == Severity.CRITICAL for anomaly in anomalies)
    high = sum(anomaly["severity"] == Severity.HIGH for anomaly in anomalies)
    choose(page, "Severity", "high")
    expect(page.get_by_text(re.compile(rf"of {high} anomalies|^{high} anomalies"))).to_be_visible()
    expect(page.get_by_test_id("stVegaLiteChart").first.locator(".mark-symbol path")).to_have_count(high)
    assert marks(page) == marks(page, SEVERITY_COLORS[Severity.HIGH]) == high
    expect_metric(page, "Anomalies", f"{high:,} of {len(anomalies):,}")
    expect_metric(page, "Critical or high", f"{high:,} of {critical + high:,}")
    low = sum(anomaly["severity"] == Severity.LOW for anomaly in anomalies)
    expect(page.get_by_text(f"● low 0 of {low:,}")).to_be_visible()
    assert critical == 1
    page.keyboard.press("Backspace")
    choose(page, "Severity", "critical")
    expect(page.get_by_text("1 anomaly.")).to_be_visible()
    label = next(a for a in anomalies if a["severity"] == Severity.CRITICAL)["anomalies"][0]
    page.keyboard.press("Escape")
    choose(page, "Labels", "Z-Score" if label != "Z-Score" else "High Volume")
    expect(page.get_by_text("No anomaly in this time range has these labels and severities")).to_be_visible()


@pytest.mark.slow
def test_the_time_can_be_narrowed(page: Page, tape: list[Document]) -> None:
    start = page.get_by_role("slider").first
    for _ in range(20):
        start.press("ArrowRight")
    since = OPEN.replace(minute=0) + dt.timedelta(minutes=20)
    expected = [trade for trade in main_trades(tape) if time_of(trade) >= since]
    assert len(expected) < len(main_trades(tape))
    expect_metric(page, "Trades", f"{len(expected):,}")
    expect(page.get_by_test_id("stSlider")).to_contain_text("14:20")


@pytest.mark.slow
def test_a_time_range_without_trades_is_reported(page: Page) -> None:
    choose(page, "Symbol", "QUIET")
    expect_metric(page, "Trades", "1")
    expect(page.get_by_text("No anomalies in this time range.")).to_be_visible()
    page.get_by_role("slider").nth(1).press("Home")
    expect(page.get_by_text("This symbol has no trades in this time range.")).to_be_visible()


@contextmanager
def one_more_trade(stack: EmbeddedStack, tape: list[Document], is_anomaly: bool = False) -> Iterator[None]:
    """Index one more trade, the newest of those like it, until the end of the block."""
    newest = max((trade for trade in main_trades(tape) if "_anomaly" in trade), key=time_of)
    newer = newest | {"trade_id": "newer", "size": 1}
    if not is_anomaly:
        newer.pop("_anomaly")
    day = newer["@timestamp"][:10].replace("-", ".")
    indices = [f"trades-{day}", f"anomalies-{day[:7]}"] if is_anomaly else [f"trades-{day}"]
    with new_client(stack.elasticsearch_url) as client:
        try:
            index_trades(client, [newer])
            yield
        finally:
            for index in indices:
                client.delete(index=index, id="newer", refresh=True)


def test_what_is_indexed_appears_by_itself_and_nothing_else_moves(
    page: Page, stack: EmbeddedStack, tape: list[Document]
) -> None:
    charts = page.get_by_test_id("stVegaLiteChart").locator("svg")
    expect(charts).to_have_count(2)
    kept = mark_as_kept(page)  # a chart that is built again, or one that fades, has lost it
    scrolled = page.locator(".tw-list")
    scrolled.hover()
    page.mouse.wheel(0, 700)
    page.wait_for_function("document.querySelector('.tw-list').scrollTop > 0")
    page.wait_for_timeout(500)  # a wheel turns smoothly
    before = scrolled.evaluate("table => table.scrollTop")
    with one_more_trade(stack, tape):
        expect_metric(page, "Trades", f"{len(main_trades(tape)) + 1:,}")
        expect(kept).to_have_count(2)
        assert scrolled.evaluate("table => table.scrollTop") == before
        page.locator(".st-key-frame-clock").get_by_role("button").click()
        expect(page.get_by_text(re.compile(r"ago \(1 trade\)"))).to_be_visible()


@pytest.mark.slow
def test_a_row_that_comes_is_marked_as_new(page: Page, stack: EmbeddedStack, tape: list[Document]) -> None:
    new = page.locator(".tw-list tr.tw-new")
    expect(table_of(page).locator("tbody tr")).to_have_count(MAX_LISTED)
    expect(new).to_have_count(0)
    with one_more_trade(stack, tape, is_anomaly=True):
        expect(new).to_have_count(1)
        expect(new).to_have_attribute("data-id", "newer")
        assert new.evaluate("row => getComputedStyle(row).animationName") == "tw-new"


@pytest.mark.slow
def test_refreshing_can_be_paused_and_the_url_shows_it(
    page: Page, stack: EmbeddedStack, tape: list[Document]
) -> None:
    switch(page, "Refresh every 5 s")
    page.wait_for_url("**live=off**")
    before = f"{len(main_trades(tape)):,}"
    with one_more_trade(stack, tape):
        page.wait_for_timeout(7000)
        expect_metric(page, "Trades", before)


@pytest.mark.slow
def test_a_view_is_in_its_address(page: Page, tape: list[Document]) -> None:
    choose(page, "Severity", "high")
    page.keyboard.press("Escape")
    page.get_by_text("Candles").click()
    page.wait_for_url("**chart=candles**")
    page.get_by_role("slider").first.press("ArrowRight")
    page.wait_for_url("**from=**")
    other = page.context.new_page()
    other.goto(page.url)
    expect(other.get_by_text("Price went up")).to_be_visible()
    expect(other.get_by_test_id("stSlider")).to_contain_text("14:01")
    expect(other.get_by_role("button", name="Reset zoom")).to_be_visible()
    high = sum(a["severity"] == Severity.HIGH for a in anomalies_of(in_view(tape, minute=1)))
    expect(other.get_by_test_id("stVegaLiteChart").first.locator(".mark-symbol path")).to_have_count(high)
    other.close()


def in_view(tape: list[Document], minute: int) -> list[Document]:
    since = OPEN.replace(minute=0) + dt.timedelta(minutes=minute)
    return [trade for trade in main_trades(tape) if time_of(trade) >= since]


@pytest.mark.slow
def test_a_chart_that_the_browser_had_before_is_sent_whole(page: Page) -> None:
    # Of a run that a quick click overtakes, references alone would arrive, and blank the page.
    sent: list[ForwardMsg] = []

    def note(data: str | bytes) -> None:
        sent.append(ForwardMsg.FromString(data if isinstance(data, bytes) else data.encode()))

    page.on("websocket", lambda socket: socket.on("framereceived", note))
    page.reload()
    expect(page.get_by_test_id("stVegaLiteChart")).to_have_count(2)
    page.get_by_text("Candles").click()
    expect(page.get_by_text("Price went up")).to_be_visible()
    page.get_by_text("Line", exact=True).click()
    expect(page.get_by_text("Last price and price range")).to_be_visible()
    page.wait_for_url(lambda url: "candles" not in url)
    assert {kind for message in sent if (kind := message.WhichOneof("type"))} >= {"delta", "script_finished"}
    assert not any(message.HasField("ref_hash") for message in sent)


@pytest.mark.slow
def test_going_back_goes_back_to_the_view_before(page: Page) -> None:
    page.wait_for_url(f"**symbol={MAIN}**")
    page.get_by_text("Candles").click()
    page.wait_for_url("**chart=candles**")
    expect(page.get_by_text("Price went up")).to_be_visible()
    page.go_back()
    expect(page.get_by_text("Last price and price range")).to_be_visible()


@pytest.mark.slow
def test_a_stretch_of_time_is_drawn_up_with_the_mouse(page: Page, tape: list[Document]) -> None:
    labels = chart_of(page, 1).locator(".role-axis-label text")
    whole = labels.all_text_contents()
    drag_across(chart_of(page, 1))
    inside = expect_stretch(page, tape)
    page.get_by_role("button", name="Reset zoom").click()
    expect_metric(page, "Trades", f"{len(main_trades(tape)):,}")
    # The chart comes after the numbers; labels that were there before need not stand in their old order.
    for text in whole:
        expect(labels.filter(has_text=re.compile(f"^{re.escape(text)}$"))).to_have_count(whole.count(text))
    expect(labels).to_have_count(len(whole))
    drag_across(chart_of(page, 1))
    expect_metric(page, "Trades", inside)


@pytest.mark.slow
def test_the_browser_keeps_the_charts_for_another_severity_and_another_time(page: Page) -> None:
    charts = page.get_by_test_id("stVegaLiteChart")
    markers = charts.first.locator(".mark-symbol path")
    expect(markers).to_have_count(MAX_ANOMALIES)
    expect(page.get_by_text("small marks at the bottom edge")).to_be_visible()
    kept = mark_as_kept(page)
    choose(page, "Severity", "high")
    expect(markers).not_to_have_count(MAX_ANOMALIES)
    expect(page.get_by_text("small marks at the bottom edge")).to_have_count(0)
    expect(kept).to_have_count(2)
    labels = charts.nth(1).locator(".role-axis-label text")
    before = labels.all_text_contents()
    page.keyboard.press("Escape")
    page.get_by_role("slider").first.press("PageUp")
    page.wait_for_url("**from=**")
    expect(labels).not_to_have_text(before)
    expect(kept).to_have_count(2)


@pytest.mark.slow
def test_an_anomaly_is_chosen_in_the_table_and_stays_so(page: Page, tape: list[Document]) -> None:
    page.get_by_text("Highest score first").click()
    expect(table_of(page).locator("tbody tr").first).to_contain_text(EVIL_MESSAGE)
    table_of(page).locator("tbody tr").first.get_by_text(EVIL_MESSAGE).click()
    page.wait_for_url(f"**selected={tape[0]['trade_id']}*")
    expect(page.get_by_role("button", name="Open its page")).to_be_visible()
    expect(page.locator(".st-key-symbol-list-beside")).to_contain_text(EVIL_MESSAGE)
    assert page.locator("img[src=x]").count() == 0
    # Another order, other rows: the same anomaly is chosen.
    page.get_by_text("Newest first").click()
    expect(table_of(page).locator("tbody tr").first).not_to_contain_text(EVIL_MESSAGE)
    page.wait_for_timeout(7000)  # a refresh comes, and what the browser sends with it
    assert f"selected={tape[0]['trade_id']}" in page.url
    page.keyboard.press("Escape")
    expect(page.get_by_role("button", name="Open its page")).to_have_count(0)


@pytest.mark.slow
def test_an_anomaly_is_chosen_by_its_marker(page: Page) -> None:
    markers = page.get_by_test_id("stVegaLiteChart").first.locator(".mark-symbol path")
    expect(markers).to_have_count(MAX_ANOMALIES)
    markers.last.dispatch_event("click")
    page.wait_for_url("**selected=test-0**")
    expect(page.get_by_role("button", name="Open its page")).to_be_visible()


@pytest.mark.slow
def test_all_symbols_are_listed_on_demand(page: Page) -> None:
    choose(page, "Session", "Last 2 sessions")
    page.get_by_text("All symbols").click()
    expect(page.get_by_text("The 100 newest of 601 anomalies.")).to_be_visible()


@pytest.mark.slow
def test_a_watched_symbol_is_remembered_by_the_browser(
    browser: Browser, dashboard_url: str, tape: list[Document]
) -> None:
    context = browser.new_context(viewport={"width": 1400, "height": 1400})
    context.set_default_timeout(TIMEOUT_MS)
    page = context.new_page()
    page.goto(f"{dashboard_url}/?session=2040-01-03&symbol={quote(EVIL)}")
    page.get_by_role("button", name="Watch", exact=True).click()
    expect(page.get_by_role("button", name="Watched", exact=True)).to_be_visible()
    expect(page.get_by_role("radio", name=f"{EVIL} · 1")).to_be_visible()
    page.wait_for_function("document.cookie.includes('tapewatch_watched=')")
    other = context.new_page()
    other.goto(f"{dashboard_url}/?symbol={MAIN}")
    other.get_by_text(f"{EVIL} · 0").click()
    expect(other.get_by_text("This symbol has no trades in this session.")).to_be_visible()
    context.close()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("query", "told"),
    [
        ("symbol=NOSUCH", "This symbol has no trades in this session."),
        ("symbol=%2A", "This symbol has no trades in this session."),
        ("session=1999-01-04", "The session in the address has no trades."),
        ("session=<script>", "The session in the address has no trades."),
        ("from=1999-01-04T10:00Z&to=1999-01-04T11:00Z", "The time in the address is outside this session."),
        ("severity=bad", "Ignored invalid URL parameters: severity."),
        ("from=x&chart=%00", "Ignored invalid URL parameters: chart, from."),
    ],
)
def test_invalid_values_in_an_address_are_reported(
    query: str, told: str, open_page: OpenPage, dashboard_url: str, tape: list[Document]
) -> None:
    page = open_page(f"{dashboard_url}/?symbol={MAIN}&{query}")
    expect(page.get_by_text(told)).to_be_visible()
    expect(page.get_by_role("combobox", name="Symbol")).to_be_visible()
    expect(page.get_by_test_id("stException")).to_have_count(0)


@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_narrow_window_shows_all_without_scrolling_sideways(
    scheme: Literal["light", "dark"], browser: Browser, dashboard_url: str, tape: list[Document]
) -> None:
    context = browser.new_context(viewport={"width": 420, "height": 900}, color_scheme=scheme)
    context.set_default_timeout(TIMEOUT_MS)
    page = context.new_page()
    page.goto(f"{dashboard_url}/?symbol={MAIN}")
    expect(page.get_by_test_id("stVegaLiteChart").nth(1).locator("svg")).to_be_visible()
    expect(page.locator(".tw-list")).to_be_visible()
    main = page.get_by_test_id("stMain")
    assert main.evaluate("main => main.scrollWidth <= main.clientWidth")
    context.close()


class _EmptyElasticsearch(BaseHTTPRequestHandler):
    """Answers like Elasticsearch before the first index exists; the tests' own has other tests' indices."""

    def do_POST(self) -> None:
        answer = json.dumps({"hits": {"total": {"value": 0, "relation": "eq"}, "hits": []}}).encode()
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("X-Elastic-Product", "Elasticsearch")
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_: object) -> None:
        pass


@pytest.mark.slow
def test_missing_index_and_unavailable_elasticsearch_are_reported(
    open_page: OpenPage, tmp_path: Path
) -> None:
    port = free_port()
    server = ThreadingHTTPServer(("127.0.0.1", port), _EmptyElasticsearch)
    Thread(target=server.serve_forever, daemon=True).start()
    with serve(f"http://127.0.0.1:{port}", tmp_path) as (url, process):
        page = open_page(f"{url}/?symbol={MAIN}")
        try:
            expect(page.get_by_text("There are no trades in Elasticsearch yet.")).to_be_visible()
            expect(page.get_by_text("make demo")).to_be_visible()
        finally:
            server.shutdown()
            server.server_close()
        expect(page.get_by_text("Elasticsearch has not answered since")).to_be_visible()
        expect(page.get_by_text("There are no trades")).to_be_visible()
        expect(page.get_by_test_id("stException")).to_have_count(0)
        assert_ends_on_sigterm(process)


def assert_ends_on_sigterm(process: "subprocess.Popen[bytes]") -> None:
    began_s = time.monotonic()
    process.terminate()
    assert process.wait(10) == 0
    assert time.monotonic() - began_s < 5
