"""The dashboard as a process, a browser in front of it, and a small tape in Elasticsearch."""

import os
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Playwright, expect, sync_playwright

from infra.embedded.ports import free_port
from infra.embedded.stack import EmbeddedStack
from services.common.elastic.client import new_client
from tests.browser.tape import Document, index_trades, make_trades, remove

TIMEOUT_MS = 20_000.0
AHEAD_DAYS = 36_500
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
QUIET_FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]

OpenPage = Callable[[str], Page]


def chromium(playwright: Playwright) -> str | None:
    """Return the path of Chromium; None if it is not installed."""
    own = Path(playwright.chromium.executable_path)
    return next(filter(None, map(shutil.which, BROWSERS)), str(own) if own.exists() else None)


@pytest.fixture(scope="package", autouse=True)
def dated_ahead() -> Iterator[None]:
    """The tape's days count as sessions, though they are ahead of the clock."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TAPEWATCH_AHEAD_DAYS", str(AHEAD_DAYS))
        yield


# For each module, not the whole run: until it ends, Playwright's event loop counts as running in this thread,
# and no test after it could run one of its own.
@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Headless Chromium; skips the test if it is not installed."""
    with sync_playwright() as playwright:
        found = chromium(playwright)
        if not found:
            pytest.skip("Chromium is not installed, so the dashboard is not tested in a browser")
        running = playwright.chromium.launch(executable_path=found, args=QUIET_FLAGS)
        yield running
        running.close()


@pytest.fixture(scope="session")
def tape(stack: EmbeddedStack) -> Iterator[list[Document]]:
    """The trades of `make_trades`, indexed."""
    client = new_client(stack.elasticsearch_url)
    trades = make_trades()
    index_trades(client, trades)
    yield trades
    remove(client)
    client.close()


@pytest.fixture(scope="session")
def dashboard_url(stack: EmbeddedStack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The dashboard on the embedded stack."""
    with serve(stack.elasticsearch_url, tmp_path_factory.mktemp("dashboard")) as (url, _):
        yield url


@pytest.fixture(scope="module")
def window(browser: Browser) -> Iterator[BrowserContext]:
    """A wide context in light mode, in a time zone where it is another day; all tests share its cache."""
    context = browser.new_context(viewport={"width": 1400, "height": 1400}, timezone_id="Asia/Tokyo")
    context.set_default_timeout(TIMEOUT_MS)
    expect.set_options(timeout=TIMEOUT_MS)
    yield context
    context.close()


@pytest.fixture
def open_page(window: BrowserContext) -> Iterator[OpenPage]:
    """Opens a new page for a test."""
    page = window.new_page()

    def open_url(url: str) -> Page:
        page.goto(url)
        return page

    yield open_url
    page.close()


@pytest.fixture
def narrow(browser: Browser) -> Iterator[BrowserContext]:
    """A context as narrow as a phone."""
    context = browser.new_context(viewport={"width": 420, "height": 900})
    context.set_default_timeout(TIMEOUT_MS)
    expect.set_options(timeout=TIMEOUT_MS)
    yield context
    context.close()


@contextmanager
def serve(
    elasticsearch_url: str, folder: Path, port: int | None = None, **settings: str
) -> Iterator[tuple[str, "subprocess.Popen[bytes]"]]:
    """Run `tapewatch dashboard` in a folder until the end of the block; the tape's days count as sessions.

    Parameters
    ----------
    elasticsearch_url
        Address of the cluster.
    folder
        The process's current folder.
    port
        Its port; a free one by default.
    **settings
        More environment variables.
    """
    port = port or free_port()
    command = [sys.executable, "-m", "cli.main", "dashboard", "--port", str(port)]
    log = folder / "dashboard.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            cwd=folder,
            env={
                "TAPEWATCH_AHEAD_DAYS": str(AHEAD_DAYS),
                **os.environ,
                "TAPEWATCH_ELASTICSEARCH": elasticsearch_url,
                **settings,
            },
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    url = f"http://127.0.0.1:{port}"
    try:
        _wait_until_it_answers(f"{url}/_stcore/health", process, log)
        yield url, process
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(10)


@contextmanager
def page_of(services: list[str], elasticsearch_url: str, folder: Path, open_page: OpenPage) -> Iterator[Page]:
    """Open the pipeline page of a dashboard that monitors these addresses."""
    before = os.environ.copy()
    os.environ.update(TAPEWATCH_SERVICES=",".join(services), TAPEWATCH_REFRESH_S="1")
    try:
        with serve(elasticsearch_url, folder) as (url, _):
            page = open_page(f"{url}/health")
            yield page
            expect(page.get_by_test_id("stException")).to_have_count(0)
    finally:
        os.environ.clear()
        os.environ.update(before)


def _wait_until_it_answers(url: str, process: "subprocess.Popen[bytes]", log: Path) -> None:
    deadline_s = time.monotonic() + 90
    while True:
        try:
            with urllib.request.urlopen(url, timeout=5):  # noqa: S310
                return
        except OSError:
            if process.poll() is not None or time.monotonic() > deadline_s:
                raise AssertionError(log.read_text()) from None
            time.sleep(0.1)
