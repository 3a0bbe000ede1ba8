"""The sender on a real Kafka, with receivers in their own processes that misbehave by script."""

import json
import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Consumer, TopicPartition

from infra.embedded.ports import free_port
from infra.embedded.stack import EmbeddedStack
from services.alerter.times import to_seconds
from services.common.kafka.clients import new_consumer, new_producer
from services.contracts.alert import Alert, Delivery, Outcome, decode_delivery, encode
from services.contracts.components import SENDER_GROUP
from services.contracts.topics import ALERT_DELIVERIES_TOPIC, ALERTS_TOPIC, DEAD_LETTERS_TOPIC
from tests.integration.pipeline import (
    addresses,
    ends,
    log_lines,
    metrics,
    read_topic,
    set_up,
    tapewatch,
    wait_for,
)
from tests.narrow import headers_of
from tests.standins.receivers.faults import ReceiverFault
from tests.standins.receivers.log import Taken
from tests.standins.receivers.process import ReceiverProcess
from tests.unit.services.alerter.sending.samples import an_alert

SECRET = "whsec_" + "c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0"


class Desk:
    """A rule of one test, its receivers, and senders for it.

    Parameters
    ----------
    stack
        Has Kafka.
    folder
        For files.
    """

    def __init__(self, stack: EmbeddedStack, folder: Path) -> None:
        set_up(stack)
        self.stack = stack
        self._folder = folder
        self.rule = f"rule-{uuid.uuid4().hex[:8]}"
        self.receivers: dict[str, ReceiverProcess] = {}
        self.options: dict[str, dict[str, Any]] = {}
        self.closing = ExitStack()
        self._since = {topic: ends(stack, topic) for topic in (ALERT_DELIVERIES_TOPIC, DEAD_LETTERS_TOPIC)}
        self.logs: list[Path] = []
        (folder / "secret").write_text(SECRET)

    def receiver(self, name: str = "desk", faults: Sequence[ReceiverFault] = (), **options: object) -> None:
        """Start a receiver, and give the rule a channel to it."""
        self.receivers[name] = self.closing.enter_context(
            ReceiverProcess("http", self._folder / f"{name}.log", faults, secrets=[SECRET])
        )
        self.options[name] = self.channel(self.receivers[name].url("/webhook")) | options

    def channel(self, url: str) -> dict[str, Any]:
        """Return a webhook's options."""
        return {"url": url, "secret_files": [str(self._folder / "secret")], "allow_private": True}

    def start(self, **env: str) -> subprocess.Popen[bytes]:
        """Start a sender, and wait until it sends or stands by."""
        process = self.launch(**env)
        wait_for(self.logs[-1], "alerts", process)
        return process

    def launch(self, **env: str) -> subprocess.Popen[bytes]:
        """Start a sender."""
        rules = self._folder / "rules.json"
        rules.write_text(json.dumps({"rule": self.rule, "channels": self.options}))
        self.logs.append(self._folder / f"sender-{len(self.logs)}.log")
        with self.logs[-1].open("wb") as output:
            process = subprocess.Popen(
                [sys.executable, "-m", "tests.integration.services.alerter.sender_process", str(rules)],
                stdout=output,
                stderr=subprocess.STDOUT,
                env=os.environ | {"TAPEWATCH_METRICS_PORT": "0"} | addresses(self.stack) | env,
            )
        self.closing.callback(_end, process)
        return process

    def tell(self, *alerts: Alert) -> None:
        """Write revisions."""
        producer = new_producer(self.stack.kafka_connection, **{"linger.ms": 0})
        for alert in alerts:
            producer.produce(ALERTS_TOPIC, key=alert.symbol, value=encode(alert), partition=0)
        assert producer.flush(10) == 0

    def alert(self, number: int = 1, revision: int = 1, /, **changes: object) -> Alert:
        """Return a revision of an alert of this test's rule."""
        alert_id = f"{self.rule[5:]}{number:024x}"
        return an_alert(number, revision, alert_id=alert_id, rule=self.rule, **changes)

    def taken(self, name: str = "desk") -> list[Taken]:
        """Return what a receiver has taken."""
        return self.receivers[name].taken()

    def keys(self, name: str = "desk") -> list[str]:
        """Return the same as `number.revision`."""
        return [f"{int(each.key[8:32], 16)}{each.key[32:]}" for each in self.taken(name)]

    def deliveries(self, *outcomes: Outcome) -> list[Delivery]:
        """Return this test's records with one of the outcomes, or all."""
        records = read_topic(self.stack, ALERT_DELIVERIES_TOPIC, _copied(self._since[ALERT_DELIVERIES_TOPIC]))
        found = [decode_delivery(record.value() or b"") for record in records]
        return [
            each
            for each in found
            if each.rule in (self.rule, None) and (not outcomes or each.outcome in outcomes)
        ]

    def letters(self) -> list[tuple[dict[str, bytes], bytes | None]]:
        """Return the dead letters of this test."""
        records = read_topic(self.stack, DEAD_LETTERS_TOPIC, _copied(self._since[DEAD_LETTERS_TOPIC]))
        return [(headers_of(record), record.value()) for record in records]

    def committed(self) -> TopicPartition:
        """Return what the senders have committed."""
        consumer: Consumer = new_consumer(self.stack.kafka_connection, SENDER_GROUP)
        [place] = consumer.committed([TopicPartition(ALERTS_TOPIC, 0)], 10)
        consumer.close()
        return place

    def until(self, is_so: Callable[[], bool], timeout_s: float = 60) -> None:
        """Wait for a condition; a failure shows the newest log and the records."""
        deadline_s = time.monotonic() + timeout_s
        while not is_so():
            assert time.monotonic() < deadline_s, (self.logs[-1].read_text(), self.deliveries())
            time.sleep(0.05)


