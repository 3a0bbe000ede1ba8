"""The search page in a real browser."""

import csv
import io
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlencode

import pyarrow.parquet as pq
import pytest
from playwright.sync_api import Locator, Page, expect

from dashboard.server.anomaly_search import PAGE_ROWS
from infra.embedded.stack import EmbeddedStack
from services.common.elastic.client import Elasticsearch, new_client
from services.review.verdicts import Decision, record
from tests.browser.conftest import OpenPage
from tests.browser.tape import EVIL_MESSAGE, MAIN, Document

OpenSearch = Callable[..., Page]

TAPE = {"from": "2040-01-02T00:00"}
"""Start after other tests' anomalies, which are in earlier years."""


@pytest.fixture(scope="module")
def found(tape: list[Document]) -> list[Document]:
    return [trade | trade["_anomaly"] for trade in tape if "_anomaly" in trade]


@pytest.fixture(scope="module")
def judged(stack: EmbeddedStack, found: list[Document]) -> Iterator[Document]:
    """An anomaly with a verdict."""
    with new_client(stack.elasticsearch_url) as client:
        record(client, found[5], Decision.CONFIRMED, "seen", "Kim")
        yield found[5]
        forget_verdicts(client)


def forget_verdicts(client: Elasticsearch) -> None:
    client.indices.delete(index="verdicts", ignore_unavailable=True)


@pytest.fixture
def search(open_page: OpenPage, dashboard_url: str, found: list[Document]) -> Iterator[OpenSearch]:
    opened: list[Page] = []

    def open_search(**parameters: str) -> Page:
        page = open_page(f"{dashboard_url}/search?{urlencode(TAPE | parameters)}")
        expect(page.get_by_label("Words in the message")).to_be_visible()
        opened.append(page)
        return page

    yield open_search
    for page in opened:
        expect(page.get_by_test_id("stException")).to_have_count(0)


def expect_count(page: Page, text: str) -> None:
    expect(page.get_by_text(f"{text} anomalies", exact=True)).to_be_visible()


def first_row(page: Page) -> Locator:
    return page.locator(".tw-list tbody tr").first


def expect_first(page: Page, trade_id: str) -> None:
    expect(first_row(page)).to_have_attribute("data-id", trade_id)


def choose(page: Page, control: str, option: str) -> None:
    page.get_by_role("combobox", name=control).click()
    page.get_by_role("option", name=option, exact=True).click()
    page.keyboard.press("Escape")


@pytest.mark.slow
def test_the_pages_go_to_the_end_and_back(search: OpenSearch, found: list[Document]) -> None:
    page = search()
    total = len(found)
    newest = sorted((one["@timestamp"] for one in found), reverse=True)
    expect_count(page, f"1 to {PAGE_ROWS} of {total}")
    expect(first_row(page)).to_contain_text(newest[0][11:23])
    page.get_by_role("button", name="Next", exact=True).click()
    expect_count(page, f"{PAGE_ROWS + 1} to {2 * PAGE_ROWS} of {total}")
    expect(first_row(page)).to_contain_text(newest[PAGE_ROWS][11:23])
    expect(page).to_have_url(re.compile("at=after%3Atest-|at=after:test-"))
    page.reload()
    expect_count(page, f"{PAGE_ROWS + 1} to {2 * PAGE_ROWS} of {total}")
    page.get_by_role("button", name="Last", exact=True).click()
    expect_count(page, f"{total - PAGE_ROWS + 1} to {total} of {total}")
    page.get_by_role("button", name="Previous", exact=True).click()
    expect_count(page, f"{total - 2 * PAGE_ROWS + 1} to {total - PAGE_ROWS} of {total}")
    page.get_by_role("button", name="First", exact=True).click()
    expect_count(page, f"1 to {PAGE_ROWS} of {total}")


def test_a_click_on_a_heading_sorts_all_of_it(search: OpenSearch, found: list[Document]) -> None:
    page = search(at="last")
    lowest, *_, highest = (one["trade_id"] for one in sorted(found, key=lambda one: one["price"]))
    price = page.get_by_role("columnheader", name="Price")
    expect(price).to_have_text("Price")
    price.get_by_role("button").click()
    expect(price).to_have_text("Price ↓")
    expect(page).to_have_url(re.compile("sort=price"))
    expect_first(page, highest)
    price.get_by_role("button").click()
    expect(price).to_have_text("Price ↑")
    expect_first(page, lowest)
    expect_count(page, f"1 to {PAGE_ROWS} of {len(found)}")


