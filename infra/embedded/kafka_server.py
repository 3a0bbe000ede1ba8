"""Apache Kafka as a process, broker and controller (KRaft), alone or one of several, for development."""

import base64
import json
import shutil
import socket
import subprocess
import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from confluent_kafka import Consumer, KafkaException, TopicPartition

from infra.embedded.child_process import start_child
from infra.embedded.java import java_command, server_options
from infra.embedded.ports import LOOPBACK, check_port_free, free_port
from infra.embedded.server import STOP_TIMEOUT_S, Server
from services.common.errors import TapewatchError
from services.common.kafka.connection import KafkaConnection
from services.common.kafka.coordinator import OFFSETS_TOPIC, PROBE_TIMEOUT_S, find_stuck_coordinator

_READY_GROUP = "tapewatch-readiness"
_PROBE_TIMEOUT_S = 2.0
STUCK_AFTER_S = 20.0
"""Time since the broker's first answer; by then a coordinator has loaded its log, even on busy cores."""

_CLEAN_SHUTDOWN_FILE = ".kafka_cleanshutdown"
"""Kafka writes it on a clean shutdown and removes it when it starts."""

_DATA_FOLDER = "data"
_FORMATTED_FILE = "meta.properties"
_METADATA_FOLDER = "__cluster_metadata-0"
_FENCED = "Fencing broker"
_STARTED = "Kafka Server started"
_FENCING_TIMEOUT_S = 60.0
_IN_LOG_WITHIN_S = 10.0
_FENCING_PAUSE_S = 3.0
"""A controller that has run for this long without fencing the broker has nothing to fence."""

# Internal topics have one partition for each broker: with a single one, a restart takes seconds.
# The coordinator's log has small segments, so that they get compacted: after a crash it is read in full, and
# while it is being read the coordinator may permanently get out of step with it (see
# `find_stuck_coordinator`).
# Timed-out transactions are not looked for more often: a broker that is still starting aborts one without
# telling its partitions, which then wait forever for the transaction to end.
_SETTINGS = """\
process.roles=broker,controller
controller.listener.names=CONTROLLER
inter.broker.listener.name=BROKER
broker.heartbeat.interval.ms=500
auto.create.topics.enable=false
num.partitions=1
offsets.topic.segment.bytes=1048576
group.initial.rebalance.delay.ms=0
transaction.max.timeout.ms=60000
transaction.abort.timed.out.transaction.cleanup.interval.ms=5000
message.max.bytes=8388608
log.cleaner.dedupe.buffer.size=33554432
"""


@dataclass(frozen=True)
class Listener:
    """A port beside the plain one, for tests of clients with TLS or a login.

    Attributes
    ----------
    name
        Name in capitals.
    port
        Port on 127.0.0.1.
    protocol
        SSL, SASL_PLAINTEXT or SASL_SSL.
    settings
        Kafka's settings of this listener, by their names without the prefix `listener.name.<name>.`
    """

    name: str
    port: int
    protocol: str
    settings: Mapping[str, str]


def kafka_properties(
    port: int,
    controller_ports: Mapping[int, int],
    data: Path,
    listeners: Sequence[Listener] = (),
    settings: Mapping[str, str] | None = None,
    node_id: int = 1,
) -> str:
    """Return a broker's configuration file.

    Parameters
    ----------
    port
        Port that clients connect to.
    controller_ports
        Ports of the controllers, one in each broker's process, by node id; that of a single broker may differ
        at each start.
    data
        Data folder (Kafka's `log.dirs`).
    listeners
        Further ports.
    settings
        Further settings of the broker.
    node_id
        Which of the brokers it is.
    """
    protocols = [
        "BROKER:PLAINTEXT",
        "CONTROLLER:PLAINTEXT",
        *(f"{one.name}:{one.protocol}" for one in listeners),
    ]
    for_clients = ",".join(
        [f"BROKER://{LOOPBACK}:{port}", *(f"{one.name}://{LOOPBACK}:{one.port}" for one in listeners)]
    )
    voters = ",".join(f"{node}@{LOOPBACK}:{at}" for node, at in controller_ports.items())
    return (
        f"{_SETTINGS}"
        f"{_replication(len(controller_ports))}"
        f"node.id={node_id}\n"
        f"listener.security.protocol.map={','.join(protocols)}\n"
        f"listeners={for_clients},CONTROLLER://{LOOPBACK}:{controller_ports[node_id]}\n"
        f"advertised.listeners={for_clients}\n"
        f"controller.quorum.voters={voters}\n"
        f"log.dirs={_escape(data)}\n"
        + "".join(
            f"listener.name.{one.name.lower()}.{name}={value}\n"
            for one in listeners
            for name, value in one.settings.items()
        )
        + "".join(f"{name}={value}\n" for name, value in (settings or {}).items())
    )


