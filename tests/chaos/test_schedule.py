from collections import Counter

import numpy as np
import pytest

from tests.chaos.schedule import (
    AT_LEAST,
    OF_SINKS,
    SHARES,
    Act,
    Victim,
    at_least,
    make_plan,
    next_leg,
    victims_of,
)

SEEDS = range(20)


BOTH = ("elasticsearch", "postgres")


@pytest.mark.parametrize(("sinks", "kills"), [(BOTH[:1], 50), (BOTH[1:], 50), (BOTH, 65)])
@pytest.mark.parametrize("seed", SEEDS)
def test_every_victim_gets_its_share_of_kills(seed: int, sinks: tuple[str, ...], kills: int) -> None:
    plan = make_plan(seed, kills, 6, sinks)
    dealt = Counter(fault.victim for fault in plan if fault.act is Act.KILL)
    assert dealt == {victim: 5 * SHARES[victim] for victim in victims_of(sinks)}


def test_every_sink_that_runs_is_killed_with_its_store_and_no_other() -> None:
    for sinks in (BOTH[:1], BOTH[1:], BOTH):
        struck = {fault.victim for fault in make_plan(1, len(at_least(sinks)), 6, sinks)}
        for sink, victims in OF_SINKS.items():
            assert (set(victims) <= struck) == (sink in sinks)
            assert (sink in sinks) or not set(victims) & struck


@pytest.mark.parametrize("seed", SEEDS)
def test_shortest_plan_strikes_everybody_and_one_returns_from_a_pause(seed: int) -> None:
    plan = make_plan(seed, len(AT_LEAST), 1)
    assert Counter(fault.victim for fault in plan if fault.act is Act.KILL) == Counter(AT_LEAST)
    assert [fault.act for fault in plan].count(Act.PAUSE) == 1


@pytest.mark.parametrize("seed", SEEDS)
def test_faults_come_one_after_the_other_between_two_kills_of_the_producer(seed: int) -> None:
    plan = make_plan(seed, 50, 6)
    fractions = [fault.fraction for fault in plan]
    assert fractions == sorted(fractions)
    assert 0 < fractions[0] < fractions[-1] < 1
    for fault in (plan[0], plan[-1]):
        assert (fault.act, fault.victim) == (Act.KILL, Victim.PRODUCER)


def test_same_seed_gives_the_same_plan_and_another_one_another() -> None:
    assert make_plan(1, 20, 3) == make_plan(1, 20, 3)
    assert make_plan(1, 20, 3) != make_plan(2, 20, 3)


def test_all_kinds_of_pauses_are_dealt_out() -> None:
    pauses = [(fault.act, fault.victim) for fault in make_plan(3, 20, 6) if fault.act is not Act.KILL]
    assert {victim for act, victim in pauses if act is Act.PAUSE} >= {Victim.INDEXER, Victim.PRODUCER}
    assert {act for act, victim in pauses if victim is Victim.PRODUCER} == {Act.PAUSE, Act.REPLACE}


def test_too_few_kills_are_rejected() -> None:
    with pytest.raises(ValueError, match="kills at least"):
        make_plan(1, len(AT_LEAST) - 1, 0)


def test_trades_up_to_the_producers_next_kill_take_as_long_as_the_faults_until_then() -> None:
    event_ns = np.arange(10_000, dtype=np.int64) * 1_000_000_000
    plan = make_plan(1, 20, 3)
    row, passed_s = 0, 0.0
    while plan:
        leg = next_leg(event_ns, row, plan)
        assert leg is not None
        kill = next(
            place
            for place, fault in enumerate(plan)
            if fault.act is Act.KILL and fault.victim is Victim.PRODUCER
        )
        budget_s = sum(fault.budget_s for fault in plan[: kill + 1])
        assert leg.limit_trades >= round(leg.speed * budget_s)
        row += round(leg.speed * budget_s)
        passed_s += budget_s
        plan = plan[kill + 1 :]
        assert row < 9_800
    assert passed_s == pytest.approx(sum(fault.budget_s for fault in make_plan(1, 20, 3)))
    assert next_leg(event_ns, row, []) is None


def test_producer_that_ran_ahead_of_the_plan_is_slowed_down() -> None:
    event_ns = np.arange(10_000, dtype=np.int64) * 1_000_000_000
    plan = make_plan(1, 20, 3)
    leg = next_leg(event_ns, 9_900, plan)
    assert leg is not None
    assert leg.speed * sum(fault.budget_s for fault in plan) <= 100


def test_day_is_not_over_before_the_last_fault_however_long_the_faults_take() -> None:
    event_ns = np.arange(10_000, dtype=np.int64) * 1_000_000_000
    plan = make_plan(1, 20, 3)
    row = 0
    for _ in range(8):
        leg = next_leg(event_ns, row, plan)
        assert leg is not None
        row += leg.limit_trades
    assert row < len(event_ns)
