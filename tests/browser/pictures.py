"""Takes the pictures of docs/dashboard.md: `python -m tests.browser.pictures`, while `make demo` runs.

Needs Chromium and the anomalies of the demo's generated day. The pictures replace those in docs/images.
"""

import argparse
import io
import re
import sys
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright

from services.common.elastic.client import new_client
from services.contracts.indices import ANOMALIES_INDICES
from tests.browser.conftest import TIMEOUT_MS, chromium

IMAGES = Path(__file__).parents[2] / "docs" / "images"
WIDE = 1400
NARROW = (420, 1080)
GAP = 40
SETTLED_MS = 4_000.0
"""Time for charts to be drawn after the page says it is done."""

BUSY = "[data-stale=true], [data-testid=stSpinner]"
SEARCH = "/search?symbol=ACME&severity=critical,high&sort=score"


def main() -> int:
    """Take all pictures; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--url", default="http://127.0.0.1:8501", help="the dashboard")
    parser.add_argument("--elasticsearch", default="http://127.0.0.1:9200")
    chosen = parser.parse_args()
    anomaly = f"/anomaly?id={_most_striking(chosen.elasticsearch)}"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(playwright))
        for name, path, height in (
            ("dashboard", "/?symbol=ACME&order=score", 1420),
            ("dashboard-anomaly", anomaly, 1390),
            ("dashboard-search", SEARCH, 1100),
            ("dashboard-tuning", "/tuning?symbol=ACME", 1210),
            ("dashboard-health", "/health", 890),
        ):
            _save(name, _picture(browser, chosen.url + path, (WIDE, height), "light"))
        narrow = [
            _picture(browser, chosen.url + path, NARROW, "dark")
            for path in ("/?symbol=ACME", SEARCH, anomaly)
        ]
        _save("dashboard-narrow", _beside_each_other(narrow))
        browser.close()
    return 0


def _most_striking(url: str) -> str:
    """Return the id of the anomaly of ACME with the highest score."""
    with new_client(url) as client:
        found = client.search(
            index=ANOMALIES_INDICES, size=1, query={"term": {"symbol": "ACME"}}, sort=[{"score": "desc"}]
        )
    return str(found["hits"]["hits"][0]["_id"])


def _picture(browser: Browser, url: str, size: tuple[int, int], scheme: str) -> Image.Image:
    page: Page = browser.new_page(
        viewport={"width": size[0], "height": size[1]},
        color_scheme="dark" if scheme == "dark" else "light",
        timezone_id="UTC",
    )
    page.set_default_timeout(6 * TIMEOUT_MS)
    page.goto(url)
    page.get_by_test_id("stApp").wait_for()
    page.wait_for_function(
        "document.querySelectorAll('[data-stale=true], [data-testid=stSpinner]').length == 0"
    )
    page.wait_for_timeout(SETTLED_MS)
    if "/tuning" in url:
        page.get_by_role("button", name=re.compile("Read ")).click()
        page.get_by_test_id("stVegaLiteChart").first.wait_for()
        page.wait_for_timeout(SETTLED_MS)
    content = page.screenshot()
    page.close()
    return Image.open(io.BytesIO(content))


def _beside_each_other(pictures: list[Image.Image]) -> Image.Image:
    width = sum(one.width for one in pictures) + GAP * (len(pictures) - 1)
    whole = Image.new("RGB", (width, max(one.height for one in pictures)), "white")
    left = 0
    for one in pictures:
        whole.paste(one, (left, 0))
        left += one.width + GAP
    return whole


def _save(name: str, picture: Image.Image) -> None:
    path = IMAGES / f"{name}.png"
    picture.convert("RGB").save(path, optimize=True)
    print(f"{path.name}: {path.stat().st_size // 1024} kB")


if __name__ == "__main__":
    sys.exit(main())
