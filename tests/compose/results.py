"""What a run of the generated day must leave, and whether it does."""

import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from http import HTTPStatus
from pathlib import Path
from typing import Any

import orjson
from elasticsearch import ApiError, Elasticsearch

from services.common.postgres.connection import PostgresConnection
from services.contracts.postgres import ANOMALIES_TABLE, SCHEMA, TRADES_TABLE
from tests.chaos.day import Day, read_day
from tests.chaos.read_back import verify_indices, verify_topics
from tests.chaos.verify import Violation
from tests.compose.stack import ComposeStack
from tests.compose.waiting import POLL_S, wait_until

STALL_TIMEOUT_S = 240.0


def expected_results(folder: Path) -> tuple[Day, dict[str, dict[str, Any]]]:
    """Generate the same day as the producer's container, and return a backtest's anomalies by `trade_id`."""
    path, output = folder / "day.csv.zst", folder / "anomalies.ndjson"
    for arguments in (
        ("generate", "--output", str(path), "--labels", str(folder / "labels.csv")),
        ("backtest", str(path), "--output", str(output)),
    ):
        subprocess.run([sys.executable, "-m", "cli.main", *arguments], check=True, capture_output=True)
    lines = [orjson.loads(line) for line in output.read_bytes().splitlines()]
    return read_day(path), {line["trade_id"]: line for line in lines}


def wait_until_indexed(
    stack: ComposeStack, client: Elasticsearch, trades: int, anomalies: int, say: Callable[[str], None]
) -> None:
    """Wait until everything is published and indexed, or there is no progress for a long time."""
    before = (0, 0)
    came_s = time.monotonic()
    while stack.is_running("producer") or before < (trades, anomalies):
        try:
            now = stack.indexed(client)
        except ApiError as error:
            if error.status_code != HTTPStatus.SERVICE_UNAVAILABLE:  # an index that was made a moment ago
                raise
            now = before
        if now != before:
            before, came_s = now, time.monotonic()
        elif time.monotonic() - came_s > STALL_TIMEOUT_S:
            say(f"nothing came for {STALL_TIMEOUT_S:.0f} s")
            break
        time.sleep(POLL_S)
    say(f"indexed: {before[0]:,} trades, {before[1]:,} anomalies")


def wait_until_stored(
    connection: PostgresConnection, trades: int, anomalies: int, say: Callable[[str], None]
) -> None:
    """Wait until Postgres has everything; raises TapewatchError if that takes too long."""
    counts = [f"(SELECT count(*) FROM {SCHEMA}.{table})" for table in (TRADES_TABLE, ANOMALIES_TABLE)]  # noqa: S608

    def stored() -> tuple[int, int]:
        with connection.connect("compose-test") as session:
            found = session.execute(f"SELECT {', '.join(counts)}").fetchone()
        assert found is not None
        return found[0], found[1]

    wait_until(lambda: stored() >= (trades, anomalies), "everything in Postgres", STALL_TIMEOUT_S)
    say("in Postgres: {:,} trades, {:,} anomalies".format(*stored()))


def compare(
    stack: ComposeStack, client: Elasticsearch, day: Day, anomalies: Mapping[str, dict[str, Any]]
) -> list[Violation]:
    """Compare the topics and the indices with the day and a backtest's anomalies."""
    return [*verify_topics(stack, day, anomalies), *verify_indices(client, day, anomalies)]
