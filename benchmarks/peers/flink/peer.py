"""Flink SQL: Java, one process that has the SQL client, the job's manager and its workers."""

import os
from pathlib import Path
from string import Template

from benchmarks.peers.base import Command, Job, Peer, Purpose
from benchmarks.peers.java import FLINK, fetched_jars, jdk_program
from benchmarks.peers.python_packages import environment_of, locked_version
from benchmarks.surroundings import note

LOCK = Path(__file__).with_name("requirements.lock")
STATEMENTS = Path(__file__).with_name("threshold.sql")
PACKAGE = "apache-flink-libraries"
ENVIRONMENT = environment_of("Flink", LOCK)
HEAP_MIB = 1024
PARALLELISM = {Purpose.RATE: 2, Purpose.LIVE: 1}
CHECKPOINT_MS = {Purpose.RATE: 1_000, Purpose.LIVE: 100}
"""At a tenth of the second value it fell behind."""

TRANSACTION_TIMEOUT_MS = 900_000
"""As long as the broker allows: what a checkpoint has promised is lost if its transaction times out first."""

LOOPBACK_ONLY = """\
rest.address: 127.0.0.1
rest.bind-address: 127.0.0.1
jobmanager.bind-host: 127.0.0.1
taskmanager.bind-host: 127.0.0.1
sql-gateway.endpoint.rest.address: 127.0.0.1
"""
OPEN_PACKAGES = (
    *("java.lang", "java.net", "java.io", "java.nio", "sun.nio.ch", "java.lang.reflect", "java.text"),
    *("java.time", "java.util", "java.util.concurrent", "java.util.concurrent.atomic"),
    "java.util.concurrent.locks",
)
"""Packages of `java.base` that Flink's own start scripts open to it."""


class Flink(Peer):
    """Flink SQL."""

    name = f"Flink SQL {locked_version(LOCK, PACKAGE)}"

    def set_up(self) -> None:
        """Install Flink's jars and download its connector to Kafka."""
        jdk_program("java")
        ENVIRONMENT.install(note)
        fetched_jars(FLINK)

    def command(self, job: Job) -> Command:
        """Return the command line of the SQL client, which goes on from the job's newest checkpoint."""
        (home,) = ENVIRONMENT.python.parents[1].glob("lib/python*/site-packages/pyflink")
        job.folder.mkdir(parents=True, exist_ok=True)
        (job.folder / "config.yaml").write_text(LOOPBACK_ONLY)
        statements = job.folder / "job.sql"
        statements.write_text(rendered(job))
        class_path = [
            *fetched_jars(FLINK),
            home / "lib" / "*",
            *sorted((home / "opt").glob("flink-sql-client-*.jar")),
            *sorted((home / "opt").glob("flink-python-*.jar")),  # which the SQL client cannot do without
        ]
        arguments = [
            *(jdk_program("java"), f"-Xmx{HEAP_MIB}m"),
            *(f"--add-opens=java.base/{package}=ALL-UNNAMED" for package in OPEN_PACKAGES),
            *("-cp", os.pathsep.join(map(str, class_path)), "org.apache.flink.table.client.SqlClient"),
            *("embedded", "--file", str(statements), "--history", str(job.folder / "history")),
        ]
        folders = {
            "FLINK_CONF_DIR": job.folder,
            "FLINK_LIB_DIR": home / "lib",
            "FLINK_OPT_DIR": home / "opt",
            "FLINK_PLUGINS_DIR": home / "plugins",
        }
        return Command(arguments, os.environ | {name: str(path) for name, path in folders.items()})


def rendered(job: Job) -> str:
    """Return the statements of a job."""
    checkpoints = job.folder / "checkpoints"
    newest = newest_checkpoint(checkpoints)
    resume = f"SET 'execution.state-recovery.path' = '{newest.as_uri()}';\n" if newest else ""
    return Template(STATEMENTS.read_text().partition("\n")[2]).substitute(
        bootstrap=job.bootstrap,
        group=job.group,
        source=job.source,
        sink=job.sink,
        threshold=job.threshold_shares,
        parallelism=PARALLELISM[job.purpose],
        checkpoint_ms=CHECKPOINT_MS[job.purpose],
        checkpoints=checkpoints.as_uri(),
        resume=resume,
        transaction_timeout_ms=TRANSACTION_TIMEOUT_MS,
    )


def newest_checkpoint(folder: Path) -> Path | None:
    """Return the newest checkpoint that is complete, of any start of the job; None without one."""
    complete = folder.glob("*/chk-*/_metadata")
    newest = max(complete, key=lambda path: path.stat().st_mtime_ns, default=None)
    return newest.parent if newest else None
