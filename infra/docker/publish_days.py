"""Publishes the trade files of the folder `DATA_DIR`, or a generated day without one and without a live feed.

Kafka knows each file by its content, so a restart resumes, and publishes nothing twice. What can heal, such
as a process that was killed, is started again; a mistake in a setting ends this program with what is wrong.
"""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

FOLDER = Path("/data")
GENERATED = Path("/tmp/generated-day.csv.zst")  # noqa: S108 - the container's own, in memory
LABELS = Path("/tmp/labels.csv")  # noqa: S108
TRADE_FILE = re.compile(r"[^.].*\.(csv|dbn|parquet)(\.(gz|bz2|xz|zst|zip))?|[^.].*\.zip", re.IGNORECASE)
CHECK = "--check"
"""This program with this flag only checks that the generated day may be published."""
SHOWN_NAMES = 5
TRIES = 5
PAUSE_S = 5.0


class Mistake(Exception):  # noqa: N818 - it is one
    """Something that only a person can correct."""


def main(environment: Mapping[str, str]) -> int:
    """Publish what the settings `DATA_DIR`, `SPEED` and `FEED` say; return the exit code."""
    supervisor = Supervisor()  # first, so that a stop is heeded from the beginning
    try:
        speed = speed_flags(environment.get("SPEED", ""))
        given = environment.get("DATA_DIR", "")
        files = trade_files(FOLDER, given) if given else []
    except Mistake as mistake:
        return told(mistake)
    tapewatch = [sys.executable, "-m", "cli.main"]
    if not files and environment.get("FEED"):
        print("FEED names a live market, so no generated day is published beside it.")
        return 0
    if not files:
        generate = [*tapewatch, "generate", "--output", str(GENERATED), "--labels", str(LABELS)]
        # In processes of their own, whose memory is free again when the day is published.
        for command in (generate, [sys.executable, __file__, CHECK]):
            if code := supervisor.run(command):
                return code
        files = [GENERATED]
    return supervisor.run([*tapewatch, "produce", *speed, *map(str, files)])


def told(mistake: object) -> int:
    """Say what a person has to correct; return the exit code."""
    print(f"Error: {mistake}", file=sys.stderr)
    return 1


def speed_flags(speed: str) -> list[str]:
    """Return the flags for a replay at a speed; raises Mistake if it is no number above 0."""
    if not speed:
        return []
    try:
        is_good = 0 < float(speed) < float("inf")
    except ValueError:
        is_good = False
    if not is_good:
        raise Mistake(f"SPEED is {speed!r}. Give a number above 0, such as SPEED=60, or leave it out.")
    return ["--speed", speed]


def trade_files(folder: Path, given: str) -> list[Path]:
    """Return the files of trades in a folder, by name.

    Parameters
    ----------
    folder
        Where it is mounted.
    given
        Its name outside, for errors.

    Raises
    ------
    Mistake
        It is no folder, cannot be read, or has no files of trades.
    """
    if folder.is_file():
        raise Mistake(f"DATA_DIR is a file: {given}. Name the folder that it is in.")
    try:
        found = sorted(path for path in folder.iterdir() if path.is_file())
        files = [path for path in found if TRADE_FILE.fullmatch(path.name)]
        unreadable = [path.name for path in files if not os.access(path, os.R_OK)]
    except OSError as error:
        raise Mistake(_unreadable(given, error.strerror or "no access")) from error
    if unreadable:
        raise Mistake(_unreadable(given, f"no access to {', '.join(unreadable[:SHOWN_NAMES])}"))
    if not files:
        names = ", ".join(path.name for path in found[:SHOWN_NAMES])
        has = f"It has {names}{' …' if len(found) > SHOWN_NAMES else ''}." if found else "It is empty."
        raise Mistake(
            f"There are no files of trades in DATA_DIR, {given}. {has} "
            "Their names end in .csv, .dbn, .parquet or .zip, or in one of these and .zst, .gz, .bz2 or .xz."
        )
    return files


def _unreadable(given: str, why: str) -> str:
    return (
        f"The container's user, {os.getuid()}, cannot read DATA_DIR, {given}: {why}. "
        f"Allow it with: chmod -R a+rX {given}"
    )


def check_nothing_else_is_there(path: Path) -> int:
    """Refuse a generated day if the topic has trades of something else; return the exit code."""
    from services.common.errors import TapewatchError
    from services.common.process.logs import configure_logs

    configure_logs("producer")
    try:
        if not has_other_trades(path):
            return 0
    except TapewatchError as error:
        return told(f"{error.cause} {error.hint}")
    return told(
        "The topic trades has other trades already, and a generated day beside them would mislead. "
        "Set DATA_DIR to publish files, or FEED for a live market, or start from scratch: "
        "docker compose down --volumes"
    )


def has_other_trades(path: Path) -> bool:
    """Tell whether the topic has trades while nothing of this file was ever published; waits for Kafka."""
    from confluent_kafka import IsolationLevel, KafkaException, TopicPartition

    from services.common.config.settings import Settings
    from services.common.kafka.clients import new_admin
    from services.common.kafka.connection import kafka_connection
    from services.common.kafka.end_offsets import EndOffsets
    from services.common.kafka.reading import partition_numbers
    from services.common.process.readiness import wait_for_server
    from services.common.process.shutdown import Stop
    from services.contracts.topics import TRADES_TOPIC
    from services.producer.progress import load_progress
    from services.sources.files import open_source

    stop = Stop()
    kafka = kafka_connection(Settings())
    if load_progress(kafka, open_source(path).identity, stop) is not None:
        return False
    ends: list[int] = []

    def ask() -> None:
        numbers = partition_numbers(new_admin(kafka), TRADES_TOPIC)
        places = [TopicPartition(TRADES_TOPIC, number) for number in numbers]
        ends[:] = EndOffsets(kafka).ask(places, IsolationLevel.READ_UNCOMMITTED).values()

    wait_for_server(ask, KafkaException, f"Kafka at {kafka}", stop)
    return any(ends)


class Supervisor:
    """Runs programs one after the other; a stop is passed on to the one that runs, and ends all.

    Parameters
    ----------
    tries
        How often a program is started that did not end by itself.
    pause_s
        Time between two starts.
    """

    def __init__(self, tries: int = TRIES, pause_s: float = PAUSE_S) -> None:
        self._tries = tries
        self._pause_s = pause_s
        self._stopped_by = 0
        self._process: subprocess.Popen[bytes] | None = None
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._stop)

    def _stop(self, number: int, _frame: object) -> None:
        self._stopped_by = number
        if self._process is not None:
            self._process.send_signal(number)

    def run(self, command: Sequence[str]) -> int:
        """Run a program to its end.

        Returns
        -------
        int
            Its exit code: 0, that of a mistake, or after a signal 128 and its number.
        """
        code = 0
        for attempt in range(1, self._tries + 1):
            if self._stopped_by:
                return 128 + self._stopped_by
            self._process = subprocess.Popen(command)
            if self._stopped_by:  # it came while the program was started
                self._process.send_signal(self._stopped_by)
            code = self._process.wait()
            if self._stopped_by:
                return 128 + self._stopped_by
            if code >= 0:
                return code
            print(f"A program was ended by signal {-code}; try {attempt} of {self._tries}.", file=sys.stderr)
            until_s = time.monotonic() + self._pause_s
            while attempt < self._tries and time.monotonic() < until_s and not self._stopped_by:
                time.sleep(0.1)
        return 128 - code


if __name__ == "__main__":
    sys.exit(check_nothing_else_is_there(GENERATED) if CHECK in sys.argv else main(os.environ))