def _replication(brokers: int) -> str:
    """Return the settings that follow from the number of brokers: with three, one may be away."""
    replicas, in_sync = min(brokers, 3), 2 if brokers > 2 else 1
    return (
        f"default.replication.factor={replicas}\n"
        f"min.insync.replicas={in_sync}\n"
        f"offsets.topic.replication.factor={replicas}\n"
        f"offsets.topic.num.partitions={brokers}\n"
        f"transaction.state.log.replication.factor={replicas}\n"
        f"transaction.state.log.num.partitions={brokers}\n"
        f"transaction.state.log.min.isr={in_sync}\n"
        f"share.coordinator.state.topic.replication.factor={replicas}\n"
        f"share.coordinator.state.topic.num.partitions={brokers}\n"
        f"share.coordinator.state.topic.min.isr={in_sync}\n"
    )


def fencing_properties(controller_port: int, data: Path) -> str:
    """Return the configuration of a controller that runs alone to fence a killed broker.

    Parameters
    ----------
    controller_port
        Port it listens on; nothing connects to it.
    data
        As for `kafka_properties`.
    """
    return (
        "process.roles=controller\n"
        "node.id=1\n"
        "controller.listener.names=CONTROLLER\n"
        "listener.security.protocol.map=CONTROLLER:PLAINTEXT\n"
        "broker.session.timeout.ms=1000\n"
        "broker.heartbeat.interval.ms=500\n"
        f"listeners=CONTROLLER://{LOOPBACK}:{controller_port}\n"
        f"controller.quorum.voters=1@{LOOPBACK}:{controller_port}\n"
        f"log.dirs={_escape(data)}\n"
    )


@dataclass(frozen=True)
class Quorum:
    """One broker's place among several.

    Attributes
    ----------
    node_id
        Which it is, from 1 on.
    controller_ports
        As for `kafka_properties`.
    cluster_id
        The same for all; see `new_cluster_id`.
    """

    node_id: int
    controller_ports: Mapping[int, int]
    cluster_id: str


def new_cluster_id() -> str:
    """Return an id for a cluster: 16 random bytes in base64."""
    return base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")


def read_cluster_id(folder: Path) -> str | None:
    """Return the id of the cluster whose broker has a server's folder; None if it has never started."""
    try:
        lines = (folder / _DATA_FOLDER / _FORMATTED_FILE).read_text().splitlines()
    except FileNotFoundError:
        return None
    return next((line.partition("=")[2] for line in lines if line.startswith("cluster.id=")), None)


