"""`tapewatch index --sink postgres` on a real Kafka and a real Postgres, killed and restarted."""

import os
import re
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest
from confluent_kafka import Consumer, TopicPartition

from infra.embedded.postgres_server import ADMIN, PostgresServer, running_postgres
from infra.embedded.stack import EmbeddedStack
from services.common.kafka.clients import new_consumer, new_producer
from services.contracts.sinks import SINKS
from services.contracts.topics import TRADES_TOPIC
from services.sources.synthetic.day import DayConfig
from tests.chaos.day import read_day
from tests.chaos.tables import verify_tables
from tests.integration.pipeline import (
    addresses,
    backtested,
    http_get,
    letters,
    log_lines,
    set_up,
    started,
    tapewatch,
    wait_for,
    wait_until,
    write_own_day,
)
from tests.integration.postgres.database import Database, empty_database, new_database
from tests.samples import trade_json

COMPONENT = SINKS["postgres"].component
INDEX = ("index", "--sink", "postgres")


def index(stack: EmbeddedStack, database: Database, code: int = 0) -> str:
    """Run the sink to the end of the topics; return its log."""
    return tapewatch(stack, *INDEX, "--until-idle", "1", env=database.env(), code=code).stderr


def env_of(stack: EmbeddedStack, database: Database) -> dict[str, str]:
    return addresses(stack) | database.env()


def committed(stack: EmbeddedStack) -> dict[int, int]:
    consumer: Consumer = new_consumer(stack.kafka_connection, COMPONENT.group)
    numbers = consumer.list_topics(TRADES_TOPIC, timeout=10).topics[TRADES_TOPIC].partitions
    found = consumer.committed([TopicPartition(TRADES_TOPIC, number) for number in numbers], timeout=10)
    consumer.close()
    return {place.partition: place.offset for place in found}


@pytest.fixture(scope="module")
def own_postgres() -> Iterator[PostgresServer]:
    """A server that tests may kill."""
    with running_postgres() as server:
        yield server


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_killed_again_and_again_every_row_is_there_once(
    stack: EmbeddedStack, own_postgres: PostgresServer, tmp_path: Path
) -> None:
    set_up(stack)
    database = new_database(own_postgres, tmp_path)
    # Of a day that no other test has, so that the partition has nothing else.
    config = DayConfig(trades=30_000, symbols=4, seed=21)
    day = write_own_day(tmp_path / "day.csv", config, "-PG")
    tapewatch(stack, "produce", str(day))
    tapewatch(stack, "detect", "--until-idle", "1")

    def count() -> int:
        return int(database.rows("SELECT count(*) AS n FROM trades WHERE symbol LIKE '%%-PG'")[0]["n"])

    for number, victim in enumerate(("sink", "postgres", "sink", "sink")):
        log = tmp_path / f"index-{number}.log"
        before = count()
        with started(log, *INDEX, **env_of(stack, database)) as process:
            if before < config.trades:
                wait_until(lambda: count() > before, log)  # noqa: B023
            if victim == "postgres":
                os.kill(own_postgres.pid or 0, signal.SIGKILL)
                own_postgres.kill()
                time.sleep(0.5)
                own_postgres.start()
                wait_for(log, "trying again", process)
    index(stack, database)
    expected = backtested(stack, day)
    found = read_day(day)
    database.rows("DELETE FROM trades WHERE symbol NOT LIKE '%%-PG'")
    database.rows("DELETE FROM anomalies WHERE symbol NOT LIKE '%%-PG'")
    violations = verify_tables(database.connection(ADMIN), found, expected)
    assert violations == [], "\n".join(map(str, violations))

    stored = {
        row["partition"]: row["next_offset"]
        for row in database.rows("SELECT partition, next_offset FROM kafka_offsets WHERE topic = 'trades'")
        if row["next_offset"] is not None
    }
    in_kafka = {number: offset for number, offset in committed(stack).items() if offset >= 0}
    assert in_kafka.keys() == stored.keys()
    # Kafka's may be past the mark that ends the producer's last transaction, which is no record.
    assert all(0 <= offset - stored[number] <= 1 for number, offset in in_kafka.items())
    assert log_lines(index(stack, database), "indexed")[-1]["documents"] == 0


