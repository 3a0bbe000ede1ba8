"""How fast engines work off a full topic."""

import datetime as dt
import time
from collections.abc import Sequence
from pathlib import Path

from confluent_kafka.admin import AdminClient

from benchmarks.peers.base import Job, Peer, Purpose
from benchmarks.peers.figures import Speed
from benchmarks.peers.program import Program
from benchmarks.surroundings import OUT, environment, generated_day, note, run_command
from benchmarks.topics import POLL_S, Commits, Seen, ends_of_records, is_readable, read_topic
from services.common.errors import TapewatchError
from services.common.kafka.clients import new_admin
from services.common.kafka.connection import KafkaConnection
from services.contracts.topics import TRADES_TOPIC
from services.sources.files import open_source
from services.sources.synthetic.day import DayConfig

THRESHOLD_SHARES = 20_000
DAYS = tuple(DayConfig(date=dt.date(2026, 3, day), trades=600_000, symbols=24) for day in range(2, 7))
PUBLISH_TIMEOUT_S = 600.0
RUN_TIMEOUT_S = 180.0
SETTLE_TIMEOUT_S = 20.0


def slope(seen: Sequence[Seen], total: int) -> float:
    """Return offsets a second between the first commit and the last one before the end.

    The last commit of all is left out, since some engines make it only when a clock tells them to.

    Parameters
    ----------
    seen
        What was seen, in the order of time.
    total
        Offsets when all is committed.

    Raises
    ------
    TapewatchError
        There are not two commits before the end.
    """
    commits = [one for one in seen if 0 < one.offsets < total]
    if len({one.offsets for one in commits}) < 2:
        raise TapewatchError(
            "It committed everything at once, too few trades to time.", "Publish more days: `DAYS`."
        )
    first = commits[0]
    last = next(one for one in commits if one.offsets == commits[-1].offsets)
    return (last.offsets - first.offsets) / (last.at_s - first.at_s)


class Rates:
    """One Kafka with a full topic, and the engines that read it.

    Parameters
    ----------
    bootstrap
        Where that Kafka is.
    folder
        Folder for what the engines keep.
    """

    def __init__(self, bootstrap: str, folder: Path) -> None:
        self._bootstrap = bootstrap
        self._folder = folder
        self._admin: AdminClient = new_admin(KafkaConnection(bootstrap))
        self._runs = 0
        self._trades = self._large_trades = 0
        self._ends: dict[int, int] = {}

    def publish(self, days: Sequence[DayConfig] = DAYS) -> None:
        """Publish generated days."""
        self._trades = sum(day.trades for day in days)
        note(f"peers: publishes {self._trades:,} trades")
        files = [generated_day(day) for day in days]
        run_command(environment(self._bootstrap), PUBLISH_TIMEOUT_S, "produce", *map(str, files))
        for file in files:
            for chunk in open_source(file).chunks():
                self._large_trades += int((chunk.trades["size"] > THRESHOLD_SHARES).sum())
        self._ends = ends_of_records(self._bootstrap, TRADES_TOPIC)

    def measure(self, peer: Peer) -> Speed:
        """Run an engine from the topic's beginning to its end.

        Raises
        ------
        TapewatchError
            It ended early, was too slow, or its output is wrong.
        """
        self._runs += 1
        group, sink = peer.places(f"rate-{self._runs}")
        folder = self._folder / f"rate-{self._runs}"
        job = Job(self._bootstrap, group, TRADES_TOPIC, sink, THRESHOLD_SHARES, folder, Purpose.RATE)
        peer.clear(self._admin, job)
        log_file = OUT / f"{group}.log"
        log_file.unlink(missing_ok=True)
        program = peer.start(job, log_file)
        try:
            with Commits(self._bootstrap, TRADES_TOPIC, group, self._ends) as commits:
                seen = _watched(program, commits)
            self._check(peer, job)
        finally:
            program.stop()
        total = sum(self._ends.values())
        return Speed(
            # The same as counting trades, but for the few offsets that a producer's transactions take.
            trades_per_s=slope(seen, total) * self._trades / total,
            processor_s=program.processor_s / self._trades * 1e6,
            peak_bytes=program.peak_bytes,
        )

    def _check(self, peer: Peer, job: Job) -> None:
        deadline_s = time.monotonic() + SETTLE_TIMEOUT_S
        while not is_readable(self._bootstrap, job.sink) and time.monotonic() < deadline_s:
            time.sleep(POLL_S)
        published = len(read_topic(self._bootstrap, job.sink))
        if not published or (peer.publishes_trades and published != self._large_trades):
            raise TapewatchError(
                f"It published {published:,} records; {self._large_trades:,} trades are above the threshold.",
                f"See its log in {OUT}.",
            )


def _watched(program: Program, commits: Commits) -> list[Seen]:
    """Return what was seen of a program's commits until all is committed."""
    deadline_s = time.monotonic() + RUN_TIMEOUT_S
    seen = [commits.ask()]
    while seen[-1].offsets < commits.total:
        if time.monotonic() > deadline_s or not program.is_running:
            raise TapewatchError(
                f"It did not commit all trades within {RUN_TIMEOUT_S:.0f} s, or ended.",
                f"See its log, {program.log_file}.",
            )
        time.sleep(POLL_S)
        seen.append(commits.ask())
    return seen
