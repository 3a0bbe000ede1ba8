"""The compose file's services under a separate project name, so that they do not disturb others."""

import json
import os
import signal
import subprocess
from pathlib import Path

from confluent_kafka import KafkaException, TopicPartition

from infra.embedded.ports import LOOPBACK, free_port
from services.common.elastic.client import Elasticsearch
from services.common.errors import TapewatchError
from services.common.kafka.clients import new_admin, new_consumer
from services.common.kafka.connection import KafkaConnection
from services.common.kafka.reading import partition_numbers
from services.contracts.components import DETECTOR
from services.contracts.indices import ANOMALIES_INDEX_PREFIX, TRADES_INDEX_PREFIX
from services.contracts.topics import TRADES_TOPIC

ROOT = Path(__file__).parent.parent.parent
FILE = ROOT / "docker-compose.yml"
PROJECT = "tapewatch-test"

_SHOWN_LINES = 15
_NOT_YET = -1


def check_docker() -> None:
    """Check that there is an engine, and compose.

    Raises
    ------
    TapewatchError
        No engine was found.
    """
    for command, cause, hint in (
        (
            ["docker", "info"],
            "No Docker engine was found.",
            "Install Docker, start it, and be allowed to use it.",
        ),
        (["docker", "compose", "version"], "Docker has no compose.", "Install Docker's compose plugin."),
    ):
        try:
            subprocess.run(command, check=True, capture_output=True)
        except (OSError, subprocess.CalledProcessError) as error:
            raise TapewatchError(cause, hint) from error


class ComposeStack:
    """The services and queries about them; a context manager that removes everything at its end.

    Parameters
    ----------
    speed
        How many times faster than it happened the day is published.

    Attributes
    ----------
    kafka_connection
        Connection for clients on this machine.
    """

    def __init__(self, speed: float) -> None:
        ports = {
            name: str(free_port())
            for name in ("KAFKA_PORT", "ELASTICSEARCH_PORT", "KIBANA_PORT", "DASHBOARD_PORT")
        }
        self._env = os.environ | ports | {"SPEED": str(speed), "DATA_DIR": ""}
        self.kafka_connection = KafkaConnection(f"{LOOPBACK}:{ports['KAFKA_PORT']}")
        self._elasticsearch = f"http://{LOOPBACK}:{ports['ELASTICSEARCH_PORT']}"

    def __enter__(self) -> "ComposeStack":
        self._remove()
        return self

    def __exit__(self, *_: object) -> None:
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_IGN)  # a second Ctrl-C must not leave containers behind
        self._remove()

    def _remove(self) -> None:
        self.compose("down", "--volumes", "--remove-orphans", "--timeout", "10")

    def compose(self, *arguments: str) -> str:
        """Run `docker compose` and return what it prints.

        Raises
        ------
        TapewatchError
            It failed.
        """
        command = ["docker", "compose", "--file", str(FILE), "--project-name", PROJECT, *arguments]
        # In a session of its own: Ctrl-C is for this program, which takes the containers away then.
        process = subprocess.Popen(
            command,
            env=self._env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        try:
            output, errors = process.communicate()
        except BaseException:
            os.killpg(process.pid, signal.SIGKILL)  # docker and compose are two processes
            process.wait()
            raise
        if process.returncode:
            last = "\n".join((output + errors).splitlines()[-_SHOWN_LINES:])
            raise TapewatchError(
                f"docker compose {' '.join(arguments)} failed ({process.returncode}):\n{last}",
                "Check its output.",
            )
        return output

    def states(self) -> dict[str, tuple[str, str, int]]:
        """Return each container's state, health ("" without a check) and exit code, by its name."""
        lines = self.compose("ps", "--all", "--format", "json").splitlines()
        found = [json.loads(line) for line in lines]
        return {one["Name"]: (one["State"], one["Health"], one["ExitCode"]) for one in found}

    def is_publishing(self) -> bool:
        """Tell whether the producer runs."""
        return self.states()[f"{PROJECT}-producer-1"][0] == "running"

    def published(self) -> int:
        """Return about how many trades the topic has (transaction markers count); -1 without an answer."""
        consumer = new_consumer(self.kafka_connection, "reads-only")
        try:
            ends = [
                consumer.get_watermark_offsets(TopicPartition(TRADES_TOPIC, number), timeout=5)[1]
                for number in partition_numbers(consumer, TRADES_TOPIC)
            ]
        except KafkaException:
            return _NOT_YET
        finally:
            consumer.close()
        return sum(ends)

    def detectors_at_work(self) -> int:
        """Return how many detectors have partitions."""
        admin = new_admin(self.kafka_connection)
        try:
            group = admin.describe_consumer_groups([DETECTOR.group], request_timeout=5)[DETECTOR.group]
            return sum(bool(member.assignment.topic_partitions) for member in group.result().members)
        except KafkaException:
            return _NOT_YET

    def open_elasticsearch(self) -> Elasticsearch:
        """Return a client with the password that the stack made for itself."""
        password = self.compose("run", "--rm", "--no-deps", "-T", "passwords", "elastic").strip()
        return Elasticsearch(self._elasticsearch, basic_auth=("elastic", password), request_timeout=60)

    def indexed(self, client: Elasticsearch) -> tuple[int, int]:
        """Return how many trades and how many anomalies can be found."""
        return (
            client.count(index=f"{TRADES_INDEX_PREFIX}*")["count"],
            client.count(index=f"{ANOMALIES_INDEX_PREFIX}*")["count"],
        )
