"""A real day on the symbol page: every number equals a count from the file."""

import datetime as dt
from collections import Counter
from collections.abc import Iterator

import polars as pl
import pytest
from playwright.sync_api import Page, expect

from dashboard.pages.symbol.queries import MAX_ANOMALIES, TradeSummary, find_anomalies, summarize_trades
from dashboard.server.elastic import open_client
from dashboard.server.sessions import summarize_period
from dashboard.ui.palette import SIDES
from dashboard.ui.time_ranges import Period, TimeRange, to_round_times
from infra.embedded.stack import EmbeddedStack
from services.common.elastic.client import Elasticsearch
from tests.browser.conftest import OpenPage
from tests.browser.tape import Document
from tests.integration.pipeline import backtested, run_pipeline
from tests.samples import REAL_DATA, needs_real_data

FILE = REAL_DATA / "xnas-itch-20241202.trades.csv.zst"
SYMBOL = "NVDA"
DAY = dt.date(2024, 12, 2)

pytestmark = [needs_real_data, pytest.mark.slow]


@pytest.fixture(scope="module")
def trades() -> pl.DataFrame:
    """The file's rows, in order of time."""
    table = pl.read_csv(FILE, columns=["ts_event", "price", "size", "side", "sequence"])
    time = pl.col("ts_event").str.to_datetime("%Y-%m-%dT%H:%M:%S%.fZ", time_unit="ns", time_zone="UTC")
    return table.with_columns(time).sort("ts_event", "sequence")


@pytest.fixture(scope="module")
def anomalies(stack: EmbeddedStack, tmp_path_factory: pytest.TempPathFactory) -> list[Document]:
    """The backtest's anomalies of the file; meanwhile the pipeline indexes it."""
    path = tmp_path_factory.mktemp("real") / "day.csv.zst"
    path.symlink_to(FILE.resolve())
    run_pipeline(stack, str(path))
    return list(backtested(stack, path).values())


@pytest.fixture(scope="module")
def client(stack: EmbeddedStack, anomalies: list[Document]) -> Iterator[Elasticsearch]:
    with open_client(stack.elasticsearch_url) as opened:
        opened.indices.refresh(index="trades-*,anomalies-*")
        yield opened


@pytest.fixture(scope="module")
def shown(client: Elasticsearch) -> TimeRange:
    """What the page shows of the session without filters."""
    period = summarize_period(client, Period(DAY, DAY).time_range)
    assert period is not None
    return to_round_times(period.first_trade, period.last_trade)


def test_trades_shares_and_sides_are_those_of_the_file(
    client: Elasticsearch, shown: TimeRange, trades: pl.DataFrame
) -> None:
    summary = summarize_trades(client, SYMBOL, shown)
    assert summary.trades == len(trades) == 221_402
    assert summary.shares == trades["size"].sum()
    by_side = dict(trades.group_by("side").agg(pl.col("size").sum()).iter_rows())
    assert {side: summary.buckets[column].sum() for side, column in SIDES.items()} == by_side


@pytest.mark.parametrize("candles", [False, True])
def test_each_bucket_has_the_files_trades_and_prices(
    candles: bool, client: Elasticsearch, shown: TimeRange, trades: pl.DataFrame
) -> None:
    summary = summarize_trades(client, SYMBOL, shown, candles=candles)
    columns = ["start", "trades", "low", "high", *(["first"] if candles else []), "last", *SIDES.values()]
    found = summary.buckets[columns].itertuples(index=False, name=None)
    assert list(found) == recount(trades, summary).select(columns).rows()


def recount(trades: pl.DataFrame, summary: TradeSummary) -> pl.DataFrame:
    price, size = pl.col("price"), pl.col("size")
    return (
        trades.group_by(start=pl.col("ts_event").dt.truncate(f"{summary.bucket_s}s"))
        .agg(
            trades=pl.len(),
            low=price.min(),
            high=price.max(),
            first=price.first(),
            last=price.last(),
            **{column: size.filter(pl.col("side") == side).sum() for side, column in SIDES.items()},
        )
        .sort("start")
    )


def test_the_anomalies_are_those_of_the_backtest(
    client: Elasticsearch, shown: TimeRange, anomalies: list[Document]
) -> None:
    found = find_anomalies(client, SYMBOL, shown)
    assert anomalies
    assert found.chosen == len(anomalies)
    assert found.by_severity == Counter(anomaly["severity"] for anomaly in anomalies)
    assert found.by_label == Counter(label for anomaly in anomalies for label in anomaly["anomalies"])
    ranked = sorted((anomaly["score"] for anomaly in anomalies), reverse=True)
    assert found.rows["score"].tolist() == ranked[:MAX_ANOMALIES]


@pytest.fixture
def without_later_sessions(client: Elasticsearch) -> Iterator[None]:
    """Closes other tests' indices, because a session long before the newest is not offered."""
    later = sorted(client.indices.get(index="*-2039.*,*-2040.*"))
    if later:
        client.indices.close(index=later)
    yield
    if later:
        client.indices.open(index=later)


@pytest.mark.usefixtures("without_later_sessions")
def test_the_page_shows_them(
    trades: pl.DataFrame,
    anomalies: list[Document],
    open_page: OpenPage,
    dashboard_url: str,
) -> None:
    page = open_page(f"{dashboard_url}/?session={DAY}&symbol={SYMBOL}&live=off")
    urgent = sum(anomaly["severity"] in ("critical", "high") for anomaly in anomalies)
    expect_metric(page, "Trades", f"{len(trades):,}")
    expect_metric(page, "Volume", f"{trades['size'].sum():,}")
    expect_metric(page, "Anomalies", f"{len(anomalies):,}")
    expect_metric(page, "Critical or high", f"{urgent:,}")
    expect_metric(page, "Anomalies per 1,000 trades", f"{1000 * len(anomalies) / len(trades):.1f}")
    markers = page.get_by_test_id("stVegaLiteChart").first.locator(".mark-symbol path")
    expect(markers).to_have_count(min(len(anomalies), MAX_ANOMALIES))


def expect_metric(page: Page, name: str, value: str) -> None:
    metric = page.get_by_test_id("stMetric").filter(has=page.get_by_text(name, exact=True))
    expect(metric.get_by_test_id("stMetricValue")).to_have_text(value)
