from typing import Any

import msgspec
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.alerter.seen import (
    Headers,
    NotAnAnomalyError,
    Retracted,
    ns_of,
    read_retracted,
    read_seen,
)
from services.contracts.anomaly import TAPE_CLOCK
from services.contracts.iso_time import iso_ns
from services.contracts.retraction import TRADE_ID
from tests.unit.services.alerter.anomalies import anomaly_message, at, live_headers, seen


def test_a_message_gives_the_anomaly_and_what_its_headers_say() -> None:
    headers = live_headers(at(-1), 7, 1_733_155_200_123, is_again=True)
    read = read_seen(anomaly_message(2, "a", venue="XNAS", revision=3, last_trade="z"), headers)
    assert (read.symbol, read.trade_id, read.event_ns, read.clock_ns) == ("NVDA", "a", at(2), at(-1))
    assert (read.trade_offset, read.trade_time_ms, read.is_judged_again) == (7, 1_733_155_200_123, True)
    assert (read.labels, read.severity, read.score) == (("Burst",), "medium", 0.7)
    assert (read.revision, read.last_trade, read.venue, read.source) == (3, "z", "XNAS", "databento")
    assert read.families == ("Activity",)


def test_without_headers_the_clock_is_the_trades_own_time() -> None:
    read = read_seen(anomaly_message(2, "a"))
    assert read.clock_ns == read.event_ns == at(2)
    assert (read.trade_offset, read.trade_time_ms, read.is_judged_again) == (None, None, False)
    assert (read.revision, read.last_trade) == (1, "a")


def test_an_anomaly_that_grows_lasts_until_the_clock_of_its_later_revision() -> None:
    assert seen(1, clock=9).grown_ns == at(1)
    assert seen(1, clock=9, revision=2).grown_ns == at(9)
    assert seen(9, clock=1, revision=2).grown_ns == at(9)
    # Other symbols of the partition are ahead.
    ahead = msgspec.structs.replace(seen(1, clock=9, revision=2), brought_ns=at(3))
    assert ahead.grown_ns == at(3)
    assert msgspec.structs.replace(ahead, brought_ns=at(20)).grown_ns == at(9)


@pytest.mark.parametrize("clock", [-1, 2**63, 10**40])
def test_an_impossible_clock_is_none(clock: int) -> None:
    headers = live_headers(clock, 7, 1_733_155_200_123)
    read = read_seen(anomaly_message(2, "a", revision=2), headers)
    assert (read.clock_ns, read.grown_ns) == (at(2), at(2))


def without(name: str) -> bytes:
    fields = orjson.loads(anomaly_message())
    del fields[name]
    return orjson.dumps(fields)


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"{",
        b"[]",
        b"\xff",
        b"[" * 10_000,
        without("trade_id"),
        without("session"),
        without("detections"),
        anomaly_message(anomalies=[]),
        anomaly_message(symbol=""),
        anomaly_message(severity="huge"),
        anomaly_message().replace(b"2024-12-02T", b"yesterday T"),
        anomaly_message().replace(b"2024-12-02T", b"2024-02-30T"),
        anomaly_message().replace(b"2024-12-02T", b"0001-01-01T"),
        anomaly_message().replace(b"2024-12-02T", b"9999-12-31T"),
        anomaly_message(score=1.5),
        anomaly_message(revision=0),
        anomaly_message(revision=2**40),
        anomaly_message(message="x" * 100_000),
    ],
)
def test_what_is_no_anomaly_is_refused_with_the_reason(value: bytes) -> None:
    with pytest.raises(NotAnAnomalyError, match="not "):
        read_seen(value)


def test_a_retraction_names_symbol_and_trade_and_may_carry_the_clock() -> None:
    headers: list[Any] = [(TRADE_ID, b"a"), (TAPE_CLOCK, b"5")]
    assert read_retracted(b"NVDA", headers) == Retracted("NVDA", "a", 5)
    assert read_retracted(b"NVDA", headers[:1]) == Retracted("NVDA", "a", None)


@pytest.mark.parametrize(("key", "headers"), [(b"NVDA", None), (None, [(TRADE_ID, b"a")])])
def test_a_null_value_that_names_nothing_is_refused(key: bytes | None, headers: Headers) -> None:
    with pytest.raises(NotAnAnomalyError, match="null value"):
        read_retracted(key, headers)


@given(st.integers(0, 9_000_000_000_000_000_000))
def test_times_survive_being_written(ns: int) -> None:
    assert ns_of(iso_ns(ns)) == ns


@pytest.mark.parametrize(
    ("text", "ns"), [("1970-01-01T00:00:01Z", 10**9), ("1970-01-01T00:00:00.5Z", 5 * 10**8)]
)
def test_fewer_digits_than_nanoseconds_are_read(text: str, ns: int) -> None:
    assert ns_of(text) == ns
