"""What the screenshots show: each page and state, by what it is shown of."""

import re
from collections.abc import Callable
from dataclasses import dataclass

from playwright.sync_api import Page

from tests.browser.running_demo import SYMBOLS

TICKED = 3
WATCHED = "ACME,BOLT,EMBR,CRUX,DYNA"


def _nothing(_: Page) -> None:
    pass


def _read_the_day(page: Page) -> None:
    """Have the day read, unless it has been for the image before."""
    button, chart = (
        page.get_by_role("button", name=re.compile("Read ")),
        page.get_by_test_id("stVegaLiteChart"),
    )
    button.or_(chart.first).first.wait_for()
    if button.is_visible():
        button.click()
    chart.first.wait_for()


def _wait_for_what_was_expected(page: Page) -> None:
    """Wait for the two charts that are drawn after the session has been compared once more."""
    page.get_by_test_id("stVegaLiteChart").nth(3).wait_for()


def _wait_for_the_outage(page: Page) -> None:
    page.get_by_text("has not answered since").first.wait_for()


def _open_menu(name: str) -> Callable[[Page], None]:
    """Return what opens a menu of the header."""

    def open_menu(page: Page) -> None:
        page.locator(f".st-key-frame-{name}").get_by_role("button").first.click()

    return open_menu


def _show_keys(page: Page) -> None:
    page.keyboard.press("?")
    page.get_by_role("dialog", name="Keys of this page").wait_for()


def _tick_rows(page: Page) -> None:
    for number in range(TICKED):
        page.get_by_role("checkbox", name="Tick this row").nth(number).check()
    page.get_by_text(f"{TICKED} ticked").wait_for()


@dataclass(frozen=True)
class Shot:
    """What an image shows.

    Parameters
    ----------
    name
        Of the file, before width and scheme.
    path
        Address below the dashboard's; what is in braces is filled in when it is taken.
    prepare
        What is done on the page before.
    is_whole
        Whether the image is as high as the page; else as a screen.
    """

    name: str
    path: str
    prepare: Callable[[Page], None] = _nothing
    is_whole: bool = True


OF_THE_DAY = [
    Shot("overview", "/"),
    Shot("symbol", "/?symbol=ACME"),
    Shot("symbol-selected", "/?symbol=ACME&order=score&selected={worst}"),
    Shot(
        "symbol-expected",
        "/?symbol=ACME&expected=on&from=2026-03-02T15:30Z&to=2026-03-02T16:30Z",
        _wait_for_what_was_expected,
    ),
    Shot("symbol-candles", "/?symbol=ACME&chart=candles&severity=critical,high"),
    Shot("anomaly", "/anomaly?id={worst}"),
    Shot("anomaly-burst", "/anomaly?id={burst}"),
    Shot("alerts", "/alerts"),
    Shot("alert", "/alerts?id={alert}"),
    Shot("search", "/search?symbol=ACME&severity=critical,high&sort=score"),
    Shot("search-ticked", "/search?symbol=ACME&severity=critical,high&sort=score", _tick_rows),
    Shot("search-keys", "/search?symbol=ACME&severity=critical,high&sort=score", _show_keys),
    Shot("search-nothing", "/search?text=nosuchword"),
    Shot("tuning", "/tuning?symbol=ACME", _read_the_day),
    Shot("pipeline", "/health"),
    Shot("no-such-page", "/nosuchpage"),
    Shot("settings", "/search?symbol=ACME", _open_menu("menu")),
]
"""The generated day, as the demo has it."""

OF_WHAT_PEOPLE_AND_THE_VENUE_ADDED = [
    Shot("anomaly-verdict", "/anomaly?id={worst}"),
    Shot("views", "/search?symbol=ACME", _open_menu("views")),
    Shot("symbol-cancelled", "/?symbol=ACME&from={since}&to={until}"),
]

OF_A_WIDE_DAY = [
    Shot("overview-many", f"/?watch={WATCHED}"),
    Shot("overview-wall", "/?wall", is_whole=False),
]
"""A generated day of many symbols with moments at which several have anomalies."""

OF_AN_OUTAGE = [
    Shot("overview-outage", "/", _wait_for_the_outage),
    Shot("symbol-outage", "/?symbol=ACME", _wait_for_the_outage),
]
"""Elasticsearch is away, and the pages were shown before."""

WITHOUT_RIGHTS = [Shot("overview-no-rights", "/")]
EMPTY = [Shot("overview-empty", "/"), Shot("alerts-empty", "/alerts")]
AWAY = [Shot("overview-away", "/"), Shot("pipeline-away", "/health")]
"""Elasticsearch is away, and nothing was ever shown."""

LIVE = [Shot("symbol-live", f"/?symbol={SYMBOLS[0]}"), Shot("pipeline-live", "/health")]
"""A live feed with a gap, a lost connection, and prints that its history has forgotten."""
