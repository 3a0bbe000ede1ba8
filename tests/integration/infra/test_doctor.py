"""`tapewatch doctor` against the real servers."""

import time
from collections.abc import Iterator

import pytest
from confluent_kafka.admin import NewTopic

from infra.doctor.checks import Diagnosis, check_coordinators, check_topics
from infra.embedded.ports import free_port
from infra.embedded.stack import EmbeddedStack, StackConfig
from infra.setup.topics import set_up_topics
from services.common.kafka.clients import new_admin
from services.contracts.topics import TOPICS
from tests.integration.pipeline import tapewatch


@pytest.fixture(scope="module")
def own_stack() -> Iterator[EmbeddedStack]:
    """A stack whose topics tests may break."""
    with EmbeddedStack(StackConfig(kafka_port=free_port(), elasticsearch_port=free_port())) as running:
        yield running


def wait_for_finding(stack: EmbeddedStack, text: str) -> Diagnosis:
    """Check repeatedly until the broker reports a change just made to the topics."""
    deadline_s = time.monotonic() + 20
    while text not in (found := check_topics(stack.kafka_connection)).finding:
        assert time.monotonic() < deadline_s, found.finding
        time.sleep(0.05)
    return found


@pytest.mark.slow
def test_all_is_well_after_setup_and_wrong_before(own_stack: EmbeddedStack) -> None:
    said = tapewatch(own_stack, "doctor", code=1).stdout
    assert said.count("wrong") == 2
    assert said.count("Run `tapewatch setup`.") == 2
    tapewatch(own_stack, "setup")
    said = tapewatch(own_stack, "doctor").stdout
    assert "wrong" not in said
    assert f"all {len(TOPICS)}, trades with 6 partitions" in said


@pytest.mark.slow
def test_a_coordinator_that_takes_commits_is_well(own_stack: EmbeddedStack) -> None:
    set_up_topics(new_admin(own_stack.kafka_connection))
    assert check_coordinators(own_stack.kafka_connection).hint == ""


def test_topics_with_different_numbers_of_partitions_are_reported(own_stack: EmbeddedStack) -> None:
    admin = new_admin(own_stack.kafka_connection)
    set_up_topics(admin)
    admin.delete_topics(["anomalies"])["anomalies"].result(20)
    wait_for_finding(own_stack, "missing: anomalies")
    admin.create_topics([NewTopic("anomalies", 4)])["anomalies"].result(20)
    found = wait_for_finding(own_stack, "trades has 6, anomalies has 4")
    assert "Delete all of Tapewatch's topics" in found.hint
