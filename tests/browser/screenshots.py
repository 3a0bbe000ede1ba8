"""Takes the screenshots of the docs: `python -m tests.browser.screenshots`; takes some ten minutes.

Starts the demo on its generated day, and takes every page and state, in light and dark, 1,400 and 420 pixels
wide; the images replace those in docs/images/dashboard. With `--live` it takes the one of docs/feeds.md
instead: it starts a venue that runs here, and a demo that watches it. Needs Chromium.
"""

import argparse
import io
import re
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright

from infra.embedded.ports import LOOPBACK, free_port
from infra.embedded.stack import EmbeddedStack, StackConfig
from services.common.elastic.client import Elasticsearch, new_client
from services.contracts.anomaly import SEVERITY_COLORS
from services.contracts.indices import ALERTS_INDICES, ANOMALIES_INDICES
from tests.browser.conftest import TIMEOUT_MS, chromium, serve
from tests.browser.running_demo import PER_SECOND, SYMBOLS, RunningDemo, live_demo, make_faults, running_demo

IMAGES = Path(__file__).parents[2] / "docs" / "images"
FOLDER = IMAGES / "dashboard"
WIDTHS = (1400, 420)
SCHEMES = ("light", "dark")
HEIGHTS = (900, 2400)
"""Lowest and greatest height of an image; what a page has beyond is cut off."""

COLORS = 256
SETTLED_MS = 3_000.0
"""Time for charts to be drawn after the page says it is done."""

LIVE_HEIGHT = 918
LIVE_S = 170.0
LIVE_FAULTS_EVERY_S = 40.0

_DONE = "document.querySelectorAll('[data-stale=true], [data-testid=stSpinner]').length == 0"
_CONTENT_HEIGHT = """
() => Math.ceil(document.querySelector('[data-testid=stMainBlockContainer]').getBoundingClientRect().height)
"""


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


@dataclass(frozen=True)
class Shot:
    """What an image shows.

    Parameters
    ----------
    name
        Of the file, before width and scheme.
    path
        Address below the dashboard's.
    prepare
        What is done on the page before.
    """

    name: str
    path: str
    prepare: Callable[[Page], None] = _nothing


def shots_of_the_day(client: Elasticsearch) -> list[Shot]:
    """Return what is taken of the demo's day."""
    worst = _first(client, ANOMALIES_INDICES, {"term": {"symbol": "ACME"}}, [{"score": "desc"}])
    burst = _first(client, ANOMALIES_INDICES, {"term": {"anomalies": "Burst"}}, [{"score": "desc"}])
    alert = _first(client, ALERTS_INDICES, {"term": {"severity": "critical"}}, [{"@timestamp": "desc"}])
    return [
        Shot("overview", "/"),
        Shot("symbol", "/?symbol=ACME"),
        Shot("symbol-selected", f"/?symbol=ACME&order=score&selected={worst}"),
        Shot(
            "symbol-expected",
            "/?symbol=ACME&expected=on&from=2026-03-02T15:30Z&to=2026-03-02T16:30Z",
            _wait_for_what_was_expected,
        ),
        Shot("symbol-candles", "/?symbol=ACME&chart=candles&severity=critical,high"),
        Shot("anomaly", f"/anomaly?id={worst}"),
        Shot("anomaly-burst", f"/anomaly?id={burst}"),
        Shot("alerts", "/alerts"),
        Shot("alert", f"/alerts?id={alert}"),
        Shot("search", "/search?symbol=ACME&severity=critical,high&sort=score"),
        Shot("search-nothing", "/search?text=nosuchword"),
        Shot("tuning", "/tuning?symbol=ACME", _read_the_day),
        Shot("pipeline", "/health"),
        Shot("no-such-page", "/nosuchpage"),
    ]


EMPTY = [Shot("overview-empty", "/"), Shot("alerts-empty", "/alerts")]
AWAY = [Shot("overview-away", "/"), Shot("pipeline-away", "/health")]


