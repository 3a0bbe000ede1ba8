import pytest

from services.alerter.channels.text import (
    change,
    duration,
    headline,
    links,
    listed,
    number,
    numbers,
    paragraphs,
    table,
)
from services.contracts.alert import Alert, AlertState, Digest
from services.contracts.anomaly import Severity
from tests.unit.services.alerter.channels.samples import TRADE, alert, digest


def test_the_headline_has_severity_symbol_and_sentence() -> None:
    told = headline(alert(severity=Severity.CRITICAL))

    assert told == "CRITICAL NVDA: Traded at 1,137.97, eight times the market's price."


def test_a_digest_s_headline_has_its_number_its_reason_and_the_worst() -> None:
    assert headline(digest()) == (
        "Held back: 14 messages about 3 alerts, as the budget of 20 an hour was used up; "
        "the worst: HIGH NVDA: Traded at 1,137.97, eight times the market's price."
    )


@pytest.mark.parametrize(
    ("notice", "told"),
    [
        (alert(), "Revision 1: opened with 1 anomaly (rule urgent, Off-Market Price)."),
        (
            alert(state=AlertState.GREW, revision=3, count=4),
            "Revision 3: now 4 anomalies (rule urgent, Off-Market Price).",
        ),
        (
            alert(state=AlertState.CLOSED, revision=4, count=5),
            "Revision 4: closed after 5 minutes without another, 5 anomalies"
            " (rule urgent, Off-Market Price).",
        ),
        (
            alert(state=AlertState.WITHDRAWN, revision=2, count=0),
            "Revision 2: withdrawn, as the detector has taken back its anomalies;"
            " 0 anomalies (rule urgent, Off-Market Price).",
        ),
        (
            alert(state=AlertState.GREW, revision=2, cancelled=["NVDA-109"]),
            "Revision 2: now 1 anomaly (rule urgent, Off-Market Price)."
            " Cancelled or corrected by the venue: 1 trade, NVDA-109.",
        ),
        (digest(), "The worst: rule urgent, Off-Market Price, 1 anomaly."),
    ],
)
def test_what_has_changed_is_a_sentence(notice: Alert | Digest, told: str) -> None:
    assert change(notice) == told


def test_the_numbers_are_the_worst_anomaly_s() -> None:
    assert numbers(alert()) == {
        "Price": "1,137.97",
        "Size": "12,000 (buy)",
        "Value": "7.25",
        "Expected": "0.1",
        "Threshold": "2",
        "Score": "0.83",
        "Time": "2024-12-02T14:30:09.000000007Z",
        "Venue": "XNAS",
    }


def test_the_table_is_aligned_and_marks_the_worst_trade() -> None:
    assert table(alert()).split("\n") == [
        "time                   price    size  side",
        "14:30:08.5             137.9     100",
        "14:30:08.75           137.95       5  sell",
        "14:30:09.000000007  1,137.97  12,000  buy   <",
    ]


def test_without_trades_there_is_no_table() -> None:
    assert table(alert(trades=[])) == ""


def test_a_long_table_keeps_the_last_trades() -> None:
    lines = table(alert(trades=[TRADE] * 50)).split("\n")

    assert len(lines) == 9


@pytest.mark.parametrize(
    "link",
    ["javascript:alert(1)", "file:///etc/passwd", 'https://x/"onclick="', "https://x/ y", "https://x/>|"],
)
def test_what_is_no_plain_link_to_a_page_is_left_out(link: str) -> None:
    assert links(alert(links={"bad": link, "dashboard": "https://x/"})) == {"Dashboard": "https://x/"}


def test_the_whole_text_has_no_json_and_every_part() -> None:
    told = paragraphs(alert())

    for part in (
        headline(alert()),
        change(alert()),
        table(alert()),
        "Price: 1,137.97",
        "https://kibana.example",
    ):
        assert part in told
    assert "{" not in told


def test_long_lists_say_how_many_more_there_are() -> None:
    assert listed([str(place) for place in range(1_005)]) == "0, 1, 2, 3, 4 and 1,000 more"


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (0.0001234, "0.0001234"),
        (96_250.5, "96,250.5"),
        (100.0, "100"),
        (1e15, "1e+15"),
        (float("nan"), "nan"),
    ],
)
def test_numbers_are_short(value: float, told: str) -> None:
    assert number(value) == told


@pytest.mark.parametrize(
    ("seconds", "told"),
    [(300, "5 minutes"), (3_600, "1 hour"), (90, "90 s"), (0.5, "0.5 s"), (60, "1 minute")],
)
def test_a_time_has_the_largest_whole_unit(seconds: float, told: str) -> None:
    assert duration(seconds) == told
