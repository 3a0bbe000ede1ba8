"""A review of samples above and below a threshold, played through in a real browser."""

import subprocess
import sys
from collections.abc import Iterator
from os import environ
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from infra.embedded.stack import EmbeddedStack
from services.common.elastic.client import Elasticsearch, new_client
from services.contracts.indices import VERDICTS_INDEX
from services.detector.offline.tuning.evidence.candidates import Candidate, Candidates
from services.detector.offline.tuning.evidence.document import Evidence, write_evidence
from services.detector.offline.tuning.evidence.draw import draw
from services.detector.offline.tuning.evidence.findings import find
from services.detector.profiles.profile import load_profile
from services.review.verdicts import blind_verdicts, history_of, withdraw
from tests.browser.conftest import OpenPage, serve
from tests.browser.tape import DAY, MAIN, Document

NAME = "march"
LOADING_MS = 60_000.0


@pytest.fixture(scope="module")
def client(stack: EmbeddedStack, tape: list[Document]) -> Iterator[Elasticsearch]:
    with new_client(stack.elasticsearch_url) as opened:
        opened.indices.delete(index=VERDICTS_INDEX, ignore_unavailable=True)
        yield opened
        opened.indices.delete(index=VERDICTS_INDEX, ignore_unavailable=True)


@pytest.fixture(scope="module")
def drawn(tape: list[Document], tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Evidence]:
    """A folder with 40 prints of one threshold, and those."""
    folder = tmp_path_factory.mktemp("review")
    own = [trade for trade in tape if trade["symbol"] == MAIN]
    some = [
        Candidate(one["trade_id"], MAIN, one["@timestamp"], abs(one["price"] - 100.0) - 2.0) for one in own
    ]
    found = Candidates({"off_market_price": some}, {(MAIN, str(DAY)): len(own)})
    default = load_profile()
    evidence = draw(found, default, default, seed=7, samples=40)
    write_evidence(evidence, folder / NAME)
    return folder, evidence


@pytest.fixture(scope="module")
def tuning_url(stack: EmbeddedStack, drawn: tuple[Path, Evidence]) -> Iterator[str]:
    with serve(stack.elasticsearch_url, drawn[0]) as (url, _):
        yield f"{url}/tuning"


@pytest.fixture
def page(open_page: OpenPage, tuning_url: str, client: Elasticsearch) -> Iterator[Page]:
    page = open_page(f"{tuning_url}?samples={NAME}")
    yield page
    expect(page.get_by_test_id("stException")).to_have_count(0)


def progress(page: Page, done: int) -> None:
    expect(page.get_by_text(f"{done} of 40 prints reviewed")).to_be_visible(timeout=LOADING_MS)


def say(page: Page, key: str, number: int) -> None:
    """Answer to a print, by its number from 0, once its own buttons are there."""
    expect(page.locator(f".st-key-tuning-review-{number}-{key} button")).to_be_visible(timeout=LOADING_MS)
    # A key that is pressed while the page still runs may be lost.
    page.wait_for_selector("[data-testid=stApp][data-test-script-state=notRunning]", timeout=LOADING_MS)
    page.keyboard.press(key)


def assert_nothing_is_given_away(page: Page, tape: list[Document]) -> None:
    """Of 4,000 trades, the first 600 are anomalies with a severity and a message."""
    text = page.locator("body").inner_text().lower()
    for word in ("critical", "severity", "score", "above the line", "a high one"):
        assert word not in text
    assert page.get_by_test_id("stVegaLiteChart").locator("path[aria-label*=critical]").count() == 0


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_forty_prints_are_judged_blind_and_bound_what_is_missed(
    page: Page,
    client: Elasticsearch,
    drawn: tuple[Path, Evidence],
    tape: list[Document],
    stack: EmbeddedStack,
) -> None:
    folder, evidence = drawn
    assert len(evidence.prints) == 40
    prices = {trade["trade_id"]: trade["price"] for trade in tape}
    progress(page, 0)
    say(page, "n", 0)
    expect(page.get_by_text("Enter your name.")).to_be_visible(timeout=LOADING_MS)
    progress(page, 0)
    page.get_by_label("Your name").fill("Kim")
    page.get_by_label("Your name").press("Enter")
    expect(page.get_by_text("Enter your name.")).to_have_count(0, timeout=LOADING_MS)
    page.get_by_label("Your name").blur()
    # Who judges says that only prices far off are anomalies.
    is_odd = {one.trade_id: abs(prices[one.trade_id] - 100.0) > 2.2 for one in evidence.prints}
    for number, one in enumerate(evidence.prints):
        expect(page.get_by_text(f"at {prices[one.trade_id]:.2f}")).to_be_visible(timeout=LOADING_MS)
        assert_nothing_is_given_away(page, tape)
        say(page, "y" if is_odd[one.trade_id] else "n", number)
        progress(page, number + 1)
    expect(page.get_by_text("What the reviews say")).to_be_visible(timeout=LOADING_MS)

    assert blind_verdicts(client, list(is_odd)) == is_odd
    for trade_id, odd in is_odd.items():
        (entry,) = history_of(client, trade_id)
        assert (entry.verdict, entry.blind, entry.recorded_by) == (
            "confirmed" if odd else "false alarm",
            True,
            "Kim",
        )
    (finding,) = find(evidence, is_odd)
    assert finding.most_missed is not None
    for sentence in finding.sentences():
        expect(page.get_by_text(sentence)).to_be_visible()
    said = subprocess.run(
        [sys.executable, "-m", "cli.main", "evidence", str(folder / NAME)],
        env=environ | {"TAPEWATCH_ELASTICSEARCH": stack.elasticsearch_url},
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert all(sentence in said for sentence in finding.sentences())

    # One that is withdrawn is asked for again.
    again = evidence.prints[3].trade_id
    withdraw(client, again, "Kim")
    page.reload()
    progress(page, 39)
    expect(page.get_by_text(f"at {prices[again]:.2f}")).to_be_visible(timeout=LOADING_MS)


@pytest.mark.slow
def test_without_a_choice_the_page_is_that_of_thresholds(page: Page, tuning_url: str) -> None:
    page.goto(tuning_url)
    chosen = page.get_by_role("combobox", name="Samples")
    expect(chosen).to_have_value("None: choose thresholds", timeout=LOADING_MS)
    expect(page.get_by_text("Profiles are the built-in ones")).to_be_visible(timeout=LOADING_MS)
