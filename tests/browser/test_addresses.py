"""Addresses that somebody else wrote, in a real browser: a link shows, and changes nothing that is kept."""

import re

import pytest
from playwright.sync_api import Browser, ConsoleMessage, expect

from dashboard.server.preload import PATHS
from tests.browser.conftest import TIMEOUT_MS, OpenPage
from tests.browser.tape import MAIN, QUIET, Document


@pytest.mark.slow
def test_a_link_shows_its_senders_watchlist_and_leaves_the_readers_alone(
    browser: Browser, dashboard_url: str, tape: list[Document]
) -> None:
    context = browser.new_context(viewport={"width": 1400, "height": 1000})
    context.set_default_timeout(TIMEOUT_MS)
    page = context.new_page()
    page.goto(f"{dashboard_url}/?symbol={MAIN}")
    page.get_by_role("button", name="Watch", exact=True).click()
    page.wait_for_function(f"document.cookie.includes('tapewatch_watched={MAIN}')")
    page.goto(f"{dashboard_url}/?symbol={MAIN}&watch=COLLEAGUE1,%00,COLLEAGUE2")
    expect(page.get_by_role("radio", name=re.compile("COLLEAGUE"))).to_have_count(2)
    expect(page.get_by_text("This watchlist came with the link.")).to_be_visible()
    page.wait_for_timeout(6000)  # a refresh comes
    # Streamlit has a cookie of its own, which comes when it likes.
    kept = {one["name"]: one["value"] for one in context.cookies() if one["name"].startswith("tapewatch_")}
    assert kept == {"tapewatch_watched": MAIN}
    page.get_by_role("button", name="Show mine").click()
    expect(page.get_by_role("radio", name=re.compile("COLLEAGUE"))).to_have_count(0)
    expect(page.get_by_role("button", name="Watched", exact=True)).to_be_visible()
    page.goto(f"{dashboard_url}/?symbol={MAIN}&watch={QUIET}")
    page.get_by_role("button", name="Keep it").click()
    page.wait_for_function(f"document.cookie.includes('tapewatch_watched={QUIET}')")
    expect(page.get_by_text("This watchlist came with the link.")).to_have_count(0)
    context.close()


def test_an_address_of_no_page_says_so(open_page: OpenPage, dashboard_url: str) -> None:
    page = open_page(f"{dashboard_url}/nosuchpage")
    expect(page.get_by_text("There is no such page.")).to_be_visible()
    expect(page.get_by_text("nosuchpage", exact=True)).to_be_visible()
    page.get_by_role("link", name="Search").click()
    expect(page.get_by_text("There is no such page.")).to_have_count(0)


@pytest.mark.slow
@pytest.mark.parametrize("path", ["", *PATHS])
def test_the_browser_has_nothing_to_complain_about(
    path: str, open_page: OpenPage, dashboard_url: str, tape: list[Document]
) -> None:
    page = open_page("about:blank")
    told: list[str] = []

    def note(message: ConsoleMessage) -> None:
        if message.type == "error":
            told.append(message.text)

    page.on("console", note)
    page.goto(f"{dashboard_url}/{path}")
    expect(page.get_by_role("link", name="Pipeline")).to_be_visible()
    expect(page.get_by_text("There is no such page.")).to_have_count(0)
    page.wait_for_load_state("networkidle")
    assert told == []
