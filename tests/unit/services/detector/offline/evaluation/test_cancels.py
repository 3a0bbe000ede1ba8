import json
from collections.abc import Sequence
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from services.contracts.anomaly import Anomaly, Model, Severity
from services.contracts.correction import Action, Correction
from services.contracts.trade import Trade
from services.detector.engine.growth import Found
from services.detector.offline.evaluation.cancels import Cancels, CancelsOutcome, Unusable
from services.detector.offline.evaluation.cancels_report import CancelsReport, cancels_tables, write_cancels

END = "2026-04-07T00:00:00"


def trade(trade_id: str, price: float = 100.0, *, symbol: str = "A", eligible: bool = True) -> Trade:
    return Trade("2026-04-06T14:30:00Z", trade_id, symbol, price, 5, "N", price_eligible=eligible)


def anomaly(severity: Severity) -> Anomaly:
    return Anomaly(
        ["Off-Market Price"], 0.9, severity, "", [], {}, {}, "2026-04-06", Model("tapewatch", "1", "p")
    )


def correction(
    trade_id: str | None, action: Action = "cancel", at: str = "2026-04-06T14:31:00Z", number: int = 1
) -> Correction:
    return Correction(at, f"{trade_id}-c{number}", trade_id, "A", action, "alpaca")


def outcome(
    corrections: Sequence[Correction],
    trades: Sequence[Trade],
    severities: dict[int, Severity] | None = None,
    unjudged: Sequence[int] = (),
) -> CancelsOutcome:
    """Return what comes of trades that come one by one."""
    cancels = Cancels(corrections)
    for at, one in enumerate(trades):
        severity = (severities or {}).get(at)
        found = [] if severity is None else [Found(0, anomaly(severity), b"")]
        cancels.add([one], set() if at in unjudged else {0}, found)
    return cancels.outcome(END)


def test_a_flagged_cancelled_print_is_found_and_one_that_is_not_is_missed() -> None:
    trades = [trade("1"), trade("2", 80.0), trade("3", 101.0), trade("4")]
    result = outcome([correction("2"), correction("3", "error")], trades, {1: Severity.HIGH})
    [found], [missed] = result.found, result.missed
    assert (found.trade_id, found.severity, found.labels) == ("2", Severity.HIGH, ["Off-Market Price"])
    assert (missed.trade_id, missed.action, missed.severity, missed.labels) == ("3", "error", None, [])
    assert result.unusable == {}
    assert result.share_found == 0.5
    assert (result.trades, result.flagged, result.flagged_per_1000) == (4, 1, 250.0)


def test_a_print_that_is_flagged_as_info_is_missed_and_no_alert() -> None:
    result = outcome([correction("1")], [trade("1")], {0: Severity.INFO})
    [missed] = result.missed
    assert missed.severity == Severity.INFO
    assert (result.found, result.flagged) == ([], 0)


def test_a_print_within_the_stretch_of_an_anomaly_is_found_with_it() -> None:
    trades = [trade(str(number)) for number in range(1, 7)]
    cancels = Cancels([correction("2"), correction("4"), correction("6")])
    grown = [
        msgspec.structs.replace(anomaly(Severity.LOW), first_trade="1", last_trade=last, revision=number)
        for number, last in ((1, "1"), (2, "4"))
    ]
    cancels.add(trades[:3], {0, 1, 2}, [Found(1, grown[0], b"")])
    cancels.add(trades[3:], {0, 1, 2}, [Found(1, grown[1], b"")])
    result = cancels.outcome(END)
    assert [one.trade_id for one in result.found] == ["2", "4"]
    assert [one.trade_id for one in result.missed] == ["6"]
    assert result.flagged == 1


def test_the_distance_is_from_the_last_price_of_the_symbol_that_was_not_taken_back_itself() -> None:
    trades = [trade("1"), trade("2", 50.0), trade("3", 7.0, symbol="B"), trade("4", 90.0)]
    result = outcome([correction("2"), correction("4"), correction("3")], trades)
    distances = {one.trade_id: one.distance_percent for one in result.missed}
    assert distances == {"2": -50.0, "3": None, "4": -10.0}


