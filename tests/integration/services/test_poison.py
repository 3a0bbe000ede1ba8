"""One run of detector and indexer over invalid messages in `trades`, among good trades."""

import hashlib
import signal
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import pytest

from infra.embedded.stack import EmbeddedStack
from services.common.kafka.clients import new_producer
from services.common.kafka.records import Record
from services.contracts.trade import NotATradeError, decode_trade
from services.detector.engine.engine import Engine
from services.detector.profiles.profile import load_profile
from tests.integration.pipeline import (
    addresses,
    catch_up,
    documents,
    ends,
    first_letters,
    is_detected,
    log_lines,
    metrics,
    set_up,
    started,
    tapewatch,
    wait_for,
    wait_until,
)
from tests.narrow import headers_of, value_of
from tests.samples import trade_json

STOP_WITHIN_S = 10
INDEX = "trades-2024.01.11"
SYMBOL = "POISON"
UNKNOWN = "NEVERSEEN"
USUAL_TRADES = 300


def trade(number: int, time: str | None = None, **changes: object) -> bytes:
    """Return a trade of this test's day, the given seconds after 15:00 or at the given time."""
    at = time or f"15:{number // 60:02}:{number % 60:02}"
    own = {"@timestamp": f"2024-01-11T{at}.000000001Z", "trade_id": f"poison-{number}", "symbol": SYMBOL}
    return trade_json(number, **(own | changes))


