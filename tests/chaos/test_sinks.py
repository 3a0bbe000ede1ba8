"""The short form of `make chaos ARGS='--sinks elasticsearch,postgres'`: sinks and stores are killed."""

from pathlib import Path

import pytest

from tests.chaos.day import write_night
from tests.chaos.run import run_chaos
from tests.chaos.schedule import OF_SINKS, Act, at_least

SINKS = tuple(OF_SINKS)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_both_sinks_have_every_row_once_whatever_is_killed(tmp_path: Path) -> None:
    night = tmp_path / "night.csv"
    write_night(night, trades=25_000)
    kills = len(at_least(SINKS))
    outcome = run_chaos(night, tmp_path / "run", seed=1, kills=kills, pauses=4, say=print, sinks=SINKS)
    assert not outcome.violations, "\n".join(map(str, outcome.violations))
    struck = {strike.victim for strike in outcome.strikes if strike.fault.act is Act.KILL}
    assert struck >= {victim for victims in OF_SINKS.values() for victim in victims}
