import dataclasses
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.contracts.anomaly import Severity
from services.detector.detectors.checks import part, session_trades
from services.detector.engine.adjust import Adjustment
from services.detector.engine.columns import TradeColumns
from services.detector.engine.engine import Engine
from services.detector.engine.growth import Found
from services.detector.profiles.profile import Profile

DETECTORS = {"high_volume": {"threshold_shares": 100}, "rapid_price_change": {"threshold_ratio": 0.0005}}
DAY = "2024-12-02"


def engine(suppress: Sequence[dict[str, Any]] = (), calendar: Sequence[dict[str, Any]] = ()) -> Engine:
    own = {"detectors": DETECTORS, "suppress": suppress, "calendar": calendar}
    return Engine(Profile.model_validate(own))


TAPE = session_trades("AAA", 0, 120, 1)
PLAIN = engine().detect_columns(TAPE)


def labels(found: list[Found]) -> dict[int, set[str]]:
    return {at: set(anomaly.anomalies) for at, anomaly, _ in found}


def without(line: dict[str, Any], columns: TradeColumns = TAPE) -> tuple[dict[int, set[str]], Engine]:
    one = engine([line])
    return labels(one.detect_columns(columns)), one


def test_the_tape_has_what_the_tests_look_at() -> None:
    kinds = [set(anomaly.anomalies) for _, anomaly, _ in PLAIN]
    for one in ({"High Volume"}, {"Rapid Price Change"}, {"High Volume", "Rapid Price Change"}):
        assert one in kinds


def test_a_label_is_held_back_and_the_other_detection_still_makes_an_anomaly() -> None:
    found, one = without({"label": "High Volume"})
    held = sum("High Volume" in anomaly.anomalies for _, anomaly, _ in PLAIN)
    assert found == {
        at: {"Rapid Price Change"} for at, kinds in labels(PLAIN).items() if "Rapid Price Change" in kinds
    }
    assert one.held_back == {"High Volume": held}


def test_what_is_left_has_its_own_score_severity_and_message() -> None:
    [at, *_] = [at for at, anomaly, _ in PLAIN if len(anomaly.anomalies) == 2]
    alone = Engine(Profile.model_validate({"detectors": {"rapid_price_change": {"threshold_ratio": 0.0005}}}))
    expected = {one.at: one.anomaly for one in alone.detect_columns(TAPE)}[at]
    left = {one.at: one.anomaly for one in engine([{"label": "High Volume"}]).detect_columns(TAPE)}[at]
    assert (left.score, left.severity, left.message) == (
        expected.score,
        expected.severity,
        expected.message,
    )
    assert left.contributions == expected.contributions


def test_a_line_holds_only_for_its_symbol() -> None:
    assert without({"label": "High Volume", "symbol": "OTHER"})[0] == labels(PLAIN)
    assert without({"symbol": "AAA"})[0] == {}


def test_below_shares_looks_at_the_trades_size() -> None:
    found, one = without({"below_shares": 200})
    assert found == {at: kinds for at, kinds in labels(PLAIN).items() if TAPE.size[at] >= 200}
    held = sum(len(kinds) for at, kinds in labels(PLAIN).items() if TAPE.size[at] < 200)
    assert one.held_back == {"any label below 200 shares": held}
    assert held > 0


@pytest.mark.parametrize(
    ("line", "is_held"),
    [
        ({"below_bp": 40_000}, lambda value, expected: abs(value - expected) < 4 * abs(expected)),
        ({"below_distance": 400}, lambda value, expected: abs(value - expected) < 400),
    ],
)
def test_a_distance_is_that_from_the_expected_value(line: dict[str, Any], is_held: Any) -> None:  # noqa: ANN401
    found, _ = without(line)
    for at, anomaly, _ in PLAIN:
        sizes = [one for one in anomaly.detections if one.label == "High Volume"]
        held = any(is_held(one.value, one.expected) for one in sizes)
        assert ("High Volume" in found.get(at, set())) == (bool(sizes) and not held)
        # A change measures no distance from an expected price.
        assert ("Rapid Price Change" in found.get(at, set())) == ("Rapid Price Change" in anomaly.anomalies)


def test_the_first_line_that_applies_counts() -> None:
    one = engine([{"label": "High Volume", "symbol": "AAA"}, {"label": "High Volume"}])
    one.detect_columns(TAPE)
    assert list(one.held_back) == ["High Volume of AAA", "High Volume"]
    assert one.held_back["High Volume of AAA"] > one.held_back["High Volume"] == 0