def long_text(characters: int) -> str:
    """Return text that cannot be compressed."""
    return "".join(hashlib.sha256(b"%d" % number).hexdigest() for number in range(characters // 64))


NOT_JSON = b"not json at all"
A_LIST = b"[1, 2]"
WRONG_TYPE = trade(1_002, price="12")
LONG_GARBAGE = long_text(990_000).encode()
STRANGE_FIELD = trade(1_003, time="15:03:19", surprise=1)
LONG_FIELD = trade(1_004, time="15:03:19", surprise=long_text(995_000))
BACKWARDS = trade(1_005, time="14:59:00")
FIRST_CONTENT = trade(20)
LAST_CONTENT = trade(20, price=138.5)

REFUSED_BY_DETECTOR = (NOT_JSON, A_LIST, WRONG_TYPE, LONG_GARBAGE, None)
REFUSED_BY_INDEXER = (STRANGE_FIELD, LONG_FIELD)


@dataclass(frozen=True)
class Run:
    """The results of the run."""

    log: Path
    metrics: dict[str, float]
    trades: dict[str, dict[str, Any]]
    letters: list[Record]


def publish(stack: EmbeddedStack, values: list[bytes | None]) -> None:
    """Publish messages in this order to one partition; one of an unknown symbol with its own key."""
    producer = new_producer(stack.kafka_connection)
    for value in values:
        is_unknown = value is not None and UNKNOWN.encode() in value
        producer.produce("trades", key=UNKNOWN if is_unknown else SYMBOL, value=value)
    assert producer.flush(10) == 0


@pytest.fixture(scope="module")
def run(stack: EmbeddedStack, tmp_path_factory: pytest.TempPathFactory) -> Run:
    set_up(stack)
    tapewatch(stack, "detect", "--until-idle", "0")
    before = ends(stack, "dead-letters")
    log = tmp_path_factory.mktemp("poison") / "log"
    with started(log, "detect", **addresses(stack)) as detector:
        wait_for(log, "assigned", detector)
        usual = [trade(number) for number in range(USUAL_TRADES)]
        publish(
            stack,
            [
                *usual[:100],
                *REFUSED_BY_DETECTOR,
                *usual[100:200],
                *REFUSED_BY_INDEXER,
                BACKWARDS,
                LAST_CONTENT,
                trade(1_006, symbol=UNKNOWN),
                *usual[200:],
            ],
        )
        wait_until(lambda: is_detected(stack), log)
        found = metrics(log)
        detector.send_signal(signal.SIGTERM)
        assert detector.wait(STOP_WITHIN_S) == 0, log.read_text()
    tapewatch(stack, "index", "--until-idle", "1")
    return Run(log, found, documents(stack, INDEX), first_letters(stack, before))


@pytest.mark.slow
def test_good_trades_behind_bad_messages_are_processed(run: Run) -> None:
    usual = {f"poison-{number}" for number in range(USUAL_TRADES)}
    assert run.trades.keys() == usual | {"poison-1005", "poison-1006"}


def test_each_rejected_message_is_one_dead_letter_as_it_came(run: Run) -> None:
    services = dict.fromkeys(REFUSED_BY_DETECTOR, "detector")
    services |= dict.fromkeys(REFUSED_BY_INDEXER, "indexer")
    found = {letter.value(): headers_of(letter) for letter in run.letters}
    assert len(found) == len(run.letters)
    assert {value: headers["service"].decode() for value, headers in found.items()} == services
    for letter in run.letters:
        headers = headers_of(letter)
        assert letter.key() == SYMBOL.encode()
        assert headers["topic"] == b"trades"
        assert int(headers["offset"]) >= 0
    assert b"empty" in found[None]["error"]
    assert b"not JSON" in found[NOT_JSON]["error"]
    assert b"not a trade: Expected `float`, got `str`" in found[WRONG_TYPE]["error"]
    for value in REFUSED_BY_INDEXER:
        assert b"strict_dynamic_mapping_exception" in found[value]["error"]


def test_trade_id_that_comes_again_is_one_document_with_the_last_content(run: Run) -> None:
    assert run.trades["poison-20"]["price"] == orjson.loads(LAST_CONTENT)["price"]
    assert orjson.loads(FIRST_CONTENT)["price"] != orjson.loads(LAST_CONTENT)["price"]


def test_a_repeated_trade_is_indexed_and_counted_and_a_step_back_in_time_is_judged(run: Run) -> None:
    assert run.trades["poison-1005"]["@timestamp"].startswith("2024-01-11T14:59:00")
    assert run.metrics["tapewatch_late_trades_total"] == 1
    assert run.metrics["tapewatch_unjudged_trades_total{too_late}"] == 1
    (detected,) = log_lines(run.log, "detected")
    assert (detected["late_trades"], detected["unjudged_trades"]) == (1, 1)


def test_unknown_symbol_is_watched_like_any_other(run: Run) -> None:
    assert run.trades["poison-1006"]["symbol"] == UNKNOWN


def test_metrics_and_log_count_what_came(run: Run) -> None:
    refused = len(REFUSED_BY_DETECTOR)
    trades = USUAL_TRADES + len(REFUSED_BY_INDEXER) + len((BACKWARDS, LAST_CONTENT, UNKNOWN))
    assert run.metrics["tapewatch_dead_letters_total{detector}"] == refused
    assert run.metrics["tapewatch_scored_trades_total"] == trades
    (detected,) = log_lines(run.log, "detected")
    assert (detected["dead_letters"], detected["trades"]) == (refused, trades)


BREAKERS = {
    "size beyond 64 bits": trade(2_000).replace(b'"size":100', b'"size":' + b"9" * 30),
    "sequence beyond 64 bits": trade(2_001).replace(b'"sequence":2001', b'"sequence":' + b"9" * 30),
    "day that no calendar has": trade(2_002, **{"@timestamp": "2024-02-30T15:00:00.000000001Z"}),
    "year that no calendar has": trade(2_003, **{"@timestamp": "0000-01-11T15:00:00.000000001Z"}),
    "year beyond what nanoseconds reach": trade(2_004, **{"@timestamp": "9999-01-11T15:00:00Z"}),
    "lists in lists in lists": trade(2_005, surprise=1).replace(
        b":1}", b":" + b"[" * 9_999 + b"]" * 9_999 + b"}"
    ),
    "text that is not UTF-8": trade(2_006, price=999.0, size=5_000_000, surprise="?").replace(
        b'"?"', b'"\xff"'
    ),
    "number that no double holds": trade(2_007, price=999.0, size=5_000_000, surprise=1).replace(
        b":1}", b":1e999}"
    ),
}


def assert_bearable(value: bytes) -> None:
    """Fail if a message would stop a detector, before it is in the topic that all tests share."""
    try:
        last = decode_trade(value)
    except NotATradeError:
        return
    Engine(load_profile(None)).detect([last])


@pytest.mark.slow
def test_message_that_breaks_its_readers_is_one_dead_letter_too(stack: EmbeddedStack, run: Run) -> None:
    for value in BREAKERS.values():
        assert_bearable(value)
    before = ends(stack, "dead-letters")
    publish(stack, [*BREAKERS.values(), trade(2_100)])
    catch_up(stack)
    letters = [value_of(letter) for letter in first_letters(stack, before)]
    assert sorted(letters) == sorted(BREAKERS.values())
    assert documents(stack, INDEX, term={"trade_id": "poison-2100"})
