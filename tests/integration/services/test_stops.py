import signal
from pathlib import Path

import orjson
import pytest

from infra.embedded.ports import free_port
from infra.embedded.stack import EmbeddedStack
from tests.integration.pipeline import (
    addresses,
    ends,
    metrics,
    read_topic,
    set_up,
    started,
    wait_for,
    wait_until,
)
from tests.samples import row, write_csv

STOP_WITHIN_S = 10
AT_ONCE_S = 2


@pytest.mark.parametrize("service", [pytest.param("detect", marks=pytest.mark.slow), "index"])
def test_broker_that_is_not_there_is_waited_for_until_the_stop(tmp_path: Path, service: str) -> None:
    log = tmp_path / "log"
    with started(log, service, TAPEWATCH_KAFKA=f"127.0.0.1:{free_port()}") as process:
        wait_for(log, "waiting for Kafka", process)
        process.send_signal(signal.SIGTERM)
        assert process.wait(STOP_WITHIN_S) == 0


@pytest.mark.parametrize(("service", "number"), [("detect", signal.SIGTERM), ("index", signal.SIGINT)])
def test_first_signal_ends_a_working_service_cleanly(
    stack: EmbeddedStack, tmp_path: Path, service: str, number: signal.Signals
) -> None:
    set_up(stack)
    log = tmp_path / "log"
    with started(log, service, **addresses(stack)) as process:
        wait_for(log, "assigned", process)
        process.send_signal(number)
        assert process.wait(STOP_WITHIN_S) == 0, log.read_text()
    last = orjson.loads(log.read_text().splitlines()[-1])
    assert last["event"] == {"detect": "detected", "index": "indexed"}[service]


@pytest.mark.parametrize(
    "service", ["produce", *(pytest.param(name, marks=pytest.mark.slow) for name in ("detect", "index"))]
)
def test_second_signal_ends_a_service_that_waits_for_a_broker_at_once(tmp_path: Path, service: str) -> None:
    path = write_csv(tmp_path / "one.csv", [row(1)])
    log = tmp_path / "log"
    command = (service, str(path)) if service == "produce" else (service,)
    with started(log, *command, TAPEWATCH_KAFKA=f"127.0.0.1:{free_port()}") as process:
        wait_for(log, "waiting for Kafka", process)
        process.send_signal(signal.SIGTERM)
        process.send_signal(signal.SIGINT)
        assert process.wait(AT_ONCE_S) in (128 + signal.SIGINT, 128 + signal.SIGTERM)


def test_interrupted_producer_reports_exactly_what_it_published(stack: EmbeddedStack, tmp_path: Path) -> None:
    set_up(stack)
    rows = [row(n, ts_event=f"2024-01-12T15:{n // 60:02}:{n % 60:02}.000000000Z") for n in range(600)]
    path = write_csv(tmp_path / "slow.csv", rows)
    log = tmp_path / "log"
    before = ends(stack, "trades")
    with started(log, "produce", "--speed", "20", str(path), **addresses(stack)) as process:
        wait_for(log, "publishing", process)
        wait_until(lambda: metrics(log)["tapewatch_published_trades_total"] > 0, log)
        process.send_signal(signal.SIGINT)
        assert process.wait(STOP_WITHIN_S) == 128 + signal.SIGINT, log.read_text()
    last = orjson.loads(log.read_text().splitlines()[-1])
    assert last["event"] == "published"
    assert last["stopped"]
    assert 0 < last["trades"] < 600
    assert last["trades"] == len(read_topic(stack, "trades", before))
