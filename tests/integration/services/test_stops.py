import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import orjson
import pytest

from infra.embedded.ports import free_port
from infra.embedded.stack import EmbeddedStack
from tests.integration.pipeline import tapewatch
from tests.samples import row, write_csv

STOP_WITHIN_S = 10


def start(log: Path, *arguments: str, **env: str) -> subprocess.Popen[bytes]:
    with log.open("wb") as output:
        return subprocess.Popen(
            [sys.executable, "-m", "services.cli", *arguments],
            stdout=output,
            stderr=subprocess.STDOUT,
            env=os.environ | env,
        )


def wait_for(log: Path, text: str, process: subprocess.Popen[bytes], timeout_s: float = 60) -> None:
    deadline_s = time.monotonic() + timeout_s
    while text not in log.read_text():
        assert process.poll() is None, log.read_text()
        assert time.monotonic() < deadline_s, log.read_text()
        time.sleep(0.1)


@pytest.mark.parametrize("service", ["detect", "index"])
def test_broker_that_is_not_there_is_waited_for_until_the_stop(tmp_path: Path, service: str) -> None:
    log = tmp_path / "log"
    process = start(log, service, TAPEWATCH_KAFKA=f"127.0.0.1:{free_port()}")
    try:
        wait_for(log, "waiting for Kafka", process)
        process.send_signal(signal.SIGTERM)
        assert process.wait(STOP_WITHIN_S) == 0
    finally:
        process.kill()
        process.wait()


@pytest.mark.parametrize(("service", "number"), [("detect", signal.SIGTERM), ("index", signal.SIGINT)])
def test_first_signal_ends_a_working_service_cleanly(
    stack: EmbeddedStack, tmp_path: Path, service: str, number: signal.Signals
) -> None:
    tapewatch(stack, "setup")
    log = tmp_path / "log"
    process = start(
        log,
        service,
        TAPEWATCH_KAFKA=stack.kafka_bootstrap,
        TAPEWATCH_ELASTICSEARCH=stack.elasticsearch_url,
    )
    try:
        wait_for(log, "assigned", process)
        process.send_signal(number)
        assert process.wait(STOP_WITHIN_S) == 0, log.read_text()
    finally:
        process.kill()
        process.wait()
    last = orjson.loads(log.read_text().splitlines()[-1])
    assert last["event"] == {"detect": "detected", "index": "indexed"}[service]


def test_interrupted_producer_publishes_what_it_counted_and_says_so(
    stack: EmbeddedStack, tmp_path: Path
) -> None:
    tapewatch(stack, "setup")
    rows = [row(n, ts_event=f"2024-01-12T15:{n // 60:02}:{n % 60:02}.000000000Z") for n in range(600)]
    path = write_csv(tmp_path / "slow.csv", rows)
    log = tmp_path / "log"
    process = start(log, "produce", "--speed", "20", str(path), TAPEWATCH_KAFKA=stack.kafka_bootstrap)
    try:
        wait_for(log, "publishing", process)
        time.sleep(3)
        process.send_signal(signal.SIGINT)
        assert process.wait(STOP_WITHIN_S) == 128 + signal.SIGINT, log.read_text()
    finally:
        process.kill()
        process.wait()
    last = orjson.loads(log.read_text().splitlines()[-1])
    assert last["event"] == "published"
    assert last["stopped"]
    assert 0 < last["trades"] < 600
