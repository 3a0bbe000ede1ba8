import datetime as dt
from typing import Any

import pytest

from services.alerter.rules.matching import fits, group_of, part_of_day
from services.alerter.rules.model import Match
from services.alerter.seen import Seen
from services.contracts.anomaly import Severity
from tests.unit.services.alerter.anomalies import SECOND_NS, at, rule, seen


def at_time(text: str, **fields: Any) -> Seen:
    """Return an anomaly at a time of New York's clock, written with its offset."""
    time = dt.datetime.fromisoformat(text)
    return seen(time.timestamp() - at(0) / SECOND_NS, **fields)


@pytest.mark.parametrize(
    ("match", "anomaly", "is_fit"),
    [
        (Match(), {"severity": "low"}, True),
        (Match(), {"severity": "info"}, False),
        (Match(symbols=("NVDA",)), {}, True),
        (Match(symbols=("NV*", "AAPL")), {}, True),
        (Match(symbols=("NV",)), {}, False),
        (Match(symbols=("BTC-*",)), {"symbol": "BTC-USD"}, True),
        (Match(labels=frozenset({"Burst"})), {"labels": ["Unusual Size", "Burst"]}, True),
        (Match(labels=frozenset({"Burst"})), {"labels": ["Unusual Size"]}, False),
        (Match(families=frozenset({"Activity"})), {"labels": ["Fast Market"]}, True),
        (Match(families=frozenset({"Activity"})), {"labels": ["Unusual Size"]}, False),
        (
            Match(labels=frozenset({"Burst"}), families=frozenset({"Size"})),
            {"labels": ["Unusual Size"]},
            True,
        ),
        (Match(severity=Severity.MEDIUM), {"severity": "medium"}, True),
        (Match(severity=Severity.MEDIUM), {"severity": "low"}, False),
        (Match(score=0.7), {"score": 0.7}, True),
        (Match(score=0.7), {"score": 0.69}, False),
        (Match(venues=("XNAS",)), {"venue": "XNAS"}, True),
        (Match(venues=("XNAS",)), {"venue": "ARCX"}, False),
        (Match(venues=("coin*",)), {"source": "coinbase"}, True),
        (Match(venues=("databento",)), {"venue": "XNAS"}, False),
        (Match(sessions=frozenset({"regular"})), {}, True),
        (Match(sessions=frozenset({"pre", "post"})), {}, False),
        (Match(symbols=("NVDA",), severity=Severity.HIGH), {}, False),
    ],
)
def test_an_anomaly_must_fit_every_condition(match: Match, anomaly: dict[str, Any], is_fit: bool) -> None:
    assert fits(match, seen(0, **anomaly)) is is_fit


@pytest.mark.parametrize(
    ("time", "part"),
    [
        ("2024-12-02T03:59:59-05:00", None),
        ("2024-12-02T04:00:00-05:00", "pre"),
        ("2024-12-02T09:29:59.999-05:00", "pre"),
        ("2024-12-02T09:30:00-05:00", "regular"),
        ("2024-12-02T15:59:59.999-05:00", "regular"),
        ("2024-12-02T16:00:00-05:00", "post"),
        ("2024-12-02T20:00:00-05:00", None),
        ("2024-07-01T09:30:00-04:00", "regular"),
        ("2024-11-29T13:00:00-05:00", "post"),
        ("2024-11-28T12:00:00-05:00", None),
        ("2024-11-30T12:00:00-05:00", None),
    ],
)
def test_the_exchanges_calendar_tells_the_parts_of_the_day(time: str, part: str | None) -> None:
    assert part_of_day(at_time(time)) == part


@pytest.mark.parametrize(
    "fields", [{"symbol": "BTC-USD"}, {"symbol": "XBT/EUR"}, {"symbol": "BTCUSDT", "source": "binance"}]
)
def test_markets_that_never_close_have_no_parts_of_the_day(fields: dict[str, Any]) -> None:
    assert part_of_day(seen(0, **fields)) is None


def test_shares_of_a_class_are_no_pair() -> None:
    assert part_of_day(seen(0, symbol="BRK-B")) == "regular"


def test_a_group_is_the_first_label_or_its_family_or_nothing() -> None:
    anomaly = seen(0, labels=["Fast Market", "Unusual Size"])
    assert group_of(rule(), anomaly) == "Fast Market"
    assert group_of(rule(group_by="family"), anomaly) == "Activity"
    assert group_of(rule(group_by="none"), anomaly) == ""
    assert group_of(rule(group_by="family"), seen(0, labels=["Foreign"])) == "Foreign"
