"""Takes the screenshots of the docs: `python -m tests.browser.screenshots`; takes some fifteen minutes.

Takes every page and state, in light and dark, 1,400 and 420 pixels wide: of the demo on its generated day and
on one of many symbols, of a demo that watches a venue that runs here, and of an Elasticsearch that is empty,
away, or refuses. The images replace those in docs/images/dashboard. Needs Chromium.
"""

import argparse
import re
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from playwright.sync_api import sync_playwright

from dashboard.server.answers import SHARED_FOR_S
from infra.embedded.ports import LOOPBACK, free_port
from infra.embedded.stack import EmbeddedStack, StackConfig
from services.common.elastic.client import Elasticsearch, new_client
from services.contracts.indices import ALERTS_INDICES, ANOMALIES_INDICES
from tests.browser.conftest import chromium, serve
from tests.browser.running_demo import PER_SECOND, RunningDemo, live_demo, make_faults, running_demo
from tests.browser.screenshots import additions, shots
from tests.browser.screenshots.taking import Taker
from tests.browser.screenshots.wide_day import write_wide_day
from tests.standins.elastic_proxy import elastic_proxy

FOLDER = Path(__file__).parents[3] / "docs" / "images" / "dashboard"

LIVE_S = 120.0
LIVE_FAULTS_EVERY_S = 30.0

REFUSED = (
    "action [indices:data/read/search] is unauthorized for user [web] with effective roles [web] "
    "on indices [trades-*], this action is granted by the index privileges [read,all]"
)
"""As Elasticsearch words it."""


def main() -> int:
    """Take all screenshots; return the exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--only", type=re.compile, default="", metavar="PATTERN", help="found in their names")
    parser.add_argument(
        "--to", type=Path, default=FOLDER, metavar="FOLDER", help="default: docs/images/dashboard"
    )
    chosen = parser.parse_args()
    chosen.to.mkdir(parents=True, exist_ok=True)
    began_s = time.monotonic()
    with sync_playwright() as playwright, tempfile.TemporaryDirectory() as folder:
        browser = playwright.chromium.launch(executable_path=chromium(playwright))
        taker = Taker(browser, chosen.to, chosen.only)
        for takes in (_without_data, _of_a_wide_day, _of_the_day, _of_a_live_feed):
            takes(taker, Path(folder))
    print(f"{time.monotonic() - began_s:.0f} s")
    return 0


def _without_data(taker: Taker, folder: Path) -> None:
    if taker.wants(shots.AWAY):
        with serve(f"http://{LOOPBACK}:{free_port()}", folder) as (url, _):
            taker.take(url, shots.AWAY)
    if taker.wants(shots.EMPTY):
        config = StackConfig(kafka_port=free_port(), elasticsearch_port=free_port())
        with EmbeddedStack(config) as stack, serve(stack.elasticsearch_url, folder) as (url, _):
            taker.take(url, shots.EMPTY)


def _of_a_wide_day(taker: Taker, folder: Path) -> None:
    if taker.wants(shots.OF_A_WIDE_DAY):
        day = folder / "wide-day.csv"
        write_wide_day(day)
        with running_demo(folder, "--data", str(day)) as demo:
            taker.take(demo.dashboard, shots.OF_A_WIDE_DAY)


def _of_the_day(taker: Taker, folder: Path) -> None:
    added = shots.OF_WHAT_PEOPLE_AND_THE_VENUE_ADDED
    if not taker.wants(shots.OF_THE_DAY, shots.OF_AN_OUTAGE, shots.WITHOUT_RIGHTS, added):
        return
    with running_demo(folder) as demo, new_client(demo.elasticsearch) as client:
        worst = _first(client, ANOMALIES_INDICES, {"term": {"symbol": "ACME"}}, [{"score": "desc"}])
        burst = _first(client, ANOMALIES_INDICES, {"term": {"anomalies": "Burst"}}, [{"score": "desc"}])
        alert = _first(client, ALERTS_INDICES, {"term": {"severity": "critical"}}, [{"@timestamp": "desc"}])
        ids = {"worst": worst["_id"], "burst": burst["_id"], "alert": alert["_id"]}
        taker.take(demo.dashboard, shots.OF_THE_DAY, **ids)
        with _refused(demo, folder) as url:
            taker.take(url, shots.WITHOUT_RIGHTS)
        if taker.wants(shots.OF_AN_OUTAGE):
            with _outage(demo, folder, taker) as url:
                taker.take(url, shots.OF_AN_OUTAGE)
        if taker.wants(added):
            since, until = (f"{at:%Y-%m-%dT%H:%MZ}" for at in additions.add(client, worst["_source"]))
            taker.take(demo.dashboard, added, **ids, since=since, until=until)


def _of_a_live_feed(taker: Taker, folder: Path) -> None:
    if taker.wants(shots.LIVE):
        every = int(LIVE_FAULTS_EVERY_S * PER_SECOND)
        with live_demo(folder, make_faults(every, every)) as (demo, _):
            time.sleep(LIVE_S)
            taker.take(demo.dashboard, shots.LIVE)


@contextmanager
def _refused(demo: RunningDemo, folder: Path) -> Iterator[str]:
    """Yield the address of a dashboard that Elasticsearch gives nothing to."""
    with elastic_proxy(demo.elasticsearch) as proxy:
        proxy.status, proxy.reason = 403, REFUSED
        with serve(proxy.url, folder) as (url, _):
            yield url


@contextmanager
def _outage(demo: RunningDemo, folder: Path, taker: Taker) -> Iterator[str]:
    """Yield the address of a dashboard that has shown the day before Elasticsearch went away."""
    with elastic_proxy(demo.elasticsearch) as proxy, serve(proxy.url, folder) as (url, _):
        taker.visit(url, shots.OF_AN_OUTAGE)
        time.sleep(SHARED_FOR_S)  # younger answers are given without asking
        proxy.is_away = True
        yield url


def _first(client: Elasticsearch, index: str, query: dict[str, Any], sort: list[Any]) -> dict[str, Any]:
    """Return the first document that a search finds."""
    hits = client.search(index=index, size=1, query=query, sort=sort)["hits"]["hits"]
    assert hits, f"{index} has nothing for {query}"
    found: dict[str, Any] = hits[0]
    return found


if __name__ == "__main__":
    sys.exit(main())
