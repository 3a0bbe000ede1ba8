"""Takes the figures of a running pipeline: processes, topics, lag, and what is indexed."""

import time
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from elasticsearch import ApiError, Elasticsearch, TransportError

from benchmarks.growth import Limit
from benchmarks.topics import Lag, topic_sizes
from services.common.kafka.connection import KafkaConnection
from services.contracts.indices import ANOMALIES_INDEX_PREFIX, TRADES_INDEX_PREFIX

ANSWER_WITHIN_S = 2.0
MB = 1e6

MEMORY, FILES, THREADS = "memory", "open files", "threads"
ON_DISK, LAG, INDEXED = "topics on disk", "lag", "documents"

BELOW_PEAKS = 0.9
"""How far a group falls behind in an outage, and what a process has while it works that off, depends on how
long the outage was and on what came meanwhile. Both pass within a tenth of the time."""

LIMITS = {
    MEMORY: Limit("MB", 0.15, 40.0, BELOW_PEAKS),
    FILES: Limit("files", 0.1, 12.0),
    THREADS: Limit("threads", 0.1, 8.0),
    ON_DISK: Limit("MB", 0.25, 20.0),
    LAG: Limit("messages", 1.0, 20_000.0, BELOW_PEAKS),
}
"""By kind of figure; documents are expected to become more."""


@dataclass
class Figures:
    """All that was taken, by kind and name; the figures in order of time."""

    taken: dict[str, dict[str, list[tuple[float, float]]]] = field(
        default_factory=lambda: defaultdict(lambda: defaultdict(list))
    )

    def add(self, kind: str, name: str, at_s: float, value: float) -> None:
        """Add a figure, so many seconds after the beginning."""
        self.taken[kind][name].append((at_s, value))


class Sampler:
    """Takes the figures.

    Parameters
    ----------
    kafka
        Its topics exist.
    elasticsearch_url
        Where documents are counted.
    kafka_folder
        The broker's data.
    groups
        Topic by consumer group.
    pids
        Returns the processes by name, those that run.
    """

    def __init__(
        self,
        kafka: KafkaConnection,
        elasticsearch_url: str,
        kafka_folder: Path,
        groups: Mapping[str, str],
        pids: Callable[[], Mapping[str, int]],
    ) -> None:
        self.figures = Figures()
        self._began_s = time.monotonic()
        self._kafka_folder = kafka_folder
        self._pids = pids
        self._elasticsearch = Elasticsearch(
            elasticsearch_url, request_timeout=ANSWER_WITHIN_S, max_retries=0, retry_on_timeout=False
        )
        self._groups = {group: Lag(kafka, group, topic, ANSWER_WITHIN_S) for group, topic in groups.items()}

    @property
    def now_s(self) -> float:
        """Seconds since the beginning."""
        return time.monotonic() - self._began_s

    def take(self) -> None:
        """Take all figures once; what does not answer now has none."""
        for name, pid in self._pids().items():
            for kind, value in process_figures(pid).items():
                self.figures.add(kind, name, self.now_s, value)
        for topic, size_bytes in topic_sizes(self._kafka_folder).items():
            self.figures.add(ON_DISK, topic, self.now_s, size_bytes / MB)
        for group in self._groups:
            if (lag := self.lag(group)) is not None:
                self.figures.add(LAG, group, self.now_s, lag)
        for prefix in (TRADES_INDEX_PREFIX, ANOMALIES_INDEX_PREFIX):
            if (count := self.documents(prefix)) is not None:
                self.figures.add(INDEXED, prefix.rstrip("-"), self.now_s, count)

    def lag(self, group: str) -> int | None:
        """Return the messages that a group has not committed; None while the broker does not answer."""
        return self._groups[group].ask()

    def documents(self, prefix: str) -> int | None:
        """Return how many documents can be searched; None while Elasticsearch does not answer."""
        try:
            return int(self._elasticsearch.count(index=f"{prefix}*", ignore_unavailable=True)["count"])
        except (ApiError, TransportError):
            return None

    def close(self) -> None:
        """Close the clients."""
        for group in self._groups.values():
            group.close()
        self._elasticsearch.close()


def process_figures(pid: int) -> dict[str, float]:
    """Return memory (MB that are resident), open files and threads of a process; none if it has ended."""
    folder = Path(f"/proc/{pid}")
    try:
        lines = (folder / "status").read_text().splitlines()
        found = {name: value.split() for name, _, value in (line.partition(":") for line in lines)}
        return {
            MEMORY: int(found["VmRSS"][0]) * 1024 / MB,
            FILES: float(sum(1 for _ in (folder / "fd").iterdir())),
            THREADS: float(found["Threads"][0]),
        }
    except (OSError, KeyError):
        return {}
