"""The page in a real browser, on real Elasticsearch."""

import datetime as dt
import json
import re
import subprocess
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
from playwright.sync_api import Page, expect

from dashboard.palette import SEVERITY_COLORS
from dashboard.queries import MAX_ANOMALIES
from infra.embedded.ports import free_port
from infra.embedded.stack import EmbeddedStack
from services.common.contracts import Severity
from services.common.elastic import new_client
from tests.browser.conftest import OpenPage, serve
from tests.browser.tape import EVIL, EVIL_MESSAGE, MAIN, OPEN, Document, anomalies_of, index_trades, time_of


@pytest.fixture
def page(open_page: OpenPage, dashboard_url: str, tape: list[Document]) -> Iterator[Page]:
    page = open_page(dashboard_url)
    expect(page.get_by_test_id("stDataFrame")).to_be_visible()
    yield page
    expect(page.get_by_test_id("stException")).to_have_count(0)


def main_trades(tape: list[Document]) -> list[Document]:
    return [trade for trade in tape if trade["symbol"] == MAIN]


def expect_metric(page: Page, name: str, value: str) -> None:
    metric = page.get_by_test_id("stMetric").filter(has=page.get_by_text(name, exact=True))
    expect(metric.get_by_test_id("stMetricValue")).to_have_text(value)


def choose(page: Page, control: str, option: str) -> None:
    page.get_by_role("combobox", name=control).click()
    page.get_by_role("option", name=option, exact=True).click()


def marks(page: Page, color: str = "") -> int:
    """Count the markers in the price chart."""
    selector = ".mark-symbol path" + (f"[fill='{color}']" if color else "")
    return page.get_by_test_id("stVegaLiteChart").first.locator(selector).count()


def test_the_newest_session_is_shown_as_a_recount_has_it(page: Page, tape: list[Document]) -> None:
    trades = main_trades(tape)
    anomalies = anomalies_of(trades)
    urgent = [a for a in anomalies if a["severity"] in (Severity.CRITICAL, Severity.HIGH)]
    expect_metric(page, "Trades", f"{len(trades):,}")
    expect_metric(page, "Shares traded", f"{sum(trade['size'] for trade in trades):,}")
    expect_metric(page, "Anomalies", f"{len(anomalies):,}")
    expect_metric(page, "Critical or high", f"{len(urgent):,}")
    expect(page.get_by_text("The 500 with the highest scores of 600 anomalies")).to_be_visible()
    expect(page.get_by_test_id("stVegaLiteChart")).to_have_count(2)
    assert marks(page) == MAX_ANOMALIES


def test_the_table_has_the_highest_score_first_and_the_newest_on_demand(
    page: Page, tape: list[Document]
) -> None:
    table = page.locator("[data-testid=stDataFrame] table")  # what a screen reader gets of the canvas
    expect(table).to_have_attribute("aria-rowcount", str(MAX_ANOMALIES + 1))
    first_row = table.locator("tbody tr").first
    expect(first_row).to_contain_text(EVIL_MESSAGE)
    page.get_by_text("Newest first").click()
    by_score = sorted(main_trades(tape)[:600], key=lambda trade: -trade["_anomaly"]["score"])
    newest = max(trade["@timestamp"] for trade in by_score[:MAX_ANOMALIES])
    expect(first_row).to_contain_text(newest[:23].replace("T", " "))


def test_what_comes_from_the_data_is_text(page: Page) -> None:
    choose(page, "Session", "Tue 3 Jan 2040")
    expect(page.get_by_role("combobox", name="Symbol")).to_have_value(EVIL)
    expect_metric(page, "Trades", "1")
    assert page.locator("b", has_text="EV").count() == 0
    assert page.locator("img[src=x]").count() == 0
    assert page.title() == "Tapewatch"


