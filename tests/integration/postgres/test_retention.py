"""Days are dropped when they have been kept for long enough since they were created, whatever their date."""

from services.contracts.postgres import WRITER_ROLE
from services.indexer.sinks.postgres.retention import drop_expired_days
from tests.integration.postgres.database import Database


def dropped(database: Database) -> list[str]:
    return drop_expired_days(database.connection(), "test")


def made(database: Database, table: str, day: str, days_ago: int) -> None:
    database.rows("SELECT ensure_day(%s, %s::date)", table, day, user=WRITER_ROLE)
    database.rows(
        "UPDATE partitions SET created_at = now() - make_interval(days => %s)"
        " WHERE table_name = %s AND day = %s",
        days_ago,
        table,
        day,
    )


def test_a_day_goes_by_the_age_of_its_partition(database: Database) -> None:
    made(database, "trades", "1999-12-31", 29)  # an old day that was published lately
    made(database, "trades", "2024-12-02", 31)
    made(database, "trades", "2024-12-03", 40)
    made(database, "anomalies", "2024-12-02", 40)
    assert dropped(database) == ["trades_20241203", "trades_20241202"]
    assert dropped(database) == []
    left = database.rows("SELECT table_name, day::text FROM partitions ORDER BY 1, 2")
    assert [tuple(row.values()) for row in left] == [("anomalies", "2024-12-02"), ("trades", "1999-12-31")]
    gone = database.rows("SELECT day::text FROM dropped_days ORDER BY 1")
    assert [row["day"] for row in gone] == ["2024-12-02", "2024-12-03"]
    assert database.rows("SELECT to_regclass('tapewatch.trades_20241202') AS found")[0]["found"] is None


def test_a_dropped_day_is_not_made_again(database: Database) -> None:
    made(database, "trades", "2024-12-02", 31)
    dropped(database)
    (row,) = database.rows("SELECT ensure_day('trades', '2024-12-02') AS gone_at", user=WRITER_ROLE)
    assert row["gone_at"] is not None
    assert database.rows("SELECT FROM partitions") == []


def test_a_day_that_was_dropped_by_hand_counts_as_dropped(database: Database) -> None:
    made(database, "trades", "2024-12-02", 0)
    database.rows("DROP TABLE trades_20241202")
    for _ in range(2):
        (row,) = database.rows("SELECT ensure_day('trades', '2024-12-02') AS gone_at", user=WRITER_ROLE)
        assert row["gone_at"] is not None


def test_a_day_that_somebody_reads_is_left_to_the_next_time(database: Database) -> None:
    made(database, "trades", "2024-12-02", 31)
    with database.connection().connect("test") as reader, reader.transaction():
        reader.execute("SELECT count(*) FROM tapewatch.trades")
        assert dropped(database) == []
    assert dropped(database) == ["trades_20241202"]
