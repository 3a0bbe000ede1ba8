"""The sink's writer on a real Postgres: every row once, the refused alone, the late ones not at all."""

import datetime as dt
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import orjson
import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg import sql

from services.common.errors import TapewatchError
from services.common.kafka.records import Record
from services.contracts.topics import ALERTS_TOPIC, ANOMALIES_TOPIC, CORRECTIONS_TOPIC, TRADES_TOPIC
from services.indexer.sinks.base import StoppedError
from services.indexer.sinks.postgres.copying import Copier
from services.indexer.sinks.postgres.retention import drop_expired_days
from tests.integration.postgres.database import Database, admin_session
from tests.integration.postgres.writing import Instance, claimed, records
from tests.samples import kafka_record, trade_json
from tests.unit.services.indexer.sinks.postgres.messages import alert, anomaly, correction

SOON_S = 30.0


def trades(count: int, first: int = 0) -> list[Record]:
    return records(TRADES_TOPIC, [trade_json(number) for number in range(first, first + count)], first)


def ids(database: Database, table: str = "trades") -> list[str]:
    return [row["trade_id"] for row in database.rows(f"SELECT trade_id FROM {table} ORDER BY time")]  # noqa: S608


def next_offset(database: Database, topic: str = TRADES_TOPIC) -> int | None:
    (row,) = database.rows("SELECT next_offset FROM kafka_offsets WHERE topic = %s AND partition = 0", topic)
    found: int | None = row["next_offset"]
    return found


def in_thread(call: Callable[[], object]) -> threading.Thread:
    thread = threading.Thread(target=call, daemon=True)
    thread.start()
    return thread


def ended(thread: threading.Thread) -> None:
    thread.join(SOON_S)
    assert not thread.is_alive()


def test_a_trade_comes_back_as_it_was(database: Database) -> None:
    fields = {
        **orjson.loads(trade_json(1)),
        "@timestamp": "2024-12-02T23:59:59.999999999Z",
        "price": 0.1 + 0.2,
        "size": 1e-18,
        "ts_recv": "2024-12-03T00:00:00.000000001Z",
        "publisher_id": 2,
        "instrument_id": 2**40,
        "action": "T",
        "depth": 0,
        "flags": 130,
        "ts_in_delta": -5,
        "sequence": 2**62,
        "rtype": 0,
        "venue": 'a "venue", \\ with\neverything\u0001',
        "tape": "null",
        "conditions": ["odd_lot", 'a,"b"\\', ""],
        "conditions_raw": [],
        "price_eligible": False,
        "anchor_eligible": True,
        "tape_time": "2024-12-02T23:59:59Z",
        "kind": "",
        "extra": {"x": [1.5, None, "é"], 'y"': {"z": True}},
        "reconciled": True,
    }
    assert claimed(database).write(kafka_record(TRADES_TOPIC, value=orjson.dumps(fields))) == []
    (row,) = database.rows("SELECT *, time::text AS time_text FROM trades")
    assert str(row.pop("day")) == "2024-12-02"
    assert row.pop("time") == dt.datetime(2024, 12, 2, 23, 59, 59, 999999, tzinfo=dt.UTC)
    assert row.pop("time_text") == "2024-12-02 23:59:59.999999+00"
    assert row.pop("ts_ns") == 1_733_183_999_999_999_999
    assert row.pop("ts_recv_ns") == 1_733_184_000_000_000_001
    assert row.pop("tape_time_ns") == 1_733_183_999_000_000_000
    assert row.pop("volume_eligible") is None
    for name in ("@timestamp", "ts_recv", "tape_time"):
        del fields[name]
    assert row == fields


def test_a_batch_and_its_offsets_are_there_together(database: Database) -> None:
    instance = claimed(database)
    assert instance.claim()[TRADES_TOPIC, 0] is None
    assert instance.write(*trades(10)) == []
    assert len(ids(database)) == 10
    assert next_offset(database) == 10
    assert instance.claim()[TRADES_TOPIC, 0] == 10


@pytest.mark.parametrize("repeated", [1, 5, 10])
def test_trades_that_come_again_are_not_doubled(database: Database, repeated: int) -> None:
    instance = claimed(database)
    instance.write(*trades(10))
    again = records(TRADES_TOPIC, [trade_json(number) for number in range(10 - repeated, 20)], 10)
    assert instance.write(*again) == []
    assert len(ids(database)) == len(set(ids(database))) == 20
    instance.write(*trades(10, 30))  # new ones again, by the straight way from the next batch on
    instance.write(*trades(10, 40))
    assert len(ids(database)) == 40