@pytest.mark.slow
def test_every_filter_narrows_the_results_and_is_in_the_url(
    search: OpenSearch, found: list[Document]
) -> None:
    page = search()
    choose(page, "Symbols", MAIN)
    choose(page, "Severity", "high")
    choose(page, "Labels", "Z-Score")
    fits = [
        one
        for one in found
        if (one["symbol"], one["severity"], one["anomalies"]) == (MAIN, "high", ["Z-Score"])
    ]
    expect_count(page, f"1 to {len(fits)} of {len(fits)}")
    expect(page).to_have_url(re.compile(f"symbol={MAIN}"))
    expect(page).to_have_url(re.compile("severity=high"))
    expect(page).to_have_url(re.compile("label=Z-Score"))
    page.reload()
    expect_count(page, f"1 to {len(fits)} of {len(fits)}")
    page.get_by_label("Words in the message").fill("medium")
    page.keyboard.press("Enter")
    expect(page.get_by_text("No anomaly matches all of these filters.")).to_be_visible()
    page.get_by_role("button", name="Clear filters").click()
    expect(page.get_by_text(re.compile(rf"^1 to {PAGE_ROWS} of \d+ anomalies$"))).to_be_visible()
    expect(page).to_have_url(re.compile("/search$"))
    expect(page.get_by_label("Words in the message")).to_have_value("")


def test_a_link_contains_the_whole_search(
    search: OpenSearch, found: list[Document], judged: Document
) -> None:
    page = search(verdict="confirmed")
    expect(page.get_by_text("1 to 1 of 1 anomalies")).to_be_visible()
    expect(first_row(page)).to_contain_text("confirmed")
    page.goto("about:blank")
    page = search(text="onerror", score="0.9,1", sort="severity", way="asc")
    expect(first_row(page)).to_contain_text(EVIL_MESSAGE)
    assert page.title() == "Search · Tapewatch"
    assert page.locator("img[src=x]").count() == 0


@pytest.mark.slow
@pytest.mark.parametrize(
    "parameters",
    [
        {"sort": "nosuch", "way": "up", "at": "after:", "score": "nan,2"},
        {"from": "yesterday", "to": "9999-99-99", "label": "<b>", "verdict": "maybe", "severity": "*"},
        {"at": "after:nosuch"},
        {"at": "before:" + "x" * 1500},
    ],
)
def test_an_address_that_cannot_be_read_shows_the_first_page(
    search: OpenSearch, parameters: dict[str, str]
) -> None:
    page = search(**parameters)
    expect(page.get_by_text(re.compile(rf"^1 to {PAGE_ROWS} of \d+ anomalies$"))).to_be_visible()


def test_unknown_symbol_is_reported(search: OpenSearch) -> None:
    page = search(symbol="NOSUCH*")
    expect(page.get_by_text("No anomaly of NOSUCH* is indexed: check the symbol.")).to_be_visible()


def test_time_range_that_ends_before_its_start_is_reported(search: OpenSearch) -> None:
    page = search(to="2040-01-01T00:00")
    expect(page.get_by_text("The end must be later than the start.")).to_be_visible()


@pytest.mark.slow
def test_the_result_and_the_labels_are_saved(
    search: OpenSearch, found: list[Document], judged: Document, tmp_path: Path
) -> None:
    page = search(sort="score")
    expected = [one["trade_id"] for one in sorted(found, key=lambda one: (-one["score"], one["trade_id"]))]
    page.get_by_role("button", name="CSV", exact=True).click()
    rows = list(csv.DictReader(io.StringIO(save(page, "anomalies.csv", tmp_path).decode(), newline="")))
    assert [row["trade_id"] for row in rows] == expected
    page.get_by_role("button", name="Parquet", exact=True).click()
    table = pq.read_table(io.BytesIO(save(page, "anomalies.parquet", tmp_path)))
    assert table["trade_id"].to_pylist() == expected
    page.get_by_text("Verdicts as labels for training").click()
    page.get_by_role("button", name="Prepare the labels").click()
    labels = list(csv.DictReader(io.StringIO(save(page, "verdict-labels.csv", tmp_path).decode())))
    assert [(label["trade_id"], label["verdict"]) for label in labels] == [(judged["trade_id"], "confirmed")]


def save(page: Page, name: str, folder: Path) -> bytes:
    button = page.get_by_role("button", name=f"Save {name}")
    expect(button).to_be_visible()
    with page.expect_download() as download:
        button.click()
    download.value.save_as(folder / name)
    assert download.value.suggested_filename == name
    return (folder / name).read_bytes()