def main() -> int:
    """Take all screenshots; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--live", action="store_true", help="the picture of a live feed instead")
    parser.add_argument("--only", default="", help="names that contain this text")
    parser.add_argument(
        "--to", type=Path, default=FOLDER, metavar="FOLDER", help="default: docs/images/dashboard"
    )
    chosen = parser.parse_args()
    chosen.to.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright, tempfile.TemporaryDirectory() as folder:
        browser = playwright.chromium.launch(executable_path=chromium(playwright))
        if chosen.live:
            _save(IMAGES / "dashboard-live.png", _picture_of_a_live_feed(browser, Path(folder)))
            return 0
        taken = Taker(browser, chosen.to, chosen.only)
        if taken.wants(AWAY):
            with serve(f"http://{LOOPBACK}:{free_port()}", Path(folder)) as (url, _):
                taken.take(url, AWAY)
        if taken.wants(EMPTY):
            with _empty_dashboard(Path(folder)) as url:
                taken.take(url, EMPTY)
        with running_demo(Path(folder)) as demo, new_client(demo.elasticsearch) as client:
            taken.take(demo.dashboard, shots_of_the_day(client))
    return 0


class Taker:
    """Takes screenshots in every width and scheme.

    Parameters
    ----------
    browser
        Running.
    folder
        Where the images go.
    only
        Part of the names of those that are taken.
    """

    def __init__(self, browser: Browser, folder: Path, only: str) -> None:
        self._browser = browser
        self._folder = folder
        self._only = only

    def wants(self, shots: list[Shot]) -> bool:
        """Return whether any of them is to be taken."""
        return any(self._only in shot.name for shot in shots)

    def take(self, url: str, shots: list[Shot]) -> None:
        """Take those that are wanted, of the dashboard at an address."""
        for shot in shots:
            if self._only not in shot.name:
                continue
            for width in WIDTHS:
                for scheme in SCHEMES:
                    page = _opened(self._browser, url + shot.path, (width, HEIGHTS[0]), scheme)
                    shot.prepare(page)
                    _fit(page, width)
                    _save(self._folder / f"{shot.name}-{width}-{scheme}.png", _image(page.screenshot()))
                    page.close()


@contextmanager
def _empty_dashboard(folder: Path) -> Iterator[str]:
    config = StackConfig(kafka_port=free_port(), elasticsearch_port=free_port())
    with EmbeddedStack(config) as stack, serve(stack.elasticsearch_url, folder) as (url, _):
        yield url


def _first(client: Elasticsearch, index: str, query: dict[str, Any], sort: list[Any]) -> str:
    """Return the id of the first document that a search finds."""
    hits = client.search(index=index, size=1, query=query, sort=sort)["hits"]["hits"]
    assert hits, f"{index} has nothing for {query}"
    return str(hits[0]["_id"])


def _fit(page: Page, width: int) -> None:
    """Make the window as high as the page, within bounds."""
    page.wait_for_timeout(SETTLED_MS)
    height = min(max(int(page.evaluate(_CONTENT_HEIGHT)), HEIGHTS[0]), HEIGHTS[1])
    page.set_viewport_size({"width": width, "height": height})
    page.wait_for_timeout(SETTLED_MS / 3)


def _picture_of_a_live_feed(browser: Browser, folder: Path) -> Image.Image:
    """Return a symbol's charts, and below them the feed's card of the pipeline page."""
    wide = WIDTHS[0]
    every = int(LIVE_FAULTS_EVERY_S * PER_SECOND)
    with live_demo(folder, make_faults(every, every)) as (demo, _):
        time.sleep(LIVE_S)
        return _stacked([_charts(browser, demo, wide), _card(browser, demo, wide)])


def _charts(browser: Browser, demo: RunningDemo, wide: int) -> Image.Image:
    page = _opened(browser, f"{demo.dashboard}/?symbol={SYMBOLS[0]}", (wide, LIVE_HEIGHT), "light")
    page.get_by_test_id("stVegaLiteChart").nth(1).wait_for()
    page.wait_for_timeout(SETTLED_MS)
    charts = _image(page.screenshot())
    page.close()
    return charts


def _card(browser: Browser, demo: RunningDemo, wide: int) -> Image.Image:
    page = _opened(browser, f"{demo.dashboard}/health", (wide, wide), "light")
    top, bottom = (
        page.get_by_role("heading", name=name).bounding_box() for name in ("Feeds", "Elasticsearch")
    )
    assert top is not None
    assert bottom is not None
    whole = _image(page.screenshot())
    page.close()
    return whole.crop((0, int(top["y"]), wide, int(bottom["y"])))


def _opened(browser: Browser, url: str, size: tuple[int, int], scheme: str) -> Page:
    page: Page = browser.new_page(
        viewport={"width": size[0], "height": size[1]},
        color_scheme="dark" if scheme == "dark" else "light",
        timezone_id="UTC",
    )
    page.set_default_timeout(6 * TIMEOUT_MS)
    page.goto(url)
    page.get_by_test_id("stApp").wait_for()
    page.wait_for_function(_DONE)
    page.wait_for_timeout(SETTLED_MS)
    return page


def _image(content: bytes) -> Image.Image:
    return Image.open(io.BytesIO(content)).convert("RGB")


def _stacked(pictures: list[Image.Image]) -> Image.Image:
    whole = Image.new("RGB", (pictures[0].width, sum(one.height for one in pictures)), "white")
    top = 0
    for one in pictures:
        whole.paste(one, (0, top))
        top += one.height
    return whole


def _save(path: Path, picture: Image.Image) -> None:
    _with_few_colors(picture).save(path, optimize=True)
    print(f"{path.name}: {path.stat().st_size // 1024} kB", flush=True)


def _with_few_colors(picture: Image.Image) -> Image.Image:
    """Return it with a palette of its most frequent colours, and of those that small marks have."""
    red, green, blue = np.asarray(picture, dtype=np.int32).transpose(2, 0, 1)
    codes, places, pixels = np.unique(red << 16 | green << 8 | blue, return_inverse=True, return_counts=True)
    meant = [int(color.removeprefix("#"), 16) for color in SEVERITY_COLORS.values() if color.startswith("#")]
    meant = [code for code in meant if code in codes]
    kept = np.array([*meant, *codes[np.argsort(-pixels)][: COLORS - len(meant)]])
    colors, palette = (np.stack([some >> 16, some >> 8 & 255, some & 255], axis=1) for some in (codes, kept))
    nearest = ((colors[:, None, :] - palette[None, :, :]) ** 2).sum(axis=2).argmin(axis=1)
    drawn = Image.fromarray(nearest[places].reshape(red.shape).astype(np.uint8), "P")
    drawn.putpalette(palette.astype(np.uint8).tobytes())
    return drawn


if __name__ == "__main__":
    sys.exit(main())
