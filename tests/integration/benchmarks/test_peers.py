"""Each engine with a feed and two kills, for some seconds; nothing is downloaded for it."""

from pathlib import Path

import pytest

from benchmarks.peers import live
from benchmarks.peers.base import Peer
from benchmarks.peers.comparing import Differences
from benchmarks.peers.measuring import LONGEST_TRANSACTION
from benchmarks.peers.registry import PEERS
from benchmarks.surroundings import OUT, running_kafka
from infra.embedded.download import REPOSITORY_VARIABLE
from services.common.errors import TapewatchError

SHORT = live.Plan(warm_up_s=3, timed_s=10, kills=2, kills_s=15)


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("peer", PEERS, ids=lambda peer: type(peer).__name__)
def test_engine_publishes_everything_once_though_it_is_killed(
    peer: Peer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(REPOSITORY_VARIABLE, "http://127.0.0.1:9")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.delenv("PIP_FIND_LINKS", raising=False)
    try:
        peer.set_up()
    except TapewatchError as error:
        pytest.skip(f"`make bench ARGS='--only peers'` sets it up: {error.cause}")
    OUT.mkdir(parents=True, exist_ok=True)
    with running_kafka(LONGEST_TRANSACTION) as bootstrap:
        delay, survival = live.measure(peer, bootstrap, tmp_path, SHORT)
    assert 0 < delay.p50_s <= delay.p99_s
    assert survival.differences == Differences(lost=0, doubled=0, different=0)
    assert survival.caught_up_s is not None
