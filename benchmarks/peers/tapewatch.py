"""Our own detector, as the row beside the peers: it applies all detectors, and publishes what they found."""

import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import orjson
from confluent_kafka.admin import AdminClient

from benchmarks.peers.base import Command, Job, Peer, Purpose
from benchmarks.peers.comparing import Key, Rows
from benchmarks.surroundings import command, environment
from benchmarks.topics import POLL_S, Commits, ends_of_records, forget_detector, read_topic
from services.common.errors import TapewatchError
from services.common.kafka.clients import new_admin
from services.common.kafka.connection import KafkaConnection
from services.common.kafka.records import Record
from services.contracts.components import DETECTOR
from services.contracts.topics import ANOMALIES_TOPIC

UNDISTURBED_TIMEOUT_S = 600.0
LIVE_PROFILE = """
base: crypto
detectors:
  off_market_price: {join_s: 0, join_trades: 0}
  mixed_prices: null
"""
"""Each wrong price is an anomaly of its own, however soon it comes after another."""


class Tapewatch(Peer):
    """`tapewatch detect`; where delays count, with a profile that tells each wrong price by itself."""

    name = "Tapewatch, all detectors"
    publishes_trades = False

    def set_up(self) -> None:
        """Do nothing: it is this checkout."""

    def command(self, job: Job) -> Command:
        """Return the command of the detector."""
        arguments = []
        if job.purpose is Purpose.LIVE:
            job.folder.mkdir(parents=True, exist_ok=True)
            profile = job.folder / "profile.yaml"
            profile.write_text(LIVE_PROFILE)
            arguments = ["--profile", str(profile)]
        return Command(command("detect", *arguments), environment(job.bootstrap))

    def places(self, run: str) -> tuple[str, str]:  # noqa: ARG002
        """Return the detector's own group and topic, the same for each run."""
        return DETECTOR.group, ANOMALIES_TOPIC

    def clear(self, admin: AdminClient, job: Job) -> None:  # noqa: ARG002
        """Forget what an earlier run left: offsets, state and anomalies."""
        forget_detector(admin)

    def rows(self, records: Sequence[Record]) -> list[tuple[Key, Mapping[str, object]]]:
        """Return the revisions of anomalies without the time at which they were found."""
        rows: list[tuple[Key, Mapping[str, object]]] = []
        for record in records:
            fields = orjson.loads(record.value() or b"{}")  # a withdrawal has none, and nobody wants one
            fields.pop("detected_at", None)
            rows.append(((str(fields.get("trade_id")), fields.get("revision", 1)), fields))
        return rows

    def wanted(self, job: Job, large: Sequence[Record], log_file: Path) -> Rows:  # noqa: ARG002
        """Return what the detector publishes for the same trades when nobody disturbs it.

        Raises
        ------
        TapewatchError
            It did not come to the end.
        """
        forget_detector(new_admin(KafkaConnection(job.bootstrap)))
        ends = ends_of_records(job.bootstrap, job.source)
        program = self.start(job, log_file)
        deadline_s = time.monotonic() + UNDISTURBED_TIMEOUT_S
        try:
            with Commits(job.bootstrap, job.source, job.group, ends) as commits:
                while commits.ask().offsets < commits.total:
                    if not program.is_running or time.monotonic() > deadline_s:
                        raise TapewatchError("The detector did not come to the end.", f"See {log_file}.")
                    time.sleep(POLL_S)
        finally:
            program.stop()
        return dict(self.rows(read_topic(job.bootstrap, job.sink)))
