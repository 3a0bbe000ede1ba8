"""The contrast of all text on every page, in the light and in the dark theme."""

import time
from typing import Literal

import pytest
from playwright.sync_api import Browser, Page

from tests.browser.conftest import TIMEOUT_MS
from tests.browser.contrast import SeenText, seen_texts
from tests.browser.tape import Document

PAGES = {
    "/": "Anomalies",
    "/search": "anomalies",
    "/anomaly?id=test-0": "Confirmed",
    "/alerts": "Alerts",
    "/tuning": "Tuning",
    "/health": "Pipeline",
}
"""By address, a text by which the page is known to be there."""


@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(("path", "known"), PAGES.items())
def test_all_text_can_be_read(
    path: str,
    known: str,
    scheme: Literal["light", "dark"],
    browser: Browser,
    dashboard_url: str,
    tape: list[Document],
) -> None:
    context = browser.new_context(viewport={"width": 1400, "height": 1400}, color_scheme=scheme)
    context.set_default_timeout(TIMEOUT_MS)
    page = context.new_page()
    page.goto(dashboard_url + path)
    texts = _when_shown(page, known)
    context.close()
    assert [one for one in texts if not one.is_readable] == []


def _when_shown(page: Page, known: str) -> list[SeenText]:
    """Return the texts when the page has been the same for a second."""
    deadline_s = time.monotonic() + 3 * TIMEOUT_MS / 1000
    before: list[SeenText] = []
    while time.monotonic() < deadline_s:
        page.wait_for_timeout(1000)
        texts = seen_texts(page)
        if texts == before and any(known in one.text for one in texts):
            return texts
        before = texts
    raise AssertionError(f"{page.url} does not come to rest: {[one.text for one in before]}")
