"""Waiting times of the dashboard in a real browser, on a day of 221,402 trades.

The day (a real one where there is one, else a generated one of as many trades) goes through the pipeline into
the embedded Elasticsearch; then Kafka and the services are stopped, so that the two servers and the browser
have the machine to themselves. Elasticsearch's cache of answers is emptied before each measurement, and the
page does not refresh by itself.

First meaningful paint is from the start of the navigation in a new window, with nothing in the browser's
cache, until the counts, the price line with its markers, the volume and the table are in the page. A change
of a filter is from the click or the key until the page shows what was chosen: other markers for the severity,
another number of trades for the time, candles for the line. Each figure is the median of several, after one
that warms up.
"""

import os
import shutil
import statistics
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
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
GENERATED_DAY = DayConfig(trades=221_402, symbols=1)
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
    && document.querySelector('[data-testid=stDataFrame] table tbody tr');
}"""
MARKERS = "document.querySelectorAll('[data-testid=stVegaLiteChart] .mark-symbol path').length"
TRADES = "document.querySelector('[data-testid=stMetricValue]').innerText"
CANDLES = "document.querySelectorAll('[data-testid=stVegaLiteChart] .mark-rule.role-mark line').length"


def measure() -> list[Row]:
    """Measure the first paint and the changes."""
    day = REAL_DAY if REAL_DAY.exists() else generated_day(GENERATED_DAY)
    kind = "real" if day == REAL_DAY else "generated"
    config = StackConfig(kafka_port=free_port(), elasticsearch_port=free_port())
    with EmbeddedStack(config, report=note) as stack:
        trades = _index(stack, day)
        stack.kafka.stop()
        with (
            new_client(stack.elasticsearch_url) as client,
            _dashboard(stack.elasticsearch_url) as url,
            _browser() as browser,
        ):
            note(f"dashboard: {trades:,} trades of a {kind} day, {TURNS} turns")
            figures = _turns(client, browser, url)
    return [
        Row(
            f"dashboard: {name}, {trades:,} trades of a {kind} day",
            statistics.median(seconds),
            "s",
            target="2 at most" if name == "first meaningful paint" else "1 at most",
        )
        for name, seconds in figures.items()
    ]


def _index(stack: EmbeddedStack, day: Path) -> int:
    """Run a day through the pipeline, and return the number of trades indexed."""
    surroundings = environment(stack.kafka_bootstrap) | {"TAPEWATCH_ELASTICSEARCH": stack.elasticsearch_url}
    for arguments in (
        ("setup",),
        ("produce", str(day)),
        ("detect", "--until-idle", "2"),
        ("index", "--until-idle", "2"),
    ):
        run_command(surroundings, TIMEOUT_S, *arguments)
    with new_client(stack.elasticsearch_url) as client:
        client.indices.refresh(index="trades-*,anomalies-*")
        return int(client.count(index="trades-*")["count"])


@contextmanager
def _dashboard(elasticsearch_url: str) -> Iterator[str]:
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
def _browser() -> Iterator[Browser]:
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


def _turns(client: Elasticsearch, browser: Browser, url: str) -> dict[str, list[float]]:
    """Return the seconds of each measurement, by its name, a number for each turn but the first."""
    figures: dict[str, list[float]] = {}
    for turn in range(TURNS + 1):
        context = browser.new_context(viewport={"width": 1400, "height": 1400})
        context.set_default_timeout(TIMEOUT_MS)
        page = context.new_page()
        # The window itself, which the browser opens in processes of its own, is not the dashboard's.
        page.wait_for_timeout(WINDOW_MS)
        try:
            for name, seconds in _one_turn(client, page, url):
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


def _one_turn(client: Elasticsearch, page: Page, url: str) -> Iterator[tuple[str, float]]:
    def timed(act: Callable[[], object], shown: str) -> float:
        client.indices.clear_cache(index="trades-*,anomalies-*", request=True)
        began_s = time.perf_counter()
        act()
        page.wait_for_function(shown, polling="raf")
        return time.perf_counter() - began_s

    yield "first meaningful paint", timed(lambda: page.goto(f"{url}/?live=off", wait_until="commit"), PAINTED)
    page.wait_for_timeout(1000)

    before = page.evaluate(MARKERS)
    page.get_by_role("combobox", name="Severity").click()
    option = page.get_by_role("option", name="low", exact=True)
    option.wait_for()
    yield "another severity", timed(option.click, f"![0, {before}].includes({MARKERS})")
    page.keyboard.press("Escape")

    before = page.evaluate(TRADES)
    start = page.get_by_role("slider").first
    yield "another time", timed(lambda: start.press("PageUp"), f"{TRADES} !== {before!r}")

    candles = page.get_by_text("Candles", exact=True)
    yield "candles for the line", timed(candles.click, f"{CANDLES} > 0")
