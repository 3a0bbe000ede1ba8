"""The embedded stack: a real Kafka and a real Elasticsearch without containers."""

import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from infra.embedded.coordinator_watch import CoordinatorWatch
from infra.embedded.data_dir import DataDir
from infra.embedded.disk import check_free_space
from infra.embedded.download import cache_folder, fetch_jars
from infra.embedded.elasticsearch_home import build_home, is_transport
from infra.embedded.elasticsearch_server import ElasticsearchServer, Peers
from infra.embedded.jars import COMPILER, ELASTICSEARCH, KAFKA, locked_jars, locked_version
from infra.embedded.kafka_server import KafkaServer, Listener, Quorum, new_cluster_id, read_cluster_id
from infra.embedded.ports import LOOPBACK, check_port_free, free_port
from infra.embedded.server import STOP_TIMEOUT_S, Server, await_ready, stop_all
from services.common.errors import TapewatchError
from services.common.kafka.connection import KafkaConnection

_DATA_BYTES = 1_000_000_000
"""Free disk space required for the servers' data: a day of trades and its indices."""


@dataclass(frozen=True)
class StackConfig:
    """Configuration of an embedded stack.

    Parameters
    ----------
    data_dir
        Folder for the servers' data, configuration and logs; None for a temporary folder, which is removed
        with the stack.
    brokers, nodes
        How many servers of Kafka and of Elasticsearch there are.
    kafka_port, elasticsearch_port
        Ports on 127.0.0.1 that clients connect to: those of the first servers; further ones have the ports
        that follow.
    kafka_heap_mb, elasticsearch_heap_mb
        Sizes of each server's heap in MiB; None for what is enough for one that is alone, or for one of
        several.
    kafka_listeners
        Further ports of a single broker, with TLS or a login.
    kafka_settings
        Further settings of Kafka, such as those of an authorizer.
    start_timeout_s
        How long a start of two servers may take until they are ready, not counting downloads; more servers
        may take longer in proportion.
    """

    data_dir: Path | None = None
    brokers: int = 1
    nodes: int = 1
    kafka_port: int = 19092
    elasticsearch_port: int = 9200
    kafka_heap_mb: int | None = None
    elasticsearch_heap_mb: int | None = None
    kafka_listeners: tuple[Listener, ...] = ()
    kafka_settings: Mapping[str, str] | None = None
    start_timeout_s: float = 120.0

    @property
    def longest_start_s(self) -> float:
        """How long a start of all servers may take."""
        return self.start_timeout_s * (self.brokers + self.nodes) / 2

    @property
    def kafka_ports(self) -> range:
        """The port of each broker."""
        return range(self.kafka_port, self.kafka_port + self.brokers)

    @property
    def elasticsearch_ports(self) -> range:
        """The port of each node."""
        return range(self.elasticsearch_port, self.elasticsearch_port + self.nodes)


