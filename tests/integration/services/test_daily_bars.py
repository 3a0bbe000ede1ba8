"""Massive's daily bars, which are asked for by REST alone, on a real Kafka."""

import datetime as dt
import time
from collections.abc import Callable
from pathlib import Path
from zoneinfo import ZoneInfo

import orjson
import pytest

from infra.embedded.stack import EmbeddedStack
from services.contracts.topics import TRADES_TOPIC
from tests.chaos.feeds import FeedProcess, read_topic
from tests.integration.pipeline import tapewatch
from tests.narrow import present
from tests.standins.process import StandInProcess
from tests.standins.tape import TapeConfig

SYMBOLS = ("AAPLD", "BRK.D")
DAYS = 30
WITHIN_S = 60.0
ZONE = ZoneInfo("America/New_York")


@pytest.mark.slow
def test_daily_bars_since_a_day_are_published_once_by_a_feed_that_is_killed(
    stack: EmbeddedStack, tmp_path: Path
) -> None:
    tapewatch(stack, "setup")
    key = tmp_path / "key"
    key.write_text("standin-key")
    env = {
        "TAPEWATCH_KAFKA": stack.kafka_bootstrap,
        "TAPEWATCH_METRICS_PORT": "0",
        "TAPEWATCH_MASSIVE_KEY_FILE": str(key),
    }
    today = dt.datetime.now(ZONE)
    start = today.date() - dt.timedelta(days=DAYS)

    def published() -> list[tuple[str, dt.date]]:
        bars = [
            orjson.loads(present(record.value()))
            for record in read_topic(stack.kafka_connection, TRADES_TOPIC)
            if (record.key() or b"").decode() in SYMBOLS
        ]
        assert {bar["kind"] for bar in bars} <= {"bar"}
        return [
            (bar["symbol"], dt.datetime.fromisoformat(bar["@timestamp"]).astimezone(ZONE).date())
            for bar in bars
        ]

    last = today.date() - dt.timedelta(days=1)
    days = [start + dt.timedelta(days=number) for number in range((last - start).days + 1)]
    expected = [day for day in days if day.weekday() < 5]
    with StandInProcess("massive", TapeConfig(SYMBOLS)) as standin:
        arguments = ["massive:daily", "--symbols", ",".join(SYMBOLS), "--start", f"{start}", *standin.urls]
        feed = FeedProcess(arguments, env, tmp_path / "feed.log")
        try:
            wait_for(published, len(expected) * len(SYMBOLS))
            feed.kill()
            requests = standin.state()["requests"]
            deadline_s = time.monotonic() + WITHIN_S
            while standin.state()["requests"] < requests + 2 * len(SYMBOLS):  # a poll, and a fill, of each
                assert time.monotonic() < deadline_s
                time.sleep(0.2)
            assert feed.end() == 0
        finally:
            feed.process.kill()
            feed.process.wait()
    bars = published()
    for symbol in SYMBOLS:
        own = [day for name, day in bars if name == symbol]
        assert own[: len(expected)] == expected
        assert own[len(expected) :] in ([], [today.date()])  # that of today, in the evening


def wait_for(published: Callable[[], list[tuple[str, dt.date]]], count: int) -> None:
    deadline_s = time.monotonic() + WITHIN_S
    while len(published()) < count:
        assert time.monotonic() < deadline_s
        time.sleep(0.2)
