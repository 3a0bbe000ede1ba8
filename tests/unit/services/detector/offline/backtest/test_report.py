import re
from dataclasses import replace
from html.parser import HTMLParser
from io import StringIO

import numpy as np
import pytest
from rich.console import Console

from services.contracts.anomaly import Anomaly, Model, Severity
from services.contracts.trade import Trade
from services.detector.engine.columns import to_columns
from services.detector.engine.state import OutOfOrder
from services.detector.offline.backtest.html import html_page, label_colors, stacked_bars
from services.detector.offline.backtest.report import STRIKING_KEPT, Report, Tally, terminal_report

ZONE = "America/New_York"
HOSTILE = "<script src=x>alert('1')</script>&\"[red]"


def trade(number: int, symbol: str = "NVDA", day: int = 2) -> Trade:
    stamp = f"2024-12-{day:02}T{14 + number % 6:02}:30:00.0000{number:05}Z"
    return Trade(timestamp=stamp, trade_id=str(number), symbol=symbol, price=138.5, size=100, side="N")


def anomaly(score: float, *labels: str, severity: Severity = Severity.LOW, day: int = 2) -> Anomaly:
    return Anomaly(
        anomalies=list(labels or ("Burst",)),
        score=score,
        severity=severity,
        message=f"Odd {HOSTILE}.",
        detections=[],
        contributions={},
        features={},
        session=f"2024-12-{day:02}",
        model=Model("tapewatch", "1", "abc"),
    )


@pytest.fixture
def tally() -> Tally:
    tally = Tally(ZONE)
    trades = [trade(n, symbol, day) for day in (2, 3) for symbol in ("NVDA", HOSTILE) for n in range(100)]
    tally.add_trades(to_columns(trades, ZONE))
    for n in range(20):
        tally.add_anomaly(trade(n), anomaly(0.5 + n / 50))
    tally.add_anomaly(
        trade(1, HOSTILE, 3), anomaly(1.0, "Off-Market Price", "Burst", severity=Severity.HIGH, day=3)
    )
    tally.add_anomaly(trade(2), anomaly(0.0, "Auction Cross", severity=Severity.INFO))
    return tally


@pytest.fixture
def report(tally: Tally) -> Report:
    return Report(tally, "default", [HOSTILE + ".csv"], 3, OutOfOrder(late=2, repeats=1, too_late=1), 2.0)


def test_what_is_not_judged_and_what_was_held_back_is_told_everywhere(report: Report) -> None:
    told = replace(
        report, remarks=[f"It does not judge {HOSTILE}."], held_back={HOSTILE: 1_234, "Burst of A": 0}
    )
    console = Console(width=200, record=True, file=StringIO())
    console.print(terminal_report(told))
    for text in (console.export_text(), html_page(told)):
        assert "It does not judge" in text
        assert "Held back by the profile" in text
        assert "1,234" in text
        assert "Burst of A" in text
        assert "<script src=x>" not in html_page(told)
    assert "Held back" not in html_page(report)


def test_every_cut_adds_up(tally: Tally) -> None:
    assert (tally.trades, tally.anomalies) == (400, 22)
    for cut in (tally.hours(), tally.symbols(), tally.sessions(), [tally.overall]):
        assert sum(rate.trades for rate in cut) == 400
        assert sum(rate.flagged for rate in cut) == 21
        assert sum(rate.info for rate in cut) == 1
    assert sum(tally.severities.values()) == sum(tally.times.values()) == 22
    assert sum(tally.scores.values()) == 21
    assert tally.labels == ["Burst", "Off-Market Price", "Auction Cross"]
    assert tally.overall.per_1000 == pytest.approx(1000 * 21 / 400)


def test_hours_are_the_exchanges(tally: Tally) -> None:
    assert [rate.name for rate in tally.hours()] == [f"{hour:02}:00" for hour in range(9, 15)]


def test_sessions_are_ranked_by_rate(tally: Tally) -> None:
    assert [rate.name for rate in tally.sessions()][:2] == ["NVDA 2024-12-02", f"{HOSTILE} 2024-12-03"]


def test_the_most_striking_are_kept_by_label_without_info(tally: Tally) -> None:
    striking = tally.striking()
    assert [one.label for one in striking] == ["Off-Market Price"] + ["Burst"] * STRIKING_KEPT
    bursts = [one.score for one in striking[1:]]
    assert bursts == sorted(bursts, reverse=True)
    assert bursts[0] == pytest.approx(0.88)
    assert len(tally.striking(2)) == 3


def test_the_terminal_shows_data_as_it_is(report: Report) -> None:
    console = Console(width=200, record=True, file=open("/dev/null", "w"))  # noqa: SIM115, PTH123
    console.print(terminal_report(report))
    text = console.export_text()
    assert "52.500" in text
    assert HOSTILE in text


class Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.seen: set[str] = set()

    def handle_starttag(self, tag: str, _: list[tuple[str, str | None]]) -> None:
        self.seen.add(tag)


def test_the_page_loads_nothing_and_escapes_text(report: Report) -> None:
    page = html_page(report)
    assert not re.search(r"https?://|url\(|@import|src=[\"']", page)
    tags = Tags()
    tags.feed(page)
    assert tags.seen.isdisjoint({"script", "link", "img", "iframe", "object"})
    assert page.count('<svg viewBox="0 0 960') == 2
    assert "&lt;script" in page


def test_a_page_and_report_without_trades() -> None:
    empty = Report(Tally(ZONE), "default", [], 0, OutOfOrder(), 0.0)
    assert "<svg" not in html_page(empty)
    Console(quiet=True).print(terminal_report(empty))


def test_a_page_with_auctions_only() -> None:
    tally = Tally(ZONE)
    tally.add_trades(to_columns([trade(2)], ZONE))
    tally.add_anomaly(trade(2), anomaly(0.0, "Auction Cross", severity=Severity.INFO))
    assert "Only auction crosses" in html_page(Report(tally, "default", ["a"], 0, OutOfOrder(), 1.0))


def test_bars_are_as_high_as_their_counts() -> None:
    svg = stacked_bars(["a", "<b>"], {"x": [4, 0], "y": [4, 8]}, {"x": "#111", "y": "#222"}, every=1)
    heights = [float(height) for height in re.findall(r'<rect .*?height="([\d.]+)"', svg)]
    assert heights[0] == heights[1]
    assert heights[2] == pytest.approx(2 * heights[0], abs=0.2)
    assert "&lt;b&gt;: 8 y" in svg


@pytest.mark.parametrize("highest", [0, 1, 4, 5, 7, 99, 100, 12_345])
def test_the_axis_holds_every_bar_with_few_lines(highest: int) -> None:
    svg = stacked_bars(["a"], {"x": [highest]}, {"x": "#111"}, every=1)
    assert 2 <= svg.count("<line") <= 7
    labels = [int(text.replace(",", "")) for text in re.findall(r'text-anchor="end">([\d,]+)<', svg)]
    assert max(labels) >= highest
    assert np.all(np.diff(labels) > 0)


def test_unknown_labels_have_a_colour_too() -> None:
    assert list(label_colors(["New", "Burst"])) == ["Burst", "New"]