def test_a_trade_twice_in_a_batch_is_one(database: Database) -> None:
    value = trade_json(1)
    claimed(database).write(*records(TRADES_TOPIC, [value, trade_json(2), value]))
    assert len(ids(database)) == 2


REFUSED: dict[str, dict[str, Any]] = {
    "NumericValueOutOfRange": {"depth": 40_000},
    "CheckViolation": {"side": "X"},
    "CharacterNotInRepertoire": {"venue": "a\0b"},
    "UntranslatableCharacter": {"extra": {"a": "\0"}},
}


@pytest.mark.parametrize("is_again", [False, True])
@pytest.mark.parametrize("name", REFUSED)
def test_what_postgres_refuses_is_rejected_alone_with_the_reason(
    database: Database, name: str, is_again: bool
) -> None:
    instance = claimed(database)
    if is_again:  # then trades take the way through the temporary table
        instance.write(*trades(1))
        instance.write(*trades(1))
    bad = {3, 4, 9}
    values = [trade_json(number, **(REFUSED[name] if number in bad else {})) for number in range(10)]
    rejected = instance.write(*records(TRADES_TOPIC, values))
    assert {one.at for one in rejected} == bad
    assert all(one.reason.startswith(f"{name}: ") for one in rejected), rejected
    assert instance.letters == rejected
    assert len(ids(database)) == 7
    assert next_offset(database) == 10


def test_a_batch_of_nothing_but_refused_rows_moves_on(database: Database) -> None:
    instance = claimed(database)
    values = [trade_json(number, side="X") for number in range(100)]
    began_s = time.monotonic()
    assert len(instance.write(*records(TRADES_TOPIC, values))) == 100
    assert time.monotonic() - began_s < 20
    assert next_offset(database) == 100


def test_a_key_that_no_index_takes_is_rejected_alone(database: Database) -> None:
    # Longer than an index's entry, and not to be compressed.
    symbol = "".join(chr(0x4E00 + number * 7919 % 20_000) for number in range(3_000))
    rejected = claimed(database).write(*records(TRADES_TOPIC, [trade_json(1), trade_json(2, symbol=symbol)]))
    assert [one.at for one in rejected] == [1]
    assert rejected[0].reason.startswith("ProgramLimitExceeded: ")


def test_other_rows_are_refused_alone_too(database: Database) -> None:
    values = [
        anomaly(1),
        anomaly(2, message="a\0"),
        anomaly(3, features={"a": "\0"}),
        anomaly(4, session="never"),
    ]
    rejected = claimed(database).write(*records(ANOMALIES_TOPIC, values))
    assert [one.at for one in rejected] == [1, 2, 3]
    assert len(ids(database, "anomalies")) == 1


def test_an_anomaly_an_alert_and_a_correction_come_back_as_they_were(database: Database) -> None:
    given = orjson.loads(anomaly(1, revision=2, count=4, events=["halt"], ts_recv="2024-12-02T14:30:02Z"))
    claimed(database).write(
        kafka_record(ANOMALIES_TOPIC, value=orjson.dumps(given)),
        kafka_record(CORRECTIONS_TOPIC, value=correction()),
        kafka_record(ALERTS_TOPIC, value=alert()),
    )
    (row,) = database.rows("SELECT * FROM anomalies")
    same = (
        "trade_id symbol price size score severity message detections features contributions revision count"
    )
    for name in (*same.split(), "events"):
        assert row[name] == given[name], name
    assert row["labels"] == given["anomalies"]
    assert row["rest"] == {name: given[name] for name in ("sequence", "model", "ts_recv")}
    (row,) = database.rows("SELECT * FROM corrections")
    assert row["original"] == {"number": 7, "price": 137.97}
    (row,) = database.rows("SELECT * FROM alerts")
    assert row["rest"]["worst"] == orjson.loads(alert())["worst"]


def test_an_anomaly_changes_only_to_a_higher_revision(database: Database) -> None:
    instance = claimed(database)
    versions = [anomaly(1, revision=number, message=f"revision {number}") for number in (1, 2, 3)]
    instance.write(*records(ANOMALIES_TOPIC, versions))
    # One that was put back from the dead letters is later, and yet an older version.
    instance.write(*records(ANOMALIES_TOPIC, [anomaly(1, revision=2, message="put back")], 3))
    (row,) = database.rows("SELECT revision, message FROM anomalies")
    assert (row["revision"], row["message"]) == (3, "revision 3")