def _copied(partitions: list[TopicPartition]) -> list[TopicPartition]:
    return [TopicPartition(each.topic, each.partition, each.offset) for each in partitions]


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a process so that it leaves its group, for the next test; or kill it."""
    process.terminate()
    try:
        process.wait(5)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.send_signal(signal.SIGTERM)
    assert process.wait(10) == 0


@pytest.fixture
def desk(stack: EmbeddedStack, tmp_path: Path) -> Iterator[Desk]:
    desk = Desk(stack, tmp_path)
    with desk.closing:
        yield desk


def test_each_revision_is_sent_once_in_order_also_over_a_restart(desk: Desk) -> None:
    desk.receiver()
    process = desk.start()
    desk.tell(desk.alert(1), desk.alert(2), desk.alert(1, 2))
    desk.until(lambda: len(desk.taken()) == 3)
    _stop(process)
    desk.tell(desk.alert(2, 2), desk.alert(3))
    process = desk.start()
    desk.until(lambda: len(desk.deliveries(Outcome.SENT)) == 5)
    _stop(process)
    assert desk.keys() == ["1.1", "2.1", "1.2", "2.2", "3.1"]
    assert [each.attempt for each in desk.deliveries()] == [1] * 5
    committed = desk.committed()
    assert (committed.metadata or "").isdecimal()  # the first record that a restart reads
    assert committed.offset >= (desk.deliveries()[-1].alert_offset or 0) + 1


def test_a_sender_killed_between_acceptance_and_record_repeats_that_message_alone(desk: Desk) -> None:
    # The receiver takes the second message, and is slow to say so.
    desk.receiver(faults=[ReceiverFault("slow", 1, 3.0)])
    process = desk.start()
    desk.tell(*(desk.alert(number) for number in (1, 2, 3)))
    desk.until(lambda: len(desk.taken()) == 2)
    process.kill()
    process.wait()
    assert [each.alert_id[-1] for each in desk.deliveries(Outcome.SENT)] == ["1"]
    desk.launch()
    desk.until(lambda: len(desk.deliveries(Outcome.SENT)) == 3)
    assert desk.keys() == ["1.1", "2.1", "2.1", "3.1"]
    assert all(each.is_equal for each in desk.taken())


@pytest.mark.slow
def test_a_slow_channel_does_not_delay_another(desk: Desk) -> None:
    desk.receiver("slow", [ReceiverFault("slow", 0, 8.0)])
    desk.receiver("quick")
    desk.start()
    desk.tell(*(desk.alert(number) for number in range(1, 6)))
    desk.until(lambda: len(desk.taken("quick")) == 5)
    assert len(desk.taken("slow")) == 1
    assert "slow" not in {each.channel for each in desk.deliveries()}
    desk.until(lambda: len(desk.taken("slow")) == 5)


def test_failures_are_tried_again_and_retry_after_is_obeyed(desk: Desk) -> None:
    faults = [ReceiverFault("error", 0), ReceiverFault("redirect", 1), ReceiverFault("busy", 2, 3.0)]
    desk.receiver(faults=faults)
    desk.start()
    desk.tell(desk.alert(1), desk.alert(1, 2))
    desk.until(lambda: len(desk.taken()) == 2)
    desk.until(lambda: len(desk.deliveries(Outcome.SENT)) == 2)
    assert desk.keys() == ["1.1", "1.2"]
    assert desk.receivers["desk"].state()["strayed"] == 0
    tries = [each for each in desk.deliveries() if each.revision == 1]
    assert [(each.outcome, each.status) for each in tries] == [
        (Outcome.FAILED, 500),
        (Outcome.FAILED, 302),
        (Outcome.FAILED, 429),
        (Outcome.SENT, 204),
    ]
    assert [each.attempt for each in tries] == [1, 2, 3, 4]
    at = [to_seconds(each.timestamp) for each in tries]
    assert at[1] - at[0] >= 1.0
    assert at[2] - at[1] >= 2.0
    assert at[3] - at[2] >= 3.0


@pytest.mark.slow
def test_others_pass_a_message_that_waits_for_its_next_try(desk: Desk) -> None:
    desk.receiver(faults=[ReceiverFault("error", 0), ReceiverFault("reset", 3)])
    desk.start()
    desk.tell(desk.alert(1), desk.alert(1, 2), desk.alert(2))
    desk.until(lambda: len(desk.taken()) == 3)
    assert desk.keys() == ["2.1", "1.1", "1.2"]


@pytest.mark.slow
def test_a_receiver_that_is_gone_switches_its_channel_off_until_the_next_start(desk: Desk) -> None:
    desk.receiver(faults=[ReceiverFault("gone", 1)])
    process = desk.start()
    desk.tell(*(desk.alert(number) for number in (1, 2, 3)))
    desk.until(lambda: len(desk.letters()) == 2)
    desk.tell(desk.alert(4))
    desk.until(lambda: len(desk.letters()) == 3)
    assert desk.keys() == ["1.1"]
    assert desk.receivers["desk"].state()["requests"] == 2
    headers, value = desk.letters()[0]
    assert headers["service"] == b"alerter"
    assert headers["error"].startswith(b"not delivered to the channel desk: the channel is switched off")
    assert value == encode(desk.alert(2))
    assert metrics(desk.logs[-1])["tapewatch_alert_channel_open{desk}"] == 1
    _stop(process)
    desk.tell(desk.alert(5))
    desk.start()
    desk.until(lambda: desk.keys() == ["1.1", "5.1"])
    assert [each.outcome for each in desk.deliveries()].count(Outcome.DEAD) == 3


@pytest.mark.slow
def test_what_is_not_accepted_in_time_is_a_dead_letter(desk: Desk) -> None:
    desk.options["desk"] = desk.channel(f"http://127.0.0.1:{free_port()}/")
    desk.start(TAPEWATCH_ALERT_RETRY_HOURS=str(4 / 3600))
    desk.tell(desk.alert(1))
    desk.until(lambda: len(desk.letters()) == 1)
    headers, value = desk.letters()[0]
    assert b"not accepted within" in headers["error"]
    assert value == encode(desk.alert(1))
    outcomes = [each.outcome for each in desk.deliveries()]
    assert outcomes == [Outcome.FAILED, Outcome.FAILED, Outcome.DEAD]


def test_what_is_no_alert_is_a_dead_letter_and_the_next_one_is_sent(desk: Desk) -> None:
    desk.receiver()
    desk.start()
    producer = new_producer(desk.stack.kafka_connection)
    producer.produce(ALERTS_TOPIC, key="NVDA", value=b'{"alert_id": 7}', partition=0)
    assert producer.flush(10) == 0
    desk.tell(desk.alert(1))
    desk.until(lambda: desk.keys() == ["1.1"])
    desk.until(lambda: len(desk.letters()) == 1)
    headers, value = desk.letters()[0]
    assert headers["error"].startswith(b"not an alert: ")
    assert value == b'{"alert_id": 7}'


@pytest.mark.slow
def test_a_receiver_that_is_down_gets_one_probe_at_a_time(desk: Desk) -> None:
    desk.receiver(faults=[ReceiverFault("error", number) for number in range(6)])
    desk.start()
    desk.tell(*(desk.alert(number) for number in range(1, 11)))
    desk.until(lambda: len(desk.deliveries(Outcome.FAILED)) == 5)
    time.sleep(0.5)
    assert desk.receivers["desk"].state()["requests"] == 5  # the others wait for a probe
    desk.until(lambda: len(desk.deliveries(Outcome.SENT)) == 10)
    failed = [to_seconds(each.timestamp) for each in desk.deliveries(Outcome.FAILED)]
    assert failed[5] - failed[4] >= 1.0
    assert sorted(desk.keys()) == sorted(f"{number}.1" for number in range(1, 11))


@pytest.mark.slow
def test_a_silence_that_is_added_while_it_runs_holds_back_until_it_is_ended(desk: Desk) -> None:
    desk.receiver()
    desk.start()
    common = ("--for", "2h", "--reason", "works", "--author", "Ada")
    added = tapewatch(desk.stack, "silence", "add", "--rules", desk.rule, "--symbols", "NV*", *common)
    silence_id = added.stdout.split()[0]
    desk.tell(desk.alert(1), desk.alert(2, symbol="AMD"), desk.alert(3))
    desk.until(lambda: len(desk.deliveries()) == 3)
    assert desk.keys() == ["2.1"]
    silenced = desk.deliveries(Outcome.SILENCED)
    assert {each.silence_id for each in silenced} == {silence_id}
    assert {each.reason for each in silenced} == {"silenced by Ada: works"}
    listed = tapewatch(desk.stack, "silence", "list").stdout
    line = next(line for line in listed.splitlines() if silence_id in line)
    assert " 2 " in line
    assert "works" in line
    tapewatch(desk.stack, "silence", "expire", silence_id, "--author", "Bob")
    desk.tell(desk.alert(4))
    desk.until(lambda: desk.keys() == ["2.1", "4.1"])
    assert silence_id not in tapewatch(desk.stack, "silence", "list").stdout
    assert "ended by Bob" in " ".join(tapewatch(desk.stack, "silence", "list", "--all").stdout.split())
    refused = tapewatch(desk.stack, "silence", "expire", silence_id, code=1)
    assert "is in force" in refused.stderr


@pytest.mark.slow
def test_a_budget_that_is_used_up_holds_back_also_after_a_restart(desk: Desk) -> None:
    desk.receiver("budgeted", budget_per_hour=2)
    process = desk.start()
    desk.tell(*(desk.alert(number) for number in (1, 2, 3)))
    desk.until(lambda: len(desk.deliveries()) == 3)
    _stop(process)
    desk.tell(desk.alert(4))
    desk.start()
    desk.until(lambda: len(desk.deliveries()) == 4)
    assert desk.keys("budgeted") == ["1.1", "2.1"]
    held = desk.deliveries(Outcome.HELD)
    assert {each.reason for each in held} == {"the budget of 2 an hour was used up"}
    desk.until(lambda: metrics(desk.logs[-1])["tapewatch_alert_held_back{budgeted}"] == 2)


@pytest.mark.slow
def test_a_standby_takes_over_from_one_that_is_killed(desk: Desk) -> None:
    desk.receiver()
    first = desk.start()
    desk.tell(desk.alert(1))
    desk.until(lambda: len(desk.deliveries(Outcome.SENT)) == 1)
    second = desk.launch()
    wait_for(desk.logs[-1], "alerts", second)
    working = next(one for one in (first, second) if _is_sending(desk, one, (first, second)))
    working.kill()
    working.wait()
    desk.tell(desk.alert(2))
    desk.until(lambda: len(desk.deliveries(Outcome.SENT)) == 2)
    assert desk.keys() == ["1.1", "2.1"]


def _is_sending(
    desk: Desk, process: subprocess.Popen[bytes], both: tuple[subprocess.Popen[bytes], ...]
) -> bool:
    log = desk.logs[both.index(process)]
    sending = [str(line["timestamp"]) for line in log_lines(log, "sending alerts")]
    standing = [str(line["timestamp"]) for line in log_lines(log, "standing by to send alerts")]
    return max(sending, default="") > max(standing, default="")


@pytest.mark.slow
def test_a_sender_that_was_stopped_for_long_sends_nothing_that_its_successor_sends(desk: Desk) -> None:
    desk.receiver(faults=[ReceiverFault("slow", number, 0.5) for number in range(20)])
    first = desk.start()
    desk.tell(*(desk.alert(number) for number in range(1, 11)))
    desk.until(lambda: len(desk.taken()) == 2)
    first.send_signal(signal.SIGSTOP)
    second = desk.launch()
    wait_for(desk.logs[-1], "sending alerts", second)
    desk.until(lambda: len(desk.taken()) >= 4)
    first.send_signal(signal.SIGCONT)
    desk.until(lambda: len(desk.deliveries(Outcome.SENT)) >= 10)
    time.sleep(2)
    repeats = [each for each in desk.taken() if each.is_repeat]
    assert len(repeats) <= 1
    assert all(each.is_equal for each in repeats)
    assert sorted(set(desk.keys())) == sorted(f"{number}.1" for number in range(1, 11))
