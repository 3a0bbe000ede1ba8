"""The embedded stack: a real Kafka and a real Elasticsearch without containers."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from infra.embedded.coordinator_watch import CoordinatorWatch
from infra.embedded.data_dir import DataDir
from infra.embedded.disk import check_free_space
from infra.embedded.download import cache_folder, fetch_jars
from infra.embedded.elasticsearch_home import build_home, is_transport
from infra.embedded.elasticsearch_server import ElasticsearchServer
from infra.embedded.jars import COMPILER, ELASTICSEARCH, KAFKA, locked_jars, locked_version
from infra.embedded.kafka_server import KafkaServer, Listener
from infra.embedded.ports import LOOPBACK, check_port_free
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
    kafka_port, elasticsearch_port
        Ports on 127.0.0.1 that clients connect to.
    kafka_heap_mb, elasticsearch_heap_mb
        Sizes of the servers' heaps in MiB.
    kafka_listeners
        Further ports of Kafka, with TLS or a login.
    kafka_settings
        Further settings of Kafka, such as those of an authorizer.
    start_timeout_s
        How long a start may take until both servers are ready, not counting downloads.
    """

    data_dir: Path | None = None
    kafka_port: int = 19092
    elasticsearch_port: int = 9200
    kafka_heap_mb: int = 512
    elasticsearch_heap_mb: int = 1024
    kafka_listeners: tuple[Listener, ...] = ()
    kafka_settings: Mapping[str, str] | None = None
    start_timeout_s: float = 120.0


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
    kafka, elasticsearch
        The servers; set by `start`.
    """

    kafka: KafkaServer
    elasticsearch: ElasticsearchServer

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
    def kafka_bootstrap(self) -> str:
        """Bootstrap servers for Kafka clients."""
        return f"{LOOPBACK}:{self.config.kafka_port}"

    @property
    def kafka_connection(self) -> KafkaConnection:
        """Connection for Kafka clients of this process."""
        return KafkaConnection(self.kafka_bootstrap)

    @property
    def elasticsearch_url(self) -> str:
        """URL for Elasticsearch clients."""
        return f"http://{LOOPBACK}:{self.config.elasticsearch_port}"

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
        """Start both servers at the same time, and return when both are ready.

        The first start downloads them. If a start fails or is interrupted, nothing is left running.

        Raises
        ------
        TapewatchError
            If a port is taken, the data folder is in use, the disk is too full, the download fails, or a
            server ends or is not ready in time.
        """
        if self._data_dir is not None:
            raise RuntimeError("the stack is already running")
        check_port_free(self.config.kafka_port, "Kafka", "--kafka-port")
        check_port_free(self.config.elasticsearch_port, "Elasticsearch", "--elasticsearch-port")
        self._data_dir = DataDir(self.config.data_dir)
        try:
            self._create_servers()
            began = time.monotonic()
            # Elasticsearch takes longer to start, so it comes first.
            for server in (self.elasticsearch, self.kafka):
                self._servers.append(server)
                server.launch()
            await_ready(
                self._servers,
                lambda server: self._report(f"{server.name} is ready after {time.monotonic() - began:.1f} s"),
            )
            self._watch = CoordinatorWatch(self.kafka.has_stuck_coordinator)
        except BaseException as error:
            if isinstance(error, TapewatchError):
                self._data_dir.keep_for_now()
            self.kill()
            raise

    def stop(self, timeout_s: float = STOP_TIMEOUT_S) -> None:
        """Shut both servers down cleanly, at the same time; kill them after `timeout_s`."""
        self._close_watch()
        stop_all(self._servers, timeout_s)
        self._close()

    def kill(self) -> None:
        """Kill both servers immediately."""
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
        self.kafka.stop()
        self.kafka.start()
        self._watch = CoordinatorWatch(self.kafka.has_stuck_coordinator)
        self._report("Kafka is ready again")

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
        self.elasticsearch = ElasticsearchServer(
            self.data_dir / "elasticsearch",
            self.config.elasticsearch_port,
            home,
            [path for jar, path in server_jars.items() if not is_transport(jar)],
            log_file=self.log_dir / "elasticsearch.log",
            start_timeout_s=self.config.start_timeout_s,
            heap_mb=self.config.elasticsearch_heap_mb,
        )
        self.kafka = KafkaServer(
            self.data_dir / "kafka",
            self.config.kafka_port,
            [files[jar] for jar in sections[KAFKA]],
            log_file=self.log_dir / "kafka.log",
            start_timeout_s=self.config.start_timeout_s,
            heap_mb=self.config.kafka_heap_mb,
            listeners=self.config.kafka_listeners,
            settings=self.config.kafka_settings,
        )

    def _close(self) -> None:
        self._servers = []
        if self._data_dir is not None:
            self._data_dir.close()
            self._data_dir = None
