"""Waiting times of the dashboard in a real browser: of one symbol's page and of the overview.

One symbol's page shows a day of 221,402 trades (a real one where there is one, else a generated one of as
many), the overview a generated day of 500 symbols. Both go through the pipeline into the embedded
Elasticsearch; then Kafka and the services are stopped, so that the two servers and the browser have the
machine to themselves. Elasticsearch's cache of answers is emptied before each measurement, a trade of another
symbol is added before each visit, so that the dashboard gives no answer of the visit before, and the page
does not refresh by itself.

First meaningful paint is from the start of the navigation in a new window, with nothing in the browser's
cache, until all that is meant to be seen first is in the page: counts, price line with its markers, volume
and list, or counts, heat map, lists and ranking. A change of a filter is from the click or the key, both by
the browser's clock, until the page shows what was chosen: other marks for the severity, another number of
trades and another line for the time, candles for the line. Each figure is the median of several, after one
that warms up.
"""

import datetime as dt
import os
import shutil
import statistics
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from playwright.sync_api import Browser, Error, Page, sync_playwright

from benchmarks.rows import Row
from benchmarks.surroundings import (
    OUT,
    PROJECT,
    REAL_DAYS,
    command,
    environment,
    generated_day,
    note,
    run_command,
)
from infra.embedded.ports import free_port
from infra.embedded.stack import EmbeddedStack, StackConfig
from services.common.elastic.client import Elasticsearch, new_client
from services.common.errors import TapewatchError
from services.sources.synthetic.day import DayConfig

REAL_DAY = REAL_DAYS / "xnas-itch-20241202.trades.csv.zst"
REAL_SESSION = dt.date(2024, 12, 2)
GENERATED_DAY = DayConfig(trades=221_402, symbols=1)
MANY_SYMBOLS = DayConfig(date=dt.date(2026, 3, 3), trades=260_000, symbols=500, anomaly_rate=0.005)
TURNS = 5
TIMEOUT_S = 600
TIMEOUT_MS = 60_000.0
WINDOW_MS = 1000.0
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
FLAGS = ("--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update")

PAINTED = """() => {
  const charts = document.querySelectorAll('[data-testid=stVegaLiteChart]');
  return charts.length === 2
    && charts[0].querySelector('.mark-line path') && charts[0].querySelector('.mark-symbol path')
    && charts[1].querySelector('.mark-rect path')
    && document.querySelector('[data-testid=stMetricValue]')
    && document.querySelector('.tw-list tbody tr');
}"""
MARKERS = "document.querySelectorAll('[data-testid=stVegaLiteChart] .mark-symbol path').length"
TRADES = "document.querySelector('[data-testid=stMetricValue]').innerText"
LINE = "document.querySelector('[data-testid=stVegaLiteChart] .mark-line path')?.getAttribute('d')"
CANDLES = "document.querySelectorAll('[data-testid=stVegaLiteChart] .mark-rule.role-mark line').length"


WATCH = """([event, shown]) => {
  const isShown = new Function(`return ${shown}`);
  window.tookMs = null;
  addEventListener(event, ({ timeStamp }) => {
    const look = () => {
      if (isShown()) window.tookMs = performance.now() - timeStamp; else requestAnimationFrame(look);
    };
    look();
  }, { capture: true, once: true });
}"""
"""Takes the milliseconds from the next event of this name until the page fulfils a condition. Driving the
browser from outside takes some 40 ms more, which nobody who sits before it waits for."""

FIRST_PAINT, ANOTHER_SEVERITY = "first meaningful paint", "another severity"

CELLS = "document.querySelectorAll('[data-testid=stVegaLiteChart] .mark-rect path').length"
OVERVIEW_PAINTED = f"""() => {CELLS} > 0
  && document.querySelectorAll('.tw-lines li').length > 1
  && document.querySelectorAll('.tw-rank').length > 1"""

Turn = Callable[[Elasticsearch, Page, str], Iterator[tuple[str, float]]]