def test_an_event_names_its_anomalies_and_lowers_their_severity() -> None:
    middle = int(TAPE.event_ns[60])
    local = np.datetime_as_string(np.datetime64(middle - 5 * 3600 * 10**9, "ns"), "us")  # New York in winter
    event = {
        "name": "earnings",
        "symbols": ["AAA"],
        "from": f"{DAY}T09:00:00",
        "to": local,
        "at_most": "low",
    }
    found = {at: one for at, one, _ in engine(calendar=[event]).detect_columns(TAPE)}
    assert list(found) == [at for at, _, _ in PLAIN]
    for at, plain, _ in PLAIN:
        is_within = at < 60
        assert found[at].events == (["earnings"] if is_within else [])
        assert found[at].score == plain.score
        assert found[at].severity == (Severity.LOW if is_within else plain.severity)
        assert found[at].message.endswith("; at the time of earnings.") == is_within
    assert any(plain.severity != Severity.LOW for at, plain, _ in PLAIN if at < 60)


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ("Size 5.", "Size 5; at the time of a and b."),
        ("Price 5: a slipped decimal point?", "Price 5: a slipped decimal point? At the time of a and b."),
    ],
)
def test_the_events_follow_a_statement_and_a_question(message: str, expected: str) -> None:
    days = [{"name": name, "day": DAY} for name in ("a", "b")]
    profile = Profile.model_validate({"detectors": DETECTORS, "calendar": days})
    anomaly = msgspec.structs.replace(PLAIN[0].anomaly, message=message)
    adjusted = Adjustment(profile, "America/New_York").in_calendar("AAA", int(TAPE.event_ns[0]), anomaly)
    assert adjusted.message == expected


def test_the_size_of_the_print_that_tells_of_a_wrong_first_one_is_not_that_ones() -> None:
    prices = TAPE.price.copy()
    prices[0] = 10 * prices[1]
    columns = dataclasses.replace(TAPE, price=prices)
    own = {"detectors": {"off_market_price": {}}, "suppress": [{"below_shares": 1_000_000}]}
    found = Engine(Profile.model_validate(own)).detect_columns(columns)
    assert [one.anomaly.anomalies for one in found] == [["Off-Market Price"]]


def test_an_event_of_a_day_and_of_other_symbols() -> None:
    for event, expected in (
        ({"name": "index day", "day": DAY}, ["index day"]),
        ({"name": "index day", "day": "2024-12-03"}, []),
        ({"name": "index day", "day": DAY, "symbols": ["OTHER"]}, []),
    ):
        assert all(one.events == expected for _, one, _ in engine(calendar=[event]).detect_columns(TAPE))


def test_no_severity_is_raised() -> None:
    found = engine(calendar=[{"name": "x", "day": DAY, "at_most": "critical"}]).detect_columns(TAPE)
    assert [one.severity for _, one, _ in found] == [one.severity for _, one, _ in PLAIN]


def test_a_skipped_event_holds_back_and_counts() -> None:
    event = {"name": "halt", "from": f"{DAY}T14:00:00Z", "to": f"{DAY}T22:00:00Z", "skip": True}
    one = engine(calendar=[event])
    assert one.detect_columns(TAPE) == []
    assert one.held_back == {"calendar: halt": sum(len(anomaly.anomalies) for _, anomaly, _ in PLAIN)}


@settings(max_examples=20, deadline=None)
@given(st.lists(st.integers(0, len(TAPE)), max_size=6))
def test_any_cut_into_batches_gives_the_same(cuts: list[int]) -> None:
    lines: list[dict[str, Any]] = [{"below_shares": 150}, {"label": "High Volume", "below_bp": 20_000}]
    event = {"name": "e", "from": f"{DAY}T14:30:00Z", "to": f"{DAY}T14:31:00Z", "at_most": "info"}
    whole, cut = engine(lines, [event]), engine(lines, [event])
    expected = whole.detect_columns(TAPE)
    edges = [0, *sorted(cuts), len(TAPE)]
    found = [
        Found(start + at, anomaly, origin)
        for start, stop in pairwise(edges)
        for at, anomaly, origin in cut.detect_columns(part(TAPE, range(start, stop)))
    ]
    assert found == expected
    assert cut.held_back == whole.held_back
