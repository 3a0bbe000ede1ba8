from collections import Counter
from collections.abc import Sequence

import pytest

from tests.compose.containers_seen import container
from tests.compose.faults import PLAN, STORAGE_PLAN, Act, Fault, ended_by_themselves, is_healed
from tests.compose.run import ONCE
from tests.compose.test_compose_file import SERVICES, STORAGE

LATER = "2026-03-02T14:31:00Z"


USUAL = [name for name, one in SERVICES.items() if "profiles" not in one]


@pytest.mark.parametrize(("plan", "services"), [(PLAN, USUAL), (STORAGE_PLAN, STORAGE)])
def test_every_service_that_keeps_running_is_restarted_killed_and_halted(
    plan: Sequence[Fault], services: Sequence[str]
) -> None:
    running = {*services} - {*ONCE} | {"producer"} & {*services}
    acts = {name: {fault.act for fault in plan if fault.service == name} for name in running}
    assert {fault.service for fault in plan} == running
    assert all(
        done >= {Act.RESTART, Act.HALT} and done & {Act.KILL, Act.KILL_CHILDREN} for done in acts.values()
    )
    assert max(Counter(plan).values()) == 1


def test_what_the_engine_does_not_start_again_is_started_by_somebody() -> None:
    for fault in (*PLAN, *STORAGE_PLAN):
        restarts = SERVICES[fault.service]["restart"] != "no"
        assert fault.act is not (Act.KILL_AND_START if restarts else Act.KILL)


@pytest.mark.parametrize("act", [Act.RESTART, Act.KILL, Act.KILL_AND_START])
def test_the_health_from_before_a_new_start_does_not_count(act: Act) -> None:
    before = container("indexer")
    assert not is_healed(act, before, before)
    assert not is_healed(act, before, container("indexer", started_at=LATER, health="starting"))
    assert is_healed(act, before, container("indexer", started_at=LATER))


@pytest.mark.parametrize("act", [Act.HALT, Act.KILL_CHILDREN])
def test_what_should_resume_must_not_start_again(act: Act) -> None:
    before = container("producer")
    assert is_healed(act, before, before)
    assert not is_healed(act, before, container("producer", state="paused"))
    assert not is_healed(act, before, container("producer", started_at=LATER))


def test_a_container_that_ended_more_often_than_it_was_killed_is_reported() -> None:
    well = [container("indexer", restarts=1), container("setup"), container("producer")]
    assert ended_by_themselves(well) == []
    other = container("detector", name="tapewatch-test-detector-2", restarts=2)
    (violation,) = ended_by_themselves([*well, container("kibana", restarts=2), other][2:4])
    assert (violation.where, violation.count) == ("tapewatch-test-kibana-1", 1)
    (violation,) = ended_by_themselves([other])
    assert (violation.where, violation.count) == ("tapewatch-test-detector-2", 2)
