"""Each venue's feed against a venue that misbehaves, on a real Kafka, killed meanwhile."""

from dataclasses import replace
from pathlib import Path

import pytest

from infra.embedded.stack import EmbeddedStack
from services.sources.feeds.registry import VENUES as REGISTERED
from tests.chaos.feeds import disturb_feed
from tests.integration.pipeline import tapewatch
from tests.standins.faults import Fault, FaultKind, make_faults
from tests.standins.tape import TapeConfig
from tests.standins.venues import VENUES, StandInVenue

QUICK: tuple[FaultKind, ...] = ("close", "drop", "double", "swap", "malformed")
EVERY_TIME = ("coinbase",)
"""Venues whose short test is never left out."""

TAPE_S = 7.0
PER_SECOND = 100.0
FAULT_S = 8.0
"""Length of the tape for each fault; a silent connection is noticed after ten seconds at the earliest."""


def test_every_registered_venue_has_a_standin() -> None:
    assert {venue.feed.partition(":")[0] for venue in VENUES} >= {kind.name for kind in REGISTERED}


@pytest.mark.parametrize(
    "venue",
    [
        pytest.param(venue, id=venue.feed, marks=() if venue.feed in EVERY_TIME else pytest.mark.slow)
        for venue in VENUES
    ],
)
def test_a_killed_feed_of_a_venue_that_misbehaves_loses_and_doubles_nothing(
    stack: EmbeddedStack, tmp_path: Path, venue: StandInVenue
) -> None:
    tapewatch(stack, "setup")
    tape = TapeConfig(venue.symbols, PER_SECOND, TAPE_S, seed=1, first_number=5_000)
    faults = make_faults(1, [kind for kind in QUICK if kind in venue.faults], int(PER_SECOND * TAPE_S * 0.7))
    _run(stack, tmp_path, venue, tape, faults, kills=1)


@pytest.mark.slow
def test_a_feed_stands_every_fault_of_its_venue(stack: EmbeddedStack, tmp_path: Path) -> None:
    """One venue; `make chaos ARGS='--feed VENUE'` does it for each, and longer."""
    tapewatch(stack, "setup")
    venue = VENUES[0]
    seconds = FAULT_S * len(venue.faults)
    tape = TapeConfig(venue.symbols, PER_SECOND, seconds, seed=2, first_number=9_000)
    faults = make_faults(2, venue.faults, int(PER_SECOND * seconds * 0.7))
    _run(stack, tmp_path, venue, tape, faults, kills=3)


def _run(
    stack: EmbeddedStack, folder: Path, venue: StandInVenue, tape: TapeConfig, faults: list[Fault], kills: int
) -> None:
    # Symbols of its own for each test: all read the same topics.
    own = tuple(f"{symbol}{tape.seed}{VENUES.index(venue)}" for symbol in tape.symbols)
    outcome = disturb_feed(
        stack.kafka_connection,
        {"TAPEWATCH_KAFKA": stack.kafka_bootstrap, "TAPEWATCH_METRICS_PORT": "0"},
        venue,
        replace(tape, symbols=own),
        faults,
        seed=tape.seed,
        kills=kills,
        folder=folder,
    )
    assert outcome.violations == []
    assert outcome.published > tape.per_second