@pytest.mark.parametrize(
    ("given_correction", "reason"),
    [
        (correction(None), Unusable.NO_TRADE),
        (correction("9"), Unusable.NOT_READ),
        (correction("1", "correct"), Unusable.CORRECTED),
        (correction("2"), Unusable.NOT_ELIGIBLE),
        (correction("3"), Unusable.UNJUDGED),
    ],
)
def test_a_correction_that_says_nothing_is_counted_with_its_reason(
    given_correction: Correction, reason: Unusable
) -> None:
    result = outcome([given_correction], [trade("1"), trade("2", eligible=False), trade("3")], unjudged=[2])
    assert result.unusable == {reason: 1}
    assert (result.found, result.missed, result.share_found) == ([], [], None)


def test_of_several_corrections_of_a_trade_the_last_one_counts() -> None:
    both = [correction("1", "correct"), correction("1", "cancel", number=2)]
    result = outcome(both, [trade("1")])
    assert [one.action for one in result.missed] == ["cancel"]
    assert result.unusable == {Unusable.REPLACED: 1}
    reverse = outcome(both[::-1], [trade("1")])
    assert reverse.missed == []
    assert reverse.unusable == {Unusable.REPLACED: 1, Unusable.CORRECTED: 1}


def test_a_correction_made_later_counts_only_if_its_trade_was_read() -> None:
    later = "2026-04-07T00:00:00Z"
    given_corrections = [correction("1", at=later), correction("9", at=later), correction(None, at=later)]
    result = outcome(given_corrections, [trade("1")])
    assert [one.trade_id for one in result.missed] == ["1"]
    assert result.corrections == 1


def test_corrections_that_cannot_be_read_are_counted() -> None:
    assert Cancels([], 3).outcome(END).unusable == {Unusable.UNREADABLE: 3}


TRADE_IDS = st.sampled_from(["1", "2", "3", "4", "5", "6"])


@given(
    made=st.lists(
        st.tuples(st.none() | TRADE_IDS, st.sampled_from(["cancel", "error", "correct"])), max_size=12
    ),
    trade_ids=st.lists(TRADE_IDS, max_size=12),
    severities=st.dictionaries(st.integers(0, 11), st.sampled_from(list(Severity))),
    unjudged=st.lists(st.integers(0, 11)),
)
def test_every_correction_is_found_missed_or_has_a_reason(
    made: list[tuple[str | None, Action]],
    trade_ids: list[str],
    severities: dict[int, Severity],
    unjudged: list[int],
) -> None:
    trades = [trade(trade_id, eligible=trade_id != "6") for trade_id in trade_ids]
    result = outcome([correction(*one) for one in made], trades, severities, unjudged)
    assert result.corrections == len(made)


def test_the_report_shows_and_writes_every_print_and_reason(tmp_path: Path) -> None:
    trades = [trade("1"), trade("a-cancelled-print", 80.0), trade("a-missed-print", 101.0)]
    given_corrections = [correction("a-cancelled-print"), correction("a-missed-print"), correction(None)]
    result = outcome(given_corrections, trades, {1: Severity.HIGH})
    report = CancelsReport("a range", "default", "hash", result)
    console = Console(width=160, record=True)
    console.print(cancels_tables(report))
    text = console.export_text()
    for expected in (
        "1 (50.0%)",
        "a-cancelled-print",
        "a-missed-print",
        "high: Off-Market Price",
        "-20.00 %",
        "333.333",
        Unusable.NO_TRADE,
    ):
        assert expected in text
    output = tmp_path / "report.json"
    write_cancels(report, output)
    written = json.loads(output.read_text())
    assert [one["trade_id"] for one in written["found"]] == ["a-cancelled-print"]
    assert written["found"][0]["severity"] == "high"
    assert [one["trade_id"] for one in written["missed"]] == ["a-missed-print"]
    assert written["unusable"] == {"no_trade": 1}
    assert written["corrections"] == 3