class KafkaServer(Server):
    """Kafka on one data folder.

    Parameters
    ----------
    folder
        Folder for its configuration and data.
    port
        Port on 127.0.0.1 that clients connect to.
    class_path
        Kafka's jars.
    log_file, start_timeout_s
        As for every `Server`.
    heap_mb
        Size of the heap in MiB.
    listeners
        Further ports.
    settings
        Further settings of the broker.
    quorum
        Its place among several brokers; None for one that is alone.
    """

    def __init__(
        self,
        folder: Path,
        port: int,
        class_path: Sequence[Path],
        *,
        log_file: Path,
        start_timeout_s: float,
        heap_mb: int,
        listeners: Sequence[Listener] = (),
        settings: Mapping[str, str] | None = None,
        quorum: Quorum | None = None,
    ) -> None:
        super().__init__(f"Kafka {quorum.node_id}" if quorum else "Kafka", log_file, start_timeout_s)
        self.port = port
        self._class_path = class_path
        self._heap_mb = heap_mb
        self._listeners = listeners
        self._settings = settings
        self._quorum = quorum
        self._node_id = quorum.node_id if quorum else 1
        self._data = folder / _DATA_FOLDER
        self._temporary = folder / "tmp"
        self._properties = folder / "kafka.properties"
        self._first_answer_s: float | None = None

    @property
    def bootstrap(self) -> str:
        """Bootstrap servers for clients."""
        return f"{LOOPBACK}:{self.port}"

    def prepare(self) -> list[str]:
        """Write the configuration; format the data folder at first, or fence the broker after a crash."""
        check_port_free(self.port, self.name, "--kafka-port")
        self._first_answer_s = None
        # A killed JVM leaves behind the native libraries it unpacked.
        shutil.rmtree(self._temporary, ignore_errors=True)
        for folder in (self._data, self._temporary):
            folder.mkdir(parents=True, exist_ok=True)
        controller_ports = self._quorum.controller_ports if self._quorum else {self._node_id: free_port()}
        self._properties.write_text(
            kafka_properties(
                self.port, controller_ports, self._data, self._listeners, self._settings, self._node_id
            )
        )
        if not (self._data / _FORMATTED_FILE).exists():
            self._format()
        elif self._quorum is None and not (self._data / _CLEAN_SHUTDOWN_FILE).exists():
            self._fence()  # among several, the others' controllers do
        return self._java("kafka.Kafka", [str(self._properties)], self._heap_mb)

    def is_ready(self) -> bool:
        """Tell whether all partitions have a leader and the group coordinator accepts commits.

        A coordinator that keeps rejecting them is stuck: Kafka is then restarted cleanly, which fixes it.
        """
        if not self._answers():
            return False
        now_s = time.monotonic()
        self._first_answer_s = self._first_answer_s or now_s
        try:
            if not self.has_stuck_coordinator(_PROBE_TIMEOUT_S):
                return True
        except KafkaException:
            return False
        if now_s - self._first_answer_s > STUCK_AFTER_S:
            self.stop()
            self.launch()
        return False

    def has_stuck_coordinator(self, timeout_s: float = PROBE_TIMEOUT_S) -> bool:
        """Tell whether the group coordinator accepts no commit within `timeout_s`.

        Raises
        ------
        KafkaException
            The broker does not answer.
        """
        return (
            find_stuck_coordinator(KafkaConnection(self.bootstrap), _READY_GROUP, OFFSETS_TOPIC, timeout_s)
            is not None
        )

    def _answers(self) -> bool:
        try:
            # The Kafka client would wait, and log each refused connection.
            socket.create_connection((LOOPBACK, self.port), _PROBE_TIMEOUT_S).close()
        except OSError:
            return False
        # A consumer, because AdminClient.list_consumer_group_offsets sometimes crashes the interpreter
        # (a segmentation fault, confluent-kafka 2.16) while the broker creates the coordinator's topic.
        client = Consumer({"bootstrap.servers": self.bootstrap, "group.id": _READY_GROUP, "log_level": 0})
        try:
            cluster = client.list_topics(timeout=_PROBE_TIMEOUT_S)
            partitions = [part for topic in cluster.topics.values() for part in topic.partitions.values()]
            if not {cluster.controller_id, self._node_id} <= cluster.brokers.keys():
                return False
            if any(part.leader < 0 for part in partitions):
                return False
            client.committed([TopicPartition(_READY_GROUP, 0)], timeout=_PROBE_TIMEOUT_S)
        except KafkaException:
            return False
        else:
            return True
        finally:
            client.close()

    def _format(self) -> None:
        cluster_id = self._quorum.cluster_id if self._quorum else new_cluster_id()
        arguments = [
            "format",
            f"--cluster-id={cluster_id}",
            "--config",
            str(self._properties),
            "--ignore-formatted",
        ]
        command = self._java("kafka.tools.StorageTool", arguments, heap_mb=128)
        child = start_child(command, log_file=self.log_file)
        try:
            code = child.wait(self.start_timeout_s)
        except subprocess.TimeoutExpired:
            raise self.timeout_error() from None
        finally:
            # Nothing may keep writing to the folder, not even after a Ctrl-C.
            child.kill()
            child.wait()
        if code != 0:
            raise TapewatchError(
                f"Kafka's data folder {self._data} could not be prepared. {self._last_words()}",
                "Fix the error in the log, or choose another folder with --data-dir.",
            )

    def _fence(self) -> None:
        """Run the controller alone until it has fenced the broker that was killed.

        Otherwise the broker first resumes leadership of everything it led when it was killed, and a moment
        later, when it registers again, loses it and regains it. A group coordinator that is still loading at
        that moment is permanently out of step with its log. The broker also could not register before its
        old session has expired.

        This is best effort: if it fails, the start continues without it.
        """
        properties = self._properties.with_name("fencing.properties")
        properties.write_text(fencing_properties(free_port(), self._data))
        log_file = self.log_file.with_name("kafka-fencing.log")
        log_file.unlink(missing_ok=True)
        verbose = "-Dtapewatch.controller.level=info"
        child = start_child(
            self._java("kafka.Kafka", [str(properties)], heap_mb=128, options=[verbose]), log_file=log_file
        )
        try:
            _wait_for_fencing(child, log_file, self._data / _METADATA_FOLDER)
        finally:
            child.terminate()
            try:
                child.wait(STOP_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()

    def _java(
        self, main_class: str, arguments: list[str], heap_mb: int, options: Sequence[str] = ()
    ) -> list[str]:
        general = server_options(
            heap_mb, self._temporary, self.log_file.parent, is_one_of_several=self._quorum is not None
        )
        options = [*general, *options]
        return java_command(main_class, arguments, class_path=self._class_path, options=options)


def _wait_for_fencing(child: "subprocess.Popen[bytes]", log_file: Path, metadata: Path) -> None:
    """Wait until the metadata log records that the broker is fenced, nothing is to fence, or the child ends.

    The controller prints that it fences the broker before the record is in the metadata log, and a stop at
    that moment would prevent it. So the metadata log must have grown since the message: by that record or by
    a later one, which come twice a second.
    """
    deadline_s = time.monotonic() + _FENCING_TIMEOUT_S
    is_started = False
    size_when_said: int | None = None
    while child.poll() is None and time.monotonic() < deadline_s:
        text = log_file.read_text(errors="replace")
        if _FENCED in text:
            size = sum(file.stat().st_size for file in metadata.glob("*.log"))
            if size_when_said is None:
                size_when_said = size
                deadline_s = time.monotonic() + _IN_LOG_WITHIN_S
            elif size > size_when_said:
                return
        elif _STARTED in text and not is_started:
            is_started = True
            deadline_s = time.monotonic() + _FENCING_PAUSE_S
        time.sleep(0.05)


def _escape(path: Path) -> str:
    """Return a path as a Java properties file needs it: ASCII, with escapes that are the same in JSON."""
    return json.dumps(str(path))[1:-1]
