"""A correction whose trade has to be looked up, and a feed that is killed meanwhile."""

import time
from collections.abc import Callable
from pathlib import Path

import orjson
import pytest

from infra.embedded.stack import EmbeddedStack
from services.common.process.shutdown import Stop
from services.contracts.topics import CORRECTIONS_TOPIC
from services.producer.feed_progress import load_feed_progress
from tests.chaos.feeds import FeedProcess, read_topic
from tests.integration.pipeline import tapewatch
from tests.narrow import present
from tests.standins.faults import Fault
from tests.standins.process import StandInProcess
from tests.standins.tape import TapeConfig
from tests.standins.venues import VENUES

VENUE = next(venue for venue in VENUES if venue.feed == "alpaca:iex")
SYMBOLS = ("AAPLC", "MSFTC")
FIRST_KILL = 500
"""Prints after which the feed is killed first: then it no longer remembers what came before."""

FAULTS = (Fault("busy", 800, 16), Fault("cancel", 900, 700))
WITHIN_S = 60.0


@pytest.mark.slow
def test_a_correction_that_waits_for_history_survives_a_kill(stack: EmbeddedStack, tmp_path: Path) -> None:
    tapewatch(stack, "setup")
    kafka = stack.kafka_connection
    env = {"TAPEWATCH_KAFKA": stack.kafka_bootstrap, "TAPEWATCH_METRICS_PORT": "0"}
    for variable, secret in VENUE.secrets.items():
        path = tmp_path / variable.lower()
        path.write_text(secret)
        env[variable] = str(path)

    def waiting() -> int:
        progress = load_feed_progress(kafka, VENUE.feed, Stop(on_signals=False))
        return 0 if progress is None else len(progress.waiting)

    def corrections() -> list[tuple[str | None, str]]:
        found = [
            orjson.loads(present(record.value()))
            for record in read_topic(kafka, CORRECTIONS_TOPIC)
            if (record.key() or b"").decode() in SYMBOLS
        ]
        return [(one["trade_id"], one["action"]) for one in found]

    tape = TapeConfig(SYMBOLS, 100.0, seed=3, first_number=5_000)
    with StandInProcess(VENUE.module, tape, FAULTS) as standin:
        arguments = [VENUE.feed, "--symbols", ",".join(SYMBOLS), *standin.urls]
        feed = FeedProcess(arguments, env, tmp_path / "feed.log")
        try:
            wait_until(lambda: standin.state()["prints"] >= FIRST_KILL)
            feed.kill()
            wait_until(lambda: waiting() == 1)
            feed.kill()
            assert corrections() == []
            wait_until(lambda: bool(corrections()))
            told = standin.state()["corrections"]
            assert feed.end() == 0
        finally:
            feed.process.kill()
            feed.process.wait()
    [cancelled] = told
    assert cancelled["trade_id"] is not None
    assert corrections() == [(cancelled["trade_id"], "cancel")]
    assert waiting() == 0


def wait_until(holds: Callable[[], bool]) -> None:
    deadline_s = time.monotonic() + WITHIN_S
    while not holds():
        assert time.monotonic() < deadline_s
        time.sleep(0.2)
