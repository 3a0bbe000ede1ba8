"""Rewrites the engines' `jars.lock`: `python -m benchmarks.peers.lock_jars`.

To upgrade one, change its version here (Flink's also in `flink/requirements.in`), and run this.
"""

from benchmarks.peers.java import FLINK, KAFKA_STREAMS, LOCK_FILE
from infra.embedded.lock_jars import write_locked

ROOTS = {
    KAFKA_STREAMS: [
        "org.apache.kafka:kafka-streams:4.4.0",
        "com.fasterxml.jackson.core:jackson-databind:2.19.2",
        "org.slf4j:slf4j-simple:1.7.36",
    ],
    FLINK: ["org.apache.flink:flink-sql-connector-kafka:5.0.0-2.2"],
}
ALONE = {FLINK: ["org.apache.flink:flink-sql-gateway:2.2.1"]}
"""Jars without what they depend on, which the Python package has."""

if __name__ == "__main__":
    write_locked(LOCK_FILE, ROOTS, ALONE)
