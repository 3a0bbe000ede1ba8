"""Elasticsearch as a process: one node, alone or one of several, without optional modules."""

import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import requests

from infra.embedded.elasticsearch_home import LAUNCHER_CLASS
from infra.embedded.java import java_command, server_options
from infra.embedded.ports import LOOPBACK, check_port_free
from infra.embedded.server import Server

_PROBE_TIMEOUT_S = 2.0
_NAME = "tapewatch-embedded"


@dataclass(frozen=True)
class Peers:
    """One node's place among several.

    Attributes
    ----------
    number
        Which it is, from 1 on.
    transport_ports
        Ports on which the nodes reach each other, in the order of their numbers.
    """

    number: int
    transport_ports: Sequence[int]


def elasticsearch_yml(port: int, data: Path, logs: Path, peers: Peers | None = None) -> str:
    """Return the node's configuration file.

    Parameters
    ----------
    port
        Port that clients connect to.
    data, logs
        Folders for data and logs.
    peers
        The node's place among several; None for one that is alone.
    """
    settings = {
        "cluster.name": "tapewatch",
        **_discovery(peers),
        "network.host": LOOPBACK,
        "http.port": port,
        "path.data": str(data),
        "path.logs": str(logs),
        # Otherwise indices become read-only on a disk that is 95 % full, however much space that leaves.
        "cluster.routing.allocation.disk.threshold_enabled": False,
    }
    return "".join(f"{key}: {json.dumps(value)}\n" for key, value in settings.items())


def _discovery(peers: Peers | None) -> dict[str, object]:
    """Return how a node is named and how it finds the others."""
    if peers is None:
        # Nobody connects to the port, so any free one will do.
        return {"node.name": _NAME, "discovery.type": "single-node", "transport.port": 0}
    return {
        "node.name": f"{_NAME}-{peers.number}",
        "transport.port": peers.transport_ports[peers.number - 1],
        "discovery.seed_hosts": [f"{LOOPBACK}:{port}" for port in peers.transport_ports],
        # Only read by a cluster that is being formed.
        "cluster.initial_master_nodes": [
            f"{_NAME}-{number}" for number in range(1, len(peers.transport_ports) + 1)
        ],
    }


class ElasticsearchServer(Server):
    """Elasticsearch on one data folder.

    Parameters
    ----------
    folder
        Folder for its configuration and data.
    port
        Port on 127.0.0.1 that clients connect to.
    home
        Home folder, as `build_home` returns it.
    class_path
        The server's jars, without those of its modules.
    log_file, start_timeout_s
        As for every `Server`.
    heap_mb
        Size of the heap in MiB.
    peers
        As for `elasticsearch_yml`.
    """

    def __init__(
        self,
        folder: Path,
        port: int,
        home: Path,
        class_path: Sequence[Path],
        *,
        log_file: Path,
        start_timeout_s: float,
        heap_mb: int,
        peers: Peers | None = None,
    ) -> None:
        name = f"Elasticsearch {peers.number}" if peers else "Elasticsearch"
        super().__init__(name, log_file, start_timeout_s)
        self._peers = peers
        self.port = port
        self._home = home
        self._class_path = [home / "launcher", *class_path]
        self._heap_mb = heap_mb
        self._config = folder / "config"
        self._data = folder / "data"
        self._temporary = folder / "tmp"
        self._session = requests.Session()
        # A proxy configured in the environment must not be used for ports of this machine.
        self._session.trust_env = False

    @property
    def url(self) -> str:
        """URL for clients."""
        return f"http://{LOOPBACK}:{self.port}"

    def prepare(self) -> list[str]:
        """Write the configuration, and return the server's command."""
        check_port_free(self.port, self.name, "--elasticsearch-port")
        # A killed JVM leaves its temporary files behind.
        shutil.rmtree(self._temporary, ignore_errors=True)
        for folder in (self._config, self._data, self._temporary):
            folder.mkdir(parents=True, exist_ok=True)
        logs = self.log_file.parent
        (self._config / "elasticsearch.yml").write_text(
            elasticsearch_yml(self.port, self._data, logs, self._peers)
        )
        options = [
            *server_options(self._heap_mb, self._temporary, logs, is_one_of_several=self._peers is not None),
            f"-XX:MaxDirectMemorySize={self._heap_mb // 2}m",
            # As in the server's own start script: netty's pools would cost memory without a benefit.
            "-Dio.netty.noUnsafe=true",
            "-Dio.netty.noKeySetOptimization=true",
            "-Dio.netty.recycler.maxCapacityPerThread=0",
        ]
        arguments = [str(self._home), str(self._config)]
        return java_command(LAUNCHER_CLASS, arguments, class_path=self._class_path, options=options)

    def is_ready(self) -> bool:
        """Tell whether every primary shard is active; with much data the port opens long before that."""
        wanted = {"wait_for_status": "yellow", "wait_for_no_initializing_shards": "true", "timeout": "1s"}
        try:
            health = self._session.get(f"{self.url}/_cluster/health", params=wanted, timeout=_PROBE_TIMEOUT_S)
            return health.status_code == 200 and not health.json()["timed_out"]
        except (requests.RequestException, ValueError):
            return False
