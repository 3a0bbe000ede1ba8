from dashboard.pages.overview.queries import Price, Ranking, to_cells
from dashboard.pages.overview.state import View
from dashboard.pages.overview.symbol_list import cards_html, ranking_html
from dashboard.pages.overview.watched import Mark, Watched
from dashboard.server.anomaly_rows import to_anomaly_rows
from tests.unit.dashboard.answers import OPEN, RANGE, anomaly

EVIL = "<b>EV*IL*</b>"


def test_a_ranked_symbol_has_its_link_counts_price_and_last_sentence() -> None:
    last = to_anomaly_rows([anomaly("7", symbol=EVIL, message=EVIL)])
    ranking = Ranking({EVIL: {"high": 2, "low": 1_000}}, to_cells({}, 60), last)
    html = ranking_html(ranking, {EVIL: Price(100.0, 101.5)}, View(severities=("high",)), with_day=False)
    assert "<b>EV" not in html
    assert 'href="?symbol=%3Cb%3EEV%2AIL%2A%3C%2Fb%3E&amp;severity=high"' in html
    for text in ("2 high", "1,000 low", ">101.50 <", "+1.50%", 'href="anomaly?id=7"'):
        assert text in html


def test_a_watched_symbol_has_its_chart_counts_and_last_anomaly() -> None:
    (last,) = to_anomaly_rows([anomaly("7")]).to_dict("records")
    at_ms = OPEN.timestamp() * 1000
    shown = Watched(
        "ACME",
        [(at_ms, 10.0), (at_ms + 60_000, 9.0)],
        8.0,
        {"high": 1},
        [Mark(at_ms, 10.0, "high")],
        {str(name): value for name, value in last.items()},
    )
    html = cards_html([shown], View(), RANGE, with_day=False)
    assert 'alt="ACME: 9.00 (+12.50%), 1 anomaly"' in html
    for text in (
        'href="?symbol=ACME"',
        "<span>9.00 <",
        "1 high",
        "50,000 shares in one trade.",
        "14:31:00 UTC",
    ):
        assert text in html


def test_a_watched_symbol_without_trades_says_so() -> None:
    html = cards_html([Watched(EVIL, [], None, {}, [], None)], View(), RANGE, with_day=False)
    assert "<b>EV" not in html
    assert "No trades in this time." in html
    assert "No anomalies in this time." in html
    assert "<img" not in html