def test_what_cannot_be_a_row_becomes_a_dead_letter_alone(
    stack: EmbeddedStack, database: Database, tmp_path: Path
) -> None:
    set_up(stack)
    run = tmp_path.name
    bad = {
        "not JSON": f"no json {run}".encode(),
        "CheckViolation": trade_json(1, trade_id=f"{run}-1", side="X"),
        "CharacterNotInRepertoire": trade_json(2, trade_id=f"{run}-2", venue="a\0b"),
        "NumericValueOutOfRange": trade_json(3, trade_id=f"{run}-3", depth=40_000),
    }
    good = [trade_json(number, trade_id=f"{run}-good-{number}") for number in range(10)]
    producer = new_producer(stack.kafka_connection)
    for value in (*good[:5], *bad.values(), *good[5:]):
        producer.produce(TRADES_TOPIC, key=b"ROWS", value=value)
    assert producer.flush(10) == 0
    index(stack, database)
    assert len(database.rows("SELECT FROM trades WHERE trade_id LIKE %s", f"{run}-good-%")) == 10
    assert database.rows("SELECT FROM trades WHERE trade_id ~ %s", f"^{run}-[0-9]$") == []
    reasons = {value: headers for headers, value in letters(stack)}
    for reason, value in bad.items():
        assert reasons[value]["error"].startswith(reason)
        assert reasons[value]["service"] == COMPONENT.service
    before = len(letters(stack))
    end = log_lines(index(stack, database), "indexed")[-1]
    assert (end["documents"], end["dead_letters"]) == (0, 0)
    assert len(letters(stack)) == before


@pytest.mark.slow
def test_topics_of_another_kafka_are_read_from_their_beginning_without_doubles(
    stack: EmbeddedStack, database: Database
) -> None:
    set_up(stack)
    producer = new_producer(stack.kafka_connection)
    producer.produce(TRADES_TOPIC, key=b"IDS", value=trade_json(1, trade_id="of another kafka"))
    assert producer.flush(10) == 0
    index(stack, database)
    before = database.rows("SELECT trade_id FROM trades")
    database.rows("UPDATE kafka_offsets SET topic_id = 'of the old one', next_offset = 1000000000")
    index(stack, database)
    assert database.rows("SELECT trade_id FROM trades") == before
    assert len(database.rows("SELECT DISTINCT topic_id FROM kafka_offsets WHERE topic = 'trades'")) == 2


@pytest.mark.slow
def test_an_offset_beyond_the_topic_stops_the_sink(stack: EmbeddedStack, database: Database) -> None:
    set_up(stack)
    index(stack, database)
    database.rows(
        "UPDATE kafka_offsets SET next_offset = 1000000000 WHERE topic = 'trades' AND partition = 0"
    )
    error = index(stack, database, code=1)
    assert re.search(
        r"Postgres has the partition 0 of trades up to offset 1000000000, but the topic ends at", error
    )


def test_a_database_that_is_not_set_up_or_not_ours_ends_it_with_the_fix(
    stack: EmbeddedStack, postgres: PostgresServer, tmp_path: Path
) -> None:
    set_up(stack)
    database = empty_database(postgres, tmp_path)
    assert "has no schema tapewatch" in index(stack, database, code=1)
    (database.secrets / "tapewatch_writer.password").write_text("wrong")
    error = index(stack, database, code=1)
    assert "does not accept this client" in error
    assert "wrong" not in error


def test_postgres_that_is_away_is_waited_for_and_said(
    stack: EmbeddedStack, own_postgres: PostgresServer, tmp_path: Path
) -> None:
    set_up(stack)
    database = new_database(own_postgres, tmp_path)
    log = tmp_path / "index.log"
    own_postgres.stop()
    try:
        with started(log, *INDEX, **env_of(stack, database)) as process:
            wait_for(log, "waiting for Postgres at", process)
            status, why = http_get(log, "/readyz")
            assert (status, "Postgres" in why) == (503, True)
            assert http_get(log, "/healthz")[0] == 200
            own_postgres.start()
            wait_for(log, '"event": "assigned"' if '"event": ' in log.read_text() else '"assigned"', process)
            own_postgres.stop()
            producer = new_producer(stack.kafka_connection)
            value = orjson.loads(trade_json(1)) | {"trade_id": tmp_path.name}
            producer.produce(TRADES_TOPIC, key=b"AWAY", value=orjson.dumps(value))
            assert producer.flush(10) == 0
            wait_for(log, "Postgres took no rows for now", process)
            wait_until(lambda: http_get(log, "/readyz")[0] == 503, log)
            own_postgres.start()
            wait_until(
                lambda: bool(database.rows("SELECT FROM trades WHERE trade_id = %s", tmp_path.name)), log
            )
            wait_until(lambda: http_get(log, "/readyz")[0] == 200, log)
            process.terminate()
            assert process.wait(20) == 0
    finally:
        if own_postgres.pid is None:
            own_postgres.start()
