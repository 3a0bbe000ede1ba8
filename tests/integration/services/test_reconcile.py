"""A day that a feed watched only in part, against the venue's own record."""

import datetime as dt
from pathlib import Path

import orjson
import pytest

from infra.embedded.stack import EmbeddedStack
from services.producer.reconcile import reconciled
from tests.integration.pipeline import read_topic, started, tapewatch
from tests.narrow import value_of
from tests.standins.process import StandInProcess
from tests.standins.tape import TapeConfig


def test_what_a_feed_missed_is_published_once_and_marked(stack: EmbeddedStack, tmp_path: Path) -> None:
    tapewatch(stack, "setup")
    tape = TapeConfig(("REC-USD",), 50.0, seconds=20.0, speed=10.0, seed=5, first_number=100, hours_ago=30.0)
    with StandInProcess("coinbase", tape) as venue:
        address = {"TAPEWATCH_KAFKA": stack.kafka_bootstrap, "TAPEWATCH_METRICS_PORT": "0"}
        arguments = ("feed", "coinbase", "--symbols", "REC-USD", *venue.urls, "--duration", "1")
        with started(tmp_path / "feed.log", *arguments, **address) as feed:
            assert feed.wait(60) == 0
        while not venue.state()["is_over"]:
            pass
        first, last = venue.state()["numbers"]["REC-USD"]
        day = (dt.datetime.now(dt.UTC) - dt.timedelta(hours=30)).date()
        rest = ("--rest-url", f"http://127.0.0.1:{venue.port}")
        command = ("reconcile", "coinbase", "--day", day.isoformat(), "--symbols", "REC-USD", *rest)
        said = tapewatch(stack, *command, code=3).stdout
        assert "were missing and are published now, 0 differ, 0 are not in its record" in said
        tapewatch(stack, *command, code=0)
    trades = [orjson.loads(value_of(m)) for m in read_topic(stack, "trades") if m.key() == b"REC-USD"]
    # The tape's beginning may lie in the day before.
    numbers = sorted(trade["sequence"] for trade in trades)
    assert numbers == list(range(numbers[0], last + 1))
    is_one_day = (dt.datetime.now(dt.UTC) - dt.timedelta(hours=30, minutes=1)).date() == day
    if is_one_day:
        assert numbers[0] == first
    live = [trade for trade in trades if not trade.get("reconciled")]
    assert 0 < len(live) < len(trades)


def test_the_mark_is_the_last_field() -> None:
    assert reconciled(b'{"a":1}') == b'{"a":1,"reconciled":true}'


@pytest.mark.parametrize("arguments", [("--day", "today"), ()])
def test_a_day_has_to_be_named(stack: EmbeddedStack, arguments: tuple[str, ...]) -> None:
    tapewatch(stack, "reconcile", "coinbase", "--symbols", "X", *arguments, code=2)


def test_a_day_that_is_not_over_is_refused(stack: EmbeddedStack) -> None:
    tapewatch(stack, "setup")
    today = dt.datetime.now(dt.UTC).date().isoformat()
    said = tapewatch(stack, "reconcile", "coinbase", "--symbols", "X", "--day", today, code=1).stderr
    assert "is not over at coinbase" in said