def test_after_a_reset_the_later_message_wins(database: Database) -> None:
    instance = claimed(database)
    judged_again: list[tuple[str, bytes | None]] = [("judged_again", b"1")]
    old = [anomaly(1, revision=number, message="before") for number in (1, 2)]
    instance.write(*records(ANOMALIES_TOPIC, old))
    new = anomaly(1, revision=1, message="after")
    instance.write(kafka_record(ANOMALIES_TOPIC, 0, 5, value=new, headers=judged_again))
    assert database.rows("SELECT message FROM anomalies") == [{"message": "after"}]
    instance.write(*records(ANOMALIES_TOPIC, old))  # the topic is read once more
    assert database.rows("SELECT message FROM anomalies") == [{"message": "after"}]


def gone(number: int, offset: int) -> Record:
    fields = orjson.loads(trade_json(number))
    return kafka_record(
        ANOMALIES_TOPIC,
        0,
        offset,
        headers=[("trade_id", fields["trade_id"].encode()), ("timestamp", fields["@timestamp"].encode())],
    )


def test_a_retraction_removes_the_anomaly_unless_it_came_again_later(database: Database) -> None:
    instance = claimed(database)
    instance.write(*records(ANOMALIES_TOPIC, [anomaly(1), anomaly(2), anomaly(3)]))
    instance.write(
        gone(1, 3), gone(2, 4), kafka_record(ANOMALIES_TOPIC, 0, 5, value=anomaly(2, message="again"))
    )
    found = database.rows("SELECT trade_id, message FROM anomalies ORDER BY time")
    assert [row["message"] for row in found] == ["again", "NVDA: many prints"]
    instance.write(gone(2, 4))  # the topic is read once more
    assert len(ids(database, "anomalies")) == 2
    instance.write(gone(99, 6))  # there was none
    assert next_offset(database, ANOMALIES_TOPIC) == 7


def test_rows_of_a_dropped_day_are_rejected_and_the_others_stored(database: Database) -> None:
    instance = claimed(database)
    instance.write(*trades(3))
    database.rows("UPDATE partitions SET created_at = now() - interval '31 days'")
    assert drop_expired_days(database.connection(), "test") == ["trades_20241202"]
    later = trade_json(9, **{"@timestamp": "2024-12-03T14:30:00Z"})
    # The writer believes that it has the day; its next try is told.
    rejected = instance.write(*records(TRADES_TOPIC, [trade_json(5), later], 3))
    assert [one.at for one in rejected] == [0]
    assert rejected[0].reason.startswith("the day was dropped: trades of 2024-12-02 were dropped on ")
    assert len(ids(database)) == 1
    assert next_offset(database) == 5


def test_a_late_instance_cannot_store_anything(database: Database) -> None:
    late, new = claimed(database, "late"), Instance(database, "new")
    late.write(*trades(5))
    assert new.claim()[TRADES_TOPIC, 0] == 5
    asked: list[bool] = []

    def is_wanted() -> bool:
        asked.append(True)
        return len(asked) < 2  # it hears of the rebalance after the first try

    assert late.write(*trades(5, 5), is_wanted=is_wanted) == []
    assert len(ids(database)) == 5
    assert new.write(*trades(5, 5)) == []
    assert len(ids(database)) == 10


def test_an_earlier_claim_of_the_same_process_cannot_store_anything_either(database: Database) -> None:
    instance = claimed(database)
    owner = instance.writer.owner
    instance.claim()
    instance.writer.owner = owner
    asked = iter([True, False])
    assert instance.write(*trades(5), is_wanted=lambda: next(asked)) == []
    assert ids(database) == []


