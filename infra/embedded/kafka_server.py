"""Apache Kafka as one process: broker and controller (KRaft), tuned for a development machine."""

import base64
import json
import shutil
import socket
import subprocess
import uuid
from collections.abc import Sequence
from pathlib import Path

from confluent_kafka import Consumer, KafkaException, TopicPartition

from infra.embedded.child_process import start_child
from infra.embedded.java import java_command, server_options
from infra.embedded.ports import LOOPBACK, check_port_free, free_port
from infra.embedded.server import Server
from services.common.errors import TapewatchError

_READY_GROUP = "tapewatch-readiness"
_PROBE_TIMEOUT_S = 2.0

# One node, so one replica of everything, and internal topics of one partition: with the short session
# these make a restart after a crash take seconds.
# Overdue transactions are not looked for sooner: a broker that is still starting gives one up without telling
# its partitions, which then wait for its end for ever.
_SETTINGS = """\
process.roles=broker,controller
node.id=1
controller.listener.names=CONTROLLER
inter.broker.listener.name=BROKER
listener.security.protocol.map=BROKER:PLAINTEXT,CONTROLLER:PLAINTEXT
broker.session.timeout.ms=3000
broker.heartbeat.interval.ms=500
auto.create.topics.enable=false
num.partitions=1
default.replication.factor=1
min.insync.replicas=1
offsets.topic.replication.factor=1
offsets.topic.num.partitions=1
group.initial.rebalance.delay.ms=0
transaction.state.log.replication.factor=1
transaction.state.log.num.partitions=1
transaction.state.log.min.isr=1
transaction.max.timeout.ms=60000
transaction.abort.timed.out.transaction.cleanup.interval.ms=5000
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.num.partitions=1
share.coordinator.state.topic.min.isr=1
message.max.bytes=8388608
log.cleaner.dedupe.buffer.size=33554432
"""


def kafka_properties(port: int, controller_port: int, data: Path) -> str:
    """Return the broker's configuration file.

    Parameters
    ----------
    port
        Where clients connect.
    controller_port
        Where the broker finds the controller in its own process; may differ at each start.
    data
        Folder of the logs, as Kafka calls its data.
    """
    return (
        f"{_SETTINGS}"
        f"listeners=BROKER://{LOOPBACK}:{port},CONTROLLER://{LOOPBACK}:{controller_port}\n"
        f"advertised.listeners=BROKER://{LOOPBACK}:{port}\n"
        f"controller.quorum.voters=1@{LOOPBACK}:{controller_port}\n"
        f"log.dirs={_escape(data)}\n"
    )


class KafkaServer(Server):
    """Kafka on one data folder.

    Parameters
    ----------
    folder
        Gets its configuration and its data.
    port
        Where clients connect, on 127.0.0.1.
    class_path
        Its jars.
    log_file, start_timeout_s
        As for every `Server`.
    heap_mb
        Size of its heap in MiB.
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
    ) -> None:
        super().__init__("Kafka", log_file, start_timeout_s)
        self.port = port
        self._class_path = class_path
        self._heap_mb = heap_mb
        self._data = folder / "data"
        self._temporary = folder / "tmp"
        self._properties = folder / "kafka.properties"

    @property
    def bootstrap(self) -> str:
        """Bootstrap servers for clients."""
        return f"{LOOPBACK}:{self.port}"

    def prepare(self) -> list[str]:
        """Write the configuration, and format the data folder at the first start."""
        check_port_free(self.port, self.name, "--kafka-port")
        # A killed JVM leaves the native libraries that it unpacked.
        shutil.rmtree(self._temporary, ignore_errors=True)
        for folder in (self._data, self._temporary):
            folder.mkdir(parents=True, exist_ok=True)
        self._properties.write_text(kafka_properties(self.port, free_port(), self._data))
        if not (self._data / "meta.properties").exists():
            self._format()
        return self._java("kafka.Kafka", [str(self._properties)], self._heap_mb)

    def is_ready(self) -> bool:
        """Tell whether all partitions have a leader and the group coordinator answers."""
        try:
            # The client would wait, and report each refused connection.
            socket.create_connection((LOOPBACK, self.port), _PROBE_TIMEOUT_S).close()
        except OSError:
            return False
        # A consumer, because AdminClient.list_consumer_group_offsets crashes the interpreter now and then
        # (a segmentation fault, confluent-kafka 2.16) while the broker makes its coordinator's topic.
        client = Consumer({"bootstrap.servers": self.bootstrap, "group.id": _READY_GROUP, "log_level": 0})
        try:
            cluster = client.list_topics(timeout=_PROBE_TIMEOUT_S)
            partitions = [part for topic in cluster.topics.values() for part in topic.partitions.values()]
            if cluster.controller_id not in cluster.brokers or any(part.leader < 0 for part in partitions):
                return False
            client.committed([TopicPartition(_READY_GROUP, 0)], timeout=_PROBE_TIMEOUT_S)
        except KafkaException:
            return False
        else:
            return True
        finally:
            client.close()

    def _format(self) -> None:
        cluster_id = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
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
            # After a Ctrl-C, too, nothing goes on writing to the folder.
            child.kill()
            child.wait()
        if code != 0:
            raise TapewatchError(
                f"Kafka's data folder {self._data} could not be prepared. {self._last_words()}",
                "Mend what the log complains of, or choose another folder with --data-dir.",
            )

    def _java(self, main_class: str, arguments: list[str], heap_mb: int) -> list[str]:
        options = server_options(heap_mb, self._temporary, self.log_file.parent)
        return java_command(main_class, arguments, class_path=self._class_path, options=options)


def _escape(path: Path) -> str:
    """Write a path as a Java properties file wants it: ASCII, with escapes that JSON has too."""
    return json.dumps(str(path))[1:-1]
