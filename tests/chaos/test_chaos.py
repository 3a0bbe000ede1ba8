"""The short form of `make chaos`: each part of the pipeline is killed once, and one returns as a zombie."""

from pathlib import Path

import pytest

from tests.chaos.day import write_night
from tests.chaos.run import run_chaos
from tests.chaos.schedule import AT_LEAST, DETECTORS, Act, Victim

SEED = 45
"""With this seed the two servers are down at the same time, which makes the run short."""


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_killing_every_part_changes_nothing_in_the_end(tmp_path: Path) -> None:
    night = tmp_path / "night.csv"
    write_night(night, trades=25_000)
    outcome = run_chaos(night, tmp_path / "run", seed=SEED, kills=len(AT_LEAST), pauses=1, say=print)
    assert not outcome.violations, "\n".join(map(str, outcome.violations))
    killed = {strike.victim for strike in outcome.strikes if strike.fault.act is Act.KILL}
    assert killed >= {Victim.PRODUCER, Victim.INDEXER, Victim.KAFKA, Victim.ELASTICSEARCH}
    assert killed & set(DETECTORS)
    assert [strike.victim in DETECTORS for strike in outcome.strikes if strike.fault.act is Act.PAUSE] == [
        True
    ]
