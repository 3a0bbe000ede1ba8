"""Publishes the trade files of the folder `DATA_DIR`, or a generated day without one.

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
GENERATED = Path("/tmp/day.csv.zst")  # noqa: S108 - the container's own, in memory
LABELS = Path("/tmp/labels.csv")  # noqa: S108
TRADE_FILE = re.compile(r"[^.].*\.(csv|dbn|parquet)(\.(gz|bz2|xz|zst|zip))?|[^.].*\.zip", re.IGNORECASE)
SHOWN_NAMES = 5
TRIES = 5
PAUSE_S = 5.0


class Mistake(Exception):  # noqa: N818 - it is one
    """Something that only a person can correct."""


def main(environment: Mapping[str, str]) -> int:
    """Publish what the settings `DATA_DIR` and `SPEED` say; return the exit code."""
    try:
        speed = speed_flags(environment.get("SPEED", ""))
        given = environment.get("DATA_DIR", "")
        files = trade_files(FOLDER, given) if given else [generated_day()]
    except Mistake as mistake:
        print(f"Error: {mistake}", file=sys.stderr)
        return 1
    return run([sys.executable, "-m", "cli.main", "produce", *speed, *map(str, files)])


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


def generated_day() -> Path:
    """Return a generated day of trades; raises Mistake if the topic has trades of something else."""
    from services.sources.synthetic.day import DayConfig, write_day

    write_day(DayConfig(), GENERATED, LABELS)
    if has_other_trades(GENERATED):
        raise Mistake(
            "The topic trades has trades of files already, and a generated day beside them would mislead. "
            "Set DATA_DIR to publish more files, or start from scratch: docker compose down --volumes"
        )
    return GENERATED


def has_other_trades(path: Path) -> bool:
    """Tell whether the topic has trades while nothing of this file was ever published."""
    from confluent_kafka import IsolationLevel, TopicPartition

    from services.common.config.settings import Settings
    from services.common.kafka.clients import new_admin
    from services.common.kafka.connection import kafka_connection
    from services.common.kafka.end_offsets import EndOffsets
    from services.common.kafka.reading import partition_numbers
    from services.common.process.shutdown import Stop
    from services.contracts.topics import TRADES_TOPIC
    from services.producer.progress import load_progress
    from services.sources.files import open_source

    kafka = kafka_connection(Settings())
    if load_progress(kafka, open_source(path).identity, Stop()) is not None:
        return False
    numbers = partition_numbers(new_admin(kafka), TRADES_TOPIC)
    places = [TopicPartition(TRADES_TOPIC, number) for number in numbers]
    return any(EndOffsets(kafka).ask(places, IsolationLevel.READ_UNCOMMITTED).values())


def run(command: Sequence[str], tries: int = TRIES, pause_s: float = PAUSE_S) -> int:
    """Run a program; start it again if it did not end by itself. Signals are passed on.

    Returns
    -------
    int
        Its exit code: 0, that of a mistake, or after a signal 128 and its number.
    """
    stopped: list[int] = []
    process: subprocess.Popen[bytes] | None = None

    def pass_on(number: int, _frame: object) -> None:
        stopped.append(number)
        if process is not None:
            process.send_signal(number)

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, pass_on)
    for attempt in range(1, tries + 1):
        process = subprocess.Popen(command)
        code = process.wait()
        if stopped:
            return 128 + stopped[0]
        if code >= 0:
            return code
        print(f"The producer was ended by signal {-code}; try {attempt} of {tries}.", file=sys.stderr)
        if attempt < tries:
            time.sleep(pause_s)
    return 128 - code


if __name__ == "__main__":
    sys.exit(main(os.environ))
