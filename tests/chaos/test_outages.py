"""The short form of `make chaos ARGS='--outages N'`: one clean stop, and one kill soon after."""

from pathlib import Path

import pytest

from tests.chaos.day import write_night
from tests.chaos.outages import plan_outages, run_outages
from tests.chaos.report import outages_summary


def test_stops_and_kills_take_turns_and_a_seed_gives_the_same_plan() -> None:
    plan = plan_outages(seed=1, count=6)
    assert [outage.is_kill for outage in plan] == [False, True] * 3
    assert [outage.number for outage in plan] == list(range(1, 7))
    assert plan == plan_outages(seed=1, count=6)
    assert plan != plan_outages(seed=2, count=6)


def test_summary_says_how_long_outages_took_to_heal() -> None:
    assert outages_summary([20.0, 40.0, 30.0]).plain.endswith("median 30 s, at most 40 s")
    assert outages_summary([]).plain == "no outage healed"


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_services_resume_after_both_servers_were_away(tmp_path: Path) -> None:
    night = tmp_path / "night.csv"
    write_night(night, trades=20_000)
    outcome = run_outages(night, tmp_path / "run", seed=1, outages=2, say=print)
    assert not outcome.violations, "\n".join(map(str, outcome.violations))
    assert len(outcome.healed_s) == 2
