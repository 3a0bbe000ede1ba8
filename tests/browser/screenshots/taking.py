"""Takes shots in every width and scheme."""

import io
import re
from collections.abc import Sequence
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, Page

from tests.browser.conftest import TIMEOUT_MS
from tests.browser.screenshots.few_colors import with_few_colors
from tests.browser.screenshots.shots import Shot

WIDTHS = (1400, 420)
SCHEMES = ("light", "dark")
HEIGHTS = (900, 2100)
"""Lowest and greatest height of an image; what a page has beyond is cut off."""

SETTLED_MS = 3_000.0
"""Time for charts to be drawn after the page says it is done."""

_DONE = "document.querySelectorAll('[data-stale=true], [data-testid=stSpinner]').length == 0"
_CONTENT_HEIGHT = """
() => Math.ceil(document.querySelector('[data-testid=stMainBlockContainer]').getBoundingClientRect().height)
"""


class Taker:
    """Takes screenshots in every width and scheme.

    Parameters
    ----------
    browser
        Running.
    folder
        Where the images go.
    only
        Found in the names of those that are taken.
    """

    def __init__(self, browser: Browser, folder: Path, only: re.Pattern[str]) -> None:
        self._browser = browser
        self._folder = folder
        self._only = only

    def wants(self, *lists: Sequence[Shot]) -> bool:
        """Return whether any of them is to be taken."""
        return any(self._only.search(shot.name) for shots in lists for shot in shots)

    def visit(self, url: str, shots: Sequence[Shot]) -> None:
        """Open the pages of shots, so that the dashboard has what they show."""
        for shot in shots:
            page = self._opened(url + shot.path, WIDTHS[0], SCHEMES[0])
            _wait_until_drawn(page)
            page.close()

    def take(self, url: str, shots: Sequence[Shot], **filled: str) -> None:
        """Take those that are wanted.

        Parameters
        ----------
        url
            The dashboard's.
        shots
            What is shown.
        filled
            What their paths have in braces.
        """
        for shot in shots:
            if not self._only.search(shot.name):
                continue
            # All at once, as most of the time is spent waiting.
            address = url + shot.path.format(**filled)
            names = [(width, scheme) for width in WIDTHS for scheme in SCHEMES]
            pages = [self._opened(address, width, scheme) for width, scheme in names]
            for page in pages:
                _wait_until_drawn(page)
                shot.prepare(page)
            pages[-1].wait_for_timeout(SETTLED_MS)
            for page in pages if shot.is_whole else ():
                _fit(page)
            pages[-1].wait_for_timeout(SETTLED_MS)
            for page, (width, scheme) in zip(pages, names, strict=True):
                page.wait_for_function(_DONE)
                picture = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
                _save(self._folder / f"{shot.name}-{width}-{scheme}.png", picture)
                page.close()

    def _opened(self, url: str, width: int, scheme: str) -> Page:
        page = self._browser.new_page(
            viewport={"width": width, "height": HEIGHTS[0]},
            color_scheme="dark" if scheme == "dark" else "light",
            timezone_id="UTC",
        )
        page.set_default_timeout(6 * TIMEOUT_MS)
        page.goto(url)
        return page


def _wait_until_drawn(page: Page) -> None:
    page.get_by_test_id("stApp").wait_for()
    page.wait_for_function(_DONE)
    page.wait_for_timeout(SETTLED_MS)


def _fit(page: Page) -> None:
    """Make the window as high as the page, within bounds."""
    size = page.viewport_size
    assert size is not None
    height = min(max(int(page.evaluate(_CONTENT_HEIGHT)), HEIGHTS[0]), HEIGHTS[1])
    page.set_viewport_size({"width": size["width"], "height": height})


def _save(path: Path, picture: Image.Image) -> None:
    with_few_colors(picture).save(path, optimize=True)
    print(f"{path.name}: {path.stat().st_size // 1024} kB", flush=True)