def measure() -> list[Row]:
    """Measure the first paint and the changes of both pages."""
    day = REAL_DAY if REAL_DAY.exists() else generated_day(GENERATED_DAY)
    kind = "real" if day == REAL_DAY else "generated"
    session = REAL_SESSION if day == REAL_DAY else GENERATED_DAY.date
    config = StackConfig(kafka_port=free_port(), elasticsearch_port=free_port())
    with EmbeddedStack(config, report=note) as stack:
        _index(stack, day)
        with new_client(stack.elasticsearch_url) as client:
            trades, symbol = _indexed(client)
        _index(stack, generated_day(MANY_SYMBOLS))
        stack.kafka.stop()
        with (
            new_client(stack.elasticsearch_url) as client,
            running_dashboard(stack.elasticsearch_url) as url,
            running_browser() as browser,
        ):
            many = _indexed(client)[0] - trades
            address = f"{url}/?symbol={symbol}&session={session}&live=off"
            of_symbol = _rows(
                f"one symbol, {trades:,} trades of a {kind} day",
                turns_of(client, browser, address, turn_on_symbol),
            )
            address = f"{url}/?session={MANY_SYMBOLS.date}&live=off"
            of_all = _rows(
                f"overview, {MANY_SYMBOLS.symbols} symbols, {many:,} trades",
                turns_of(client, browser, address, _turn_on_overview),
            )
    return of_symbol + of_all


def _rows(what: str, figures: dict[str, list[float]]) -> list[Row]:
    return [
        Row(
            f"dashboard: {name}, {what}",
            statistics.median(seconds),
            "s",
            target="1.6 at most" if name == FIRST_PAINT else "0.3 at most",
        )
        for name, seconds in figures.items()
    ]


def _index(stack: EmbeddedStack, day: Path) -> None:
    """Run a day through the pipeline."""
    surroundings = environment(stack.kafka_bootstrap) | {"TAPEWATCH_ELASTICSEARCH": stack.elasticsearch_url}
    for arguments in (
        ("setup",),
        ("produce", str(day)),
        ("detect", "--until-idle", "2"),
        ("index", "--until-idle", "2"),
    ):
        run_command(surroundings, TIMEOUT_S, *arguments)


def _indexed(client: Elasticsearch) -> tuple[int, str]:
    """Return the number of indexed trades, and the symbol that has most of them."""
    client.indices.refresh(index="trades-*,anomalies-*")
    symbols = {"terms": {"field": "symbol", "size": 1}}
    found = client.search(index="trades-*", size=0, track_total_hits=True, aggs={"symbols": symbols})
    return int(found["hits"]["total"]["value"]), found["aggregations"]["symbols"]["buckets"][0]["key"]


@contextmanager
def running_dashboard(elasticsearch_url: str) -> Iterator[str]:
    """Run the dashboard, as `tapewatch dashboard` does.

    Yields
    ------
    str
        Its URL.
    """
    port = free_port()
    OUT.mkdir(parents=True, exist_ok=True)
    log = OUT / "dashboard.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            command("dashboard", "--port", str(port)),
            env=os.environ | {"TAPEWATCH_ELASTICSEARCH": elasticsearch_url},
            cwd=PROJECT,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        url = f"http://127.0.0.1:{port}"
        deadline_s = time.monotonic() + 60
        while not _answers(f"{url}/_stcore/health"):
            if process.poll() is not None or time.monotonic() > deadline_s:
                raise TapewatchError("The dashboard did not start.", f"See its log, {log}.")
            time.sleep(0.2)
        yield url
    finally:
        process.terminate()
        process.wait(15)


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5):  # noqa: S310
            return True
    except OSError:
        return False


@contextmanager
def running_browser() -> Iterator[Browser]:
    """Run Chromium without a window."""
    with sync_playwright() as playwright:
        own = Path(playwright.chromium.executable_path)
        found = next(filter(None, map(shutil.which, BROWSERS)), str(own) if own.exists() else None)
        if found is None:
            raise TapewatchError(
                "Chromium, which the dashboard is measured in, was not found.",
                "Install it with `.venv/bin/playwright install chromium` or from the system's packages.",
            )
        browser = playwright.chromium.launch(executable_path=found, args=list(FLAGS))
        try:
            yield browser
        finally:
            browser.close()