def test_the_filters_choose_what_is_marked_and_listed(page: Page, tape: list[Document]) -> None:
    anomalies = anomalies_of(main_trades(tape))
    critical = sum(anomaly["severity"] == Severity.CRITICAL for anomaly in anomalies)
    high = sum(anomaly["severity"] == Severity.HIGH for anomaly in anomalies)
    choose(page, "Severity", "high")
    expect(page.get_by_text(re.compile(rf"^{high} anomalies, marked"))).to_be_visible()
    assert marks(page) == marks(page, SEVERITY_COLORS[Severity.HIGH]) == high
    expect_metric(page, "Anomalies", f"{len(anomalies):,}")
    assert critical == 1
    page.keyboard.press("Backspace")
    choose(page, "Severity", "critical")
    expect(page.get_by_text("1 anomaly, marked")).to_be_visible()
    label = next(a for a in anomalies if a["severity"] == Severity.CRITICAL)["anomalies"][0]
    page.keyboard.press("Escape")
    choose(page, "Labels", "Z-Score" if label != "Z-Score" else "High Volume")
    expect(page.get_by_text("No anomaly in this time has these labels and severities")).to_be_visible()


def test_the_time_can_be_narrowed(page: Page, tape: list[Document]) -> None:
    start = page.get_by_role("slider").first
    for _ in range(20):
        start.press("ArrowRight")
    since = OPEN.replace(minute=0) + dt.timedelta(minutes=20)
    expected = [trade for trade in main_trades(tape) if time_of(trade) >= since]
    assert len(expected) < len(main_trades(tape))
    expect_metric(page, "Trades", f"{len(expected):,}")
    expect(page.get_by_text("09:20 to 21:00 in New York")).to_be_visible()


def test_a_time_without_trades_says_so(page: Page) -> None:
    choose(page, "Symbol", "QUIET")
    expect_metric(page, "Trades", "1")
    expect(page.get_by_text("No anomalies in this time.")).to_be_visible()
    page.get_by_role("slider").nth(1).press("Home")
    expect(page.get_by_text("This symbol has no trades in this time.")).to_be_visible()


def test_what_is_indexed_appears_by_itself(page: Page, stack: EmbeddedStack, tape: list[Document]) -> None:
    newer = tape[0] | {"trade_id": "newer", "size": 1}
    newer.pop("_anomaly")
    client = new_client(stack.elasticsearch_url)
    try:
        index_trades(client, [newer])
        expect_metric(page, "Trades", f"{len(main_trades(tape)) + 1:,}")
    finally:
        client.delete(index="trades-" + newer["@timestamp"][:10].replace("-", "."), id="newer", refresh=True)
        client.close()


class _EmptyElasticsearch(BaseHTTPRequestHandler):
    """Answers as Elasticsearch does before the first index: the one of the tests has those of others."""

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


def test_no_index_and_then_no_elasticsearch_are_told(open_page: OpenPage, tmp_path: Path) -> None:
    port = free_port()
    server = ThreadingHTTPServer(("127.0.0.1", port), _EmptyElasticsearch)
    Thread(target=server.serve_forever, daemon=True).start()
    with serve(f"http://127.0.0.1:{port}", tmp_path) as (url, process):
        page = open_page(url)
        try:
            expect(page.get_by_text("There are no trades in Elasticsearch yet.")).to_be_visible()
            expect(page.get_by_text("make demo")).to_be_visible()
        finally:
            server.shutdown()
            server.server_close()
        expect(page.get_by_text(f"Nothing answers at http://127.0.0.1:{port}")).to_be_visible()
        expect(page.get_by_text("There are no trades")).to_have_count(0)
        expect(page.get_by_test_id("stException")).to_have_count(0)
        assert_ends_on_sigterm(process)


def assert_ends_on_sigterm(process: "subprocess.Popen[bytes]") -> None:
    began_s = time.monotonic()
    process.terminate()
    assert process.wait(10) == 0
    assert time.monotonic() - began_s < 5