class EmbeddedStack:
    """Kafka and Elasticsearch as child processes; as a context manager it starts and stops them.

    While the stack is running, each server can be killed, stopped and started again on its own.

    Parameters
    ----------
    config
        Ports, folders and sizes.
    report
        Called with a line of text for each step of a start.

    Attributes
    ----------
    brokers, nodes
        The servers of Kafka and of Elasticsearch; set by `start`.
    """

    brokers: Sequence[KafkaServer]
    nodes: Sequence[ElasticsearchServer]

    def __init__(self, config: StackConfig, report: Callable[[str], None] | None = None) -> None:
        self.config = config
        self._report = report or (lambda _: None)
        self._servers: list[Server] = []
        self._data_dir: DataDir | None = None
        self._watch: CoordinatorWatch | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def kafka(self) -> KafkaServer:
        """The first broker."""
        return self.brokers[0]

    @property
    def elasticsearch(self) -> ElasticsearchServer:
        """The first node of Elasticsearch."""
        return self.nodes[0]

    @property
    def kafka_bootstrap(self) -> str:
        """Bootstrap servers for Kafka clients."""
        return ",".join(f"{LOOPBACK}:{port}" for port in self.config.kafka_ports)

    @property
    def kafka_connection(self) -> KafkaConnection:
        """Connection for Kafka clients of this process."""
        return KafkaConnection(self.kafka_bootstrap)

    @property
    def elasticsearch_url(self) -> str:
        """URL for Elasticsearch clients; with several nodes their URLs, joined by commas."""
        return ",".join(f"http://{LOOPBACK}:{port}" for port in self.config.elasticsearch_ports)

    @property
    def data_dir(self) -> Path:
        """The folder of the running stack's data."""
        if self._data_dir is None:
            raise RuntimeError("the stack is not running")
        return self._data_dir.path

    @property
    def log_dir(self) -> Path:
        """The folder of the running servers' logs."""
        return self.data_dir / "logs"

    def start(self) -> None:
        """Start all servers at the same time, and return when all are ready.

        The first start downloads them. If a start fails or is interrupted, nothing is left running.

        Raises
        ------
        TapewatchError
            If a port is taken, the data folder is in use or has other numbers of servers, the disk is too
            full, the download fails, or a server ends or is not ready in time.
        """
        if self._data_dir is not None:
            raise RuntimeError("the stack is already running")
        for port in self.config.kafka_ports:
            check_port_free(port, "Kafka", "--kafka-port")
        for port in self.config.elasticsearch_ports:
            check_port_free(port, "Elasticsearch", "--elasticsearch-port")
        self._data_dir = DataDir(self.config.data_dir)
        try:
            self._create_servers()
            began = time.monotonic()
            # Elasticsearch takes longer to start, so it comes first.
            for server in (*self.nodes, *self.brokers):
                self._servers.append(server)
                server.launch()
            await_ready(
                self._servers,
                lambda server: self._report(f"{server.name} is ready after {time.monotonic() - began:.1f} s"),
            )
            self._watch_coordinator()
        except BaseException as error:
            if isinstance(error, TapewatchError):
                self._data_dir.keep_for_now()
            self.kill()
            raise

    def stop(self, timeout_s: float = STOP_TIMEOUT_S) -> None:
        """Shut all servers down cleanly, at the same time; kill them after `timeout_s`."""
        self._close_watch()
        stop_all(self._servers, timeout_s)
        self._close()

    def kill(self) -> None:
        """Kill all servers immediately."""
        self._close_watch()
        for server in self._servers:
            server.kill()
        self._close()

    def check(self) -> None:
        """Fail if a server has exited; restart Kafka, and wait for it, if its group coordinator is stuck.

        Raises
        ------
        TapewatchError
            If a server has exited; names it and quotes the last lines of its log.
        """
        try:
            for server in self._servers:
                server.check()
            if self._watch is not None and self._watch.is_stuck:
                self._restart_kafka()
        except TapewatchError:
            if self._data_dir is not None:
                self._data_dir.keep_for_now()
            raise

    def _restart_kafka(self) -> None:
        self._report("Kafka's group coordinator can no longer write: restarting Kafka")
        self._close_watch()
        for broker in self.brokers:
            broker.stop()
            broker.start()
        self._watch_coordinator()
        self._report("Kafka is ready again")

    def _watch_coordinator(self) -> None:
        self._watch = CoordinatorWatch(self.kafka.has_stuck_coordinator)

    def _close_watch(self) -> None:
        if self._watch is not None:
            self._watch.close()
            self._watch = None

    def _create_servers(self) -> None:
        cache = cache_folder()
        sections = locked_jars()
        jars = [jar for section in sections.values() for jar in section]
        check_free_space({self.data_dir: _DATA_BYTES})
        files = dict(zip(jars, fetch_jars(jars, cache / "jars"), strict=True))
        version = locked_version(ELASTICSEARCH, "elasticsearch")
        kafka_version = locked_version(KAFKA, "kafka_2.13")
        self._report(f"Starting Kafka {kafka_version} and Elasticsearch {version} in {self.data_dir}")
        server_jars = {jar: files[jar] for jar in sections[ELASTICSEARCH]}
        home = build_home(
            version, server_jars, {jar: files[jar] for jar in sections[COMPILER]}, cache / "elasticsearch"
        )
        self.nodes = self._create_nodes(
            home, [path for jar, path in server_jars.items() if not is_transport(jar)]
        )
        self.brokers = self._create_brokers([files[jar] for jar in sections[KAFKA]])

    def _create_nodes(self, home: Path, class_path: list[Path]) -> list[ElasticsearchServer]:
        config = self.config
        names = server_names(ELASTICSEARCH, config.nodes)
        check_count(self.data_dir, ELASTICSEARCH, names, "--nodes")
        transport_ports = [free_port() for _ in names]
        return [
            ElasticsearchServer(
                self.data_dir / name,
                port,
                home,
                class_path,
                log_file=self.log_dir / f"{name}.log",
                start_timeout_s=config.longest_start_s,
                heap_mb=config.elasticsearch_heap_mb or (1024 if config.nodes == 1 else 768),
                peers=None if config.nodes == 1 else Peers(number, transport_ports),
            )
            for number, (name, port) in enumerate(zip(names, config.elasticsearch_ports, strict=True), 1)
        ]

    def _create_brokers(self, class_path: list[Path]) -> list[KafkaServer]:
        config = self.config
        names = server_names(KAFKA, config.brokers)
        check_count(self.data_dir, KAFKA, names, "--brokers")
        controller_ports = {number: free_port() for number, _ in enumerate(names, 1)}
        # After a first start that was interrupted, only some of them may have the id.
        known_ids = [found for name in names if (found := read_cluster_id(self.data_dir / name))]
        cluster_id = known_ids[0] if known_ids else new_cluster_id()
        return [
            KafkaServer(
                self.data_dir / name,
                port,
                class_path,
                log_file=self.log_dir / f"{name}.log",
                start_timeout_s=config.longest_start_s,
                heap_mb=config.kafka_heap_mb or (512 if config.brokers == 1 else 320),
                listeners=config.kafka_listeners,
                settings=config.kafka_settings,
                quorum=None if config.brokers == 1 else Quorum(number, controller_ports, cluster_id),
            )
            for number, (name, port) in enumerate(zip(names, config.kafka_ports, strict=True), 1)
        ]

    def _close(self) -> None:
        self._servers = []
        if self._data_dir is not None:
            self._data_dir.close()
            self._data_dir = None


def server_names(kind: str, count: int) -> list[str]:
    """Return the names of a kind's servers, which their folders and logs have; a single one has no number."""
    return [kind] if count == 1 else [f"{kind}-{number}" for number in range(1, count + 1)]


def check_count(data_dir: Path, kind: str, names: Sequence[str], option: str) -> None:
    """Fail if the data is that of another number of servers: what they have shared out would be missing."""
    found = [path.name for path in data_dir.glob(f"{kind}*") if re.fullmatch(rf"{kind}(-\d+)?", path.name)]
    if found and set(found) != set(names):
        raise TapewatchError(
            f"The data folder {data_dir} is that of a stack with {option} {len(found)}, not {len(names)}.",
            f"Start it with {option} {len(found)}, or choose another folder with --data-dir.",
        )