def turns_of(
    client: Elasticsearch, browser: Browser, address: str, one_turn: Turn, turns: int = TURNS
) -> dict[str, list[float]]:
    """Return the seconds of each measurement, by its name, a number for each turn but the first."""
    figures: dict[str, list[float]] = {}
    for turn in range(turns + 1):
        context = browser.new_context(viewport={"width": 1400, "height": 1400})
        context.set_default_timeout(TIMEOUT_MS)
        page = context.new_page()
        # The window itself, which the browser opens in processes of its own, is not the dashboard's.
        page.wait_for_timeout(WINDOW_MS)
        try:
            _add_trade(client, turn)
            for name, seconds in one_turn(client, page, address):
                if turn:
                    figures.setdefault(name, []).append(seconds)
                    note(f"dashboard: {name}: {seconds:.2f} s")
        except Error as error:
            raise TapewatchError(
                f"The dashboard did not show what it should: {error.message[:300]}",
                f"See the log, {OUT / 'dashboard.log'}.",
            ) from error
        finally:
            context.close()
    return figures


def _add_trade(client: Elasticsearch, number: int) -> None:
    """Index another trade into each day."""
    for index in client.indices.get(index="trades-*"):
        for found in client.search(index=index, size=1)["hits"]["hits"]:
            trade = found["_source"] | {"trade_id": f"added-{number}", "symbol": "ADDED"}
            client.index(index=index, id=trade["trade_id"], document=trade, refresh=True)


def _opened(client: Elasticsearch, page: Page, address: str, painted: str) -> float:
    """Return the seconds from the start of the navigation until the page fulfils a condition."""
    _forget(client)
    began_s = time.perf_counter()
    page.goto(address, wait_until="commit")
    page.wait_for_function(painted, polling="raf")
    return time.perf_counter() - began_s


def _changed(client: Elasticsearch, page: Page, act: Callable[[], object], event: str, shown: str) -> float:
    """Return the seconds from the event of an action until the page fulfils a condition."""
    _forget(client)
    page.evaluate(WATCH, [event, shown])
    act()
    return float(page.wait_for_function("window.tookMs").json_value()) / 1000


def _forget(client: Elasticsearch) -> None:
    client.indices.clear_cache(index="trades-*,anomalies-*", request=True)


def turn_on_symbol(client: Elasticsearch, page: Page, address: str) -> Iterator[tuple[str, float]]:
    """Open one symbol's page and change its filters; yields what was timed, and its seconds."""
    yield FIRST_PAINT, _opened(client, page, address, PAINTED)
    page.wait_for_timeout(1000)

    yield ANOTHER_SEVERITY, _choose_severity(client, page, "low", MARKERS)

    trades, line = page.evaluate(TRADES), page.evaluate(LINE)
    start = page.get_by_role("slider").first
    changed = partial(_changed, client, page)
    others = f"{TRADES} !== {trades!r} && ![undefined, {line!r}].includes({LINE})"
    yield "another time", changed(lambda: start.press("PageUp"), "keydown", others)

    candles = page.get_by_text("Candles", exact=True)
    yield "candles for the line", changed(candles.click, "pointerdown", f"{CANDLES} > 0")


def _turn_on_overview(client: Elasticsearch, page: Page, address: str) -> Iterator[tuple[str, float]]:
    yield FIRST_PAINT, _opened(client, page, address, OVERVIEW_PAINTED)
    page.wait_for_timeout(1000)

    yield ANOTHER_SEVERITY, _choose_severity(client, page, "high", CELLS)


def _choose_severity(client: Elasticsearch, page: Page, severity: str, marks: str) -> float:
    """Return the seconds until other marks are drawn, by their number, after a severity was chosen."""
    before = page.evaluate(marks)
    page.get_by_role("combobox", name="Severity").click()
    option = page.get_by_role("option", name=severity, exact=True)
    option.wait_for()
    shown = f"![0, {before}].includes({marks})"
    seconds = _changed(client, page, option.click, "pointerdown", shown)
    page.keyboard.press("Escape")
    return seconds
