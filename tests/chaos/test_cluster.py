import itertools
from collections import Counter

import pytest

from tests.chaos.cluster import ClusterOutcome, Kind, plan_kills, summary
from tests.chaos.verify import Violation

SEEDS = range(20)


@pytest.mark.parametrize("seed", SEEDS)
def test_brokers_and_nodes_are_killed_in_turn_and_each_as_often(seed: int) -> None:
    plan = plan_kills(seed, 12, brokers=3, nodes=3)
    assert [kill.kind for kill in plan] == [Kind.BROKER, Kind.NODE] * 6
    assert set(Counter((kill.kind, kill.place) for kill in plan).values()) == {2}


def test_services_go_from_one_to_two_and_back() -> None:
    instances = [1, *(kill.instances for kill in plan_kills(1, 12, brokers=3, nodes=3))]
    assert all({one, other} == {1, 2} for one, other in itertools.pairwise(instances))


def test_same_seed_gives_the_same_plan_and_another_one_another() -> None:
    assert plan_kills(1, 12, 3, 3) == plan_kills(1, 12, 3, 3)
    assert plan_kills(1, 12, 3, 3) != plan_kills(2, 12, 3, 3)


def test_the_summary_counts_what_was_lost_doubled_and_different() -> None:
    violations = [Violation("topic trades", "lost", 7, ()), Violation("index trades", "lost", 2, ())]
    text = summary(ClusterOutcome(trades=1_000, violations=violations))
    assert "9 lost, 0 doubled, 0 different; 2 kinds of violation" in text