def test_a_process_that_stands_still_among_its_rows_holds_up_nobody(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    late, new = claimed(database, "late"), Instance(database, "new")
    late.write(*trades(1))
    stands, go_on = threading.Event(), threading.Event()
    copy = Copier._copy

    def standing(self: Copier, *arguments: Any) -> None:
        copy(self, *arguments)  # the rows are there, and their keys locked
        if threading.current_thread() is thread:
            stands.set()
            assert go_on.wait(SOON_S)

    monkeypatch.setattr(Copier, "_copy", standing)
    asked = iter([True, False, False])
    thread = threading.Thread(target=lambda: late.write(*trades(5, 1), is_wanted=lambda: next(asked)))
    thread.start()
    assert stands.wait(SOON_S)
    began_s = time.monotonic()
    new.claim()
    assert new.write(*trades(5, 1)) == []
    assert time.monotonic() - began_s < 3, "the late one's session is ended, not waited for"
    go_on.set()
    ended(thread)
    assert len(ids(database)) == 6


def test_a_stored_batch_whose_answer_was_lost_is_not_doubled(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    instance = claimed(database)
    real = instance.writer._try

    def losing(*arguments: Any) -> None:
        real(*arguments)
        monkeypatch.setattr(instance.writer, "_try", real)
        raise psycopg.OperationalError("the connection is lost")

    monkeypatch.setattr(instance.writer, "_try", losing)
    assert instance.write(*trades(5)) == []
    assert len(ids(database)) == 5
    assert next_offset(database) == 5


@pytest.fixture
def read_only(database: Database) -> Iterator[Callable[[bool], None]]:
    def switch(is_on: bool) -> None:
        with admin_session(database) as session:
            name = sql.Identifier(database.name)
            value = sql.Literal("on" if is_on else "off")
            session.execute(
                sql.SQL("ALTER DATABASE {} SET default_transaction_read_only = {}").format(name, value)
            )
            session.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )

    yield switch
    switch(False)


def test_a_server_that_is_read_only_is_waited_for(
    database: Database, read_only: Callable[[bool], None], capsys: pytest.CaptureFixture[str]
) -> None:
    instance = claimed(database)
    instance.write(*trades(1))
    read_only(True)
    thread = in_thread(lambda: instance.write(*trades(5, 1)))
    time.sleep(1.0)
    assert thread.is_alive()
    assert "Postgres took no rows for now" in capsys.readouterr().out
    # A session takes the setting at its start, so a superuser has to switch it off for his own first.
    with admin_session(database) as session:
        session.execute("SET default_transaction_read_only = off")
        session.execute(
            sql.SQL("ALTER DATABASE {} SET default_transaction_read_only = off").format(
                sql.Identifier(database.name)
            )
        )
    ended(thread)
    assert len(ids(database)) == 6


def test_too_many_connections_are_waited_for(database: Database) -> None:
    instance = claimed(database)
    with admin_session(database) as session:
        session.execute("ALTER ROLE tapewatch_writer CONNECTION LIMIT 0")
        thread = in_thread(lambda: instance.write(*trades(5)))
        time.sleep(1.0)
        assert thread.is_alive()
        session.execute("ALTER ROLE tapewatch_writer CONNECTION LIMIT -1")
    ended(thread)
    assert len(ids(database)) == 5


def test_a_stop_ends_the_waiting(database: Database) -> None:
    instance = claimed(database)
    with admin_session(database) as session:
        session.execute("ALTER ROLE tapewatch_writer CONNECTION LIMIT 0")
        found: list[BaseException] = []

        def write() -> None:
            try:
                instance.write(*trades(5))
            except StoppedError as error:
                found.append(error)

        thread = in_thread(write)
        time.sleep(0.5)
        instance.stop.request()
        ended(thread)
        session.execute("ALTER ROLE tapewatch_writer CONNECTION LIMIT -1")
    assert len(found) == 1


def test_missing_rights_are_for_a_person(database: Database) -> None:
    instance = claimed(database)
    database.rows("REVOKE INSERT ON trades FROM tapewatch_writer")
    with pytest.raises(TapewatchError, match="permission denied for table trades"):
        instance.write(*trades(1))


def test_topics_of_another_kafka_begin_at_their_beginning(database: Database) -> None:
    claimed(database).write(*trades(10))
    other = Instance(database, "b", topic_ids="2")
    assert other.claim()[TRADES_TOPIC, 0] is None
    assert other.write(*trades(15)) == []
    assert len(ids(database)) == 15


def wanted_once() -> Callable[[], bool]:
    asked = iter([True])
    return lambda: next(asked, False)


OPERATIONS = st.lists(
    st.tuples(st.sampled_from(["write", "write", "claim", "again"]), st.integers(1, 6)), max_size=8
)


@settings(max_examples=5, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(OPERATIONS)
def test_whatever_happens_the_rows_are_those_before_the_offset(
    database: Database, operations: list[tuple[str, int]]
) -> None:
    database.rows("DELETE FROM trades")
    database.rows("DELETE FROM kafka_offsets")
    instances = [Instance(database, "a"), Instance(database, "b")]
    owner = instances[0]
    owner.claim()
    for operation, count in operations:
        if operation == "claim":
            owner = instances[count % 2]
            owner.claim()
        elif operation == "again":  # what the other one had read before it lost its partitions
            late = instances[1 - instances.index(owner)]
            late.write(*trades(count), is_wanted=wanted_once())
        else:
            owner.write(*trades(count, next_offset(database) or 0))
        assert len(ids(database)) == (next_offset(database) or 0)
