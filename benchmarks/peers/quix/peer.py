"""Quix Streams: Python, one process, JSON as dictionaries."""

import json
from collections.abc import Mapping
from pathlib import Path

from benchmarks.peers.base import Command, Job, Peer, Purpose
from benchmarks.peers.quix.packages import ENVIRONMENT, NAME
from benchmarks.surroundings import note

COMMIT_EVERY = 100_000
"""Messages between two commits at full speed, the fastest of those tried; see `benchmarks/service.py`."""

COMMIT_INTERVAL_S = 0.1


def settings(job: Job) -> Mapping[str, object]:
    """Return what differs from the defaults of Quix Streams."""
    if job.purpose is Purpose.RATE:
        return {"commit_every": COMMIT_EVERY}
    return {
        "commit_interval": COMMIT_INTERVAL_S,
        # A member that was killed comes back under its name, and so does its transaction: otherwise its
        # partitions wait for the session's 45 s, and its offsets for the transaction's 60 s.
        "consumer_extra_config": {"group.instance.id": "one", "session.timeout.ms": 6_000},
        "producer_extra_config": {"transactional.id": "one"},
    }


class QuixStreams(Peer):
    """Quix Streams."""

    name = NAME

    def set_up(self) -> None:
        """Install the package."""
        ENVIRONMENT.install(note)

    def command(self, job: Job) -> Command:
        """Return the command of the program beside this file."""
        arguments = [
            *(str(ENVIRONMENT.python), str(Path(__file__).with_name("threshold.py"))),
            *(job.bootstrap, job.group, job.source, job.sink, str(job.threshold_shares)),
            *(str(job.folder / "state"), json.dumps(settings(job))),
        ]
        return Command(arguments, ENVIRONMENT.variables())
