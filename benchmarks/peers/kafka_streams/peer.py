"""Kafka Streams: Java, one process, JSON by Jackson into an object."""

import os
from pathlib import Path

from benchmarks.peers.base import Command, Job, Peer, Purpose
from benchmarks.peers.java import KAFKA_STREAMS, compiled, fetched_jars, jdk_program, locked_version

SOURCE = Path(__file__).with_name("ThresholdJob.java")
HEAP_MIB = 512
SETTINGS = {
    # Two threads for two cores, and fewer commits than one each 100 ms: the fastest of what was tried.
    Purpose.RATE: {"num.stream.threads": "2", "commit.interval.ms": "1000"},
    # Shorter intervals fell behind. A member that was killed comes back under its name; without, its
    # partitions wait for the session's end, which by itself takes 45 s.
    Purpose.LIVE: {
        "commit.interval.ms": "20",
        "group.instance.id": "one",
        "session.timeout.ms": "6000",
    },
}


class KafkaStreams(Peer):
    """Kafka Streams."""

    name = f"Kafka Streams {locked_version(KAFKA_STREAMS, 'kafka-streams')}"

    def set_up(self) -> None:
        """Download the jars and compile the job."""
        compiled(SOURCE, KAFKA_STREAMS)

    def command(self, job: Job) -> Command:
        """Return the JVM's command line."""
        class_path = [compiled(SOURCE, KAFKA_STREAMS), *fetched_jars(KAFKA_STREAMS)]
        settings = SETTINGS[job.purpose] | {
            "bootstrap.servers": job.bootstrap,
            "application.id": job.group,
            "state.dir": str(job.folder / "state"),
        }
        arguments = [
            *(jdk_program("java"), f"-Xmx{HEAP_MIB}m", "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn"),
            *("-cp", os.pathsep.join(map(str, class_path)), "ThresholdJob"),
            *(job.source, job.sink, str(job.threshold_shares)),
            *(f"{name}={value}" for name, value in settings.items()),
        ]
        return Command(arguments, os.environ)
