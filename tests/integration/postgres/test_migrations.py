"""The schema on a real Postgres: made once, by whom it belongs to, and with no more rights than needed."""

import threading
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest

from infra.embedded.postgres_server import ADMIN, PostgresServer
from infra.postgres.migrations import migrate, read_migrations
from infra.postgres.passwords import set_up_passwords
from infra.setup.postgres import set_up_postgres
from infra.setup.settings import SetupSettings
from services.common.errors import TapewatchError
from services.common.postgres.connection import connection_from
from services.common.postgres.preflight import check_schema
from services.contracts.postgres import OWNER_ROLE, READER_ROLE, WRITER_ROLE
from services.indexer.sinks.postgres.rows import TABLES
from tests.integration.postgres.database import Database, admin_session, empty_database


def test_a_second_setup_changes_nothing(postgres: PostgresServer, tmp_path: Path) -> None:
    database = empty_database(postgres, tmp_path)
    settings = SetupSettings(postgres_secrets_dir=database.secrets, trades_kept_days=7)
    changes = set_up_postgres(database.connection(ADMIN), settings)
    assert f"created schema tapewatch in the database {database.name}" in changes
    assert "ran migration 1 of the schema tapewatch: tables" in changes
    assert "changed how long days of trades are kept (7 days)" in changes
    assert set_up_postgres(database.connection(ADMIN), settings) == []
    (database.secrets / f"{READER_ROLE}.password").write_text("another one")
    assert set_up_postgres(database.connection(ADMIN), settings) == [
        f"set the password of role {READER_ROLE}"
    ]
    (database.secrets / f"{READER_ROLE}.password").write_text("for readers")
    set_up_postgres(database.connection(ADMIN), settings)


def test_a_user_that_owns_the_database_and_may_create_roles_is_enough(
    postgres: PostgresServer, tmp_path: Path
) -> None:
    database = empty_database(postgres, tmp_path)
    with admin_session(database) as session:
        session.execute("ALTER DATABASE tapewatch OWNER TO postgres")
        for role in (WRITER_ROLE, READER_ROLE, OWNER_ROLE, "deputy"):  # roles are the whole server's
            if session.execute("SELECT FROM pg_roles WHERE rolname = %s", [role]).fetchone() is not None:
                session.execute(f"DROP OWNED BY {role}")
                session.execute(f"DROP ROLE {role}")
        session.execute("CREATE ROLE deputy LOGIN CREATEROLE PASSWORD 'of the deputy'")
        session.execute("ALTER DATABASE tapewatch OWNER TO deputy")
    try:
        deputy = connection_from(database.url("deputy"), "TAPEWATCH_POSTGRES_ADMIN", "of the deputy", None)
        settings = SetupSettings(postgres_secrets_dir=database.secrets, trades_kept_days=7)
        assert "ran migration 1 of the schema tapewatch: tables" in set_up_postgres(deputy, settings)
        # Only a superuser sees that the passwords are these already.
        assert set_up_postgres(deputy, settings) == [
            f"set the password of role {role}" for role in (WRITER_ROLE, READER_ROLE)
        ]
        assert database.rows("SELECT FROM trades", user=READER_ROLE) == []
    finally:
        with admin_session(database) as session:
            session.execute("ALTER DATABASE tapewatch OWNER TO postgres")


def test_setups_at_the_same_time_wait_for_each_other(postgres: PostgresServer, tmp_path: Path) -> None:
    database = empty_database(postgres, tmp_path)
    found: list[list[str]] = []

    def run() -> None:
        with admin_session(database) as session:
            found.append(migrate(session, read_migrations()))

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum("ran migration 1" in line for changes in found for line in changes) == 1
    assert len(found) == 4


def test_a_migration_that_has_changed_since_it_ran_is_refused(database: Database) -> None:
    changed = [replace(one, statements=one.statements + " ") for one in read_migrations()]
    with admin_session(database) as session, pytest.raises(TapewatchError, match="in another form"):
        migrate(session, changed)


def test_a_migration_that_fails_leaves_nothing(postgres: PostgresServer, tmp_path: Path) -> None:
    database = empty_database(postgres, tmp_path)
    broken = [replace(one, statements=one.statements + "SELECT 1/0;") for one in read_migrations()]
    with admin_session(database) as session, pytest.raises(psycopg.errors.DivisionByZero):
        migrate(session, broken)
    assert database.rows("SELECT FROM pg_namespace WHERE nspname = 'tapewatch'") == []


def test_a_schema_that_is_missing_or_old_is_told_with_its_fix(
    postgres: PostgresServer, tmp_path: Path
) -> None:
    database = empty_database(postgres, tmp_path)
    with admin_session(database) as session, pytest.raises(TapewatchError, match="has no schema"):
        check_schema(session, "Postgres")
    with admin_session(database) as session:
        migrate(session, [])
    with admin_session(database) as session, pytest.raises(TapewatchError, match="is at migration 0, and 1"):
        check_schema(session, "Postgres")


def test_every_column_of_a_row_is_in_its_table_and_nothing_else_is(database: Database) -> None:
    for table in TABLES.values():
        found = database.rows(
            "SELECT attname FROM pg_attribute WHERE attrelid = %s::regclass AND attnum > 0",
            f"tapewatch.{table.name}",
        )
        assert {row["attname"] for row in found} == set(table.columns)
        assert len(set(table.columns)) == len(table.columns)


def test_everything_belongs_to_a_role_that_nobody_logs_in_as(database: Database) -> None:
    owners = database.rows(
        "SELECT DISTINCT pg_get_userbyid(relowner) AS owner FROM pg_class"
        " WHERE relnamespace = 'tapewatch'::regnamespace"
    )
    assert [row["owner"] for row in owners] == [OWNER_ROLE]
    (role,) = database.rows("SELECT * FROM pg_roles WHERE rolname = %s", OWNER_ROLE)
    assert not any(role[name] for name in ("rolcanlogin", "rolsuper", "rolcreaterole", "rolcreatedb"))


@pytest.mark.parametrize(
    ("role", "statement"),
    [
        (READER_ROLE, "INSERT INTO retention VALUES ('trades', 1)"),
        (READER_ROLE, "DELETE FROM anomalies"),
        (READER_ROLE, "UPDATE kafka_offsets SET next_offset = 0"),
        (READER_ROLE, "SELECT ensure_day('trades', '2024-12-02')"),
        (READER_ROLE, "SELECT drop_expired_day()"),
        (READER_ROLE, "CREATE TABLE mine (a int)"),
        (WRITER_ROLE, "DELETE FROM trades"),
        (WRITER_ROLE, "UPDATE trades SET price = 0"),
        (WRITER_ROLE, "TRUNCATE alerts"),
        (WRITER_ROLE, "DROP TABLE trades"),
        (WRITER_ROLE, "CREATE TABLE mine (a int)"),
        (WRITER_ROLE, "UPDATE retention SET kept_days = 1"),
        (WRITER_ROLE, "DELETE FROM dropped_days"),
        (WRITER_ROLE, "UPDATE partitions SET created_at = now() - interval '1 year'"),
        (WRITER_ROLE, "DELETE FROM kafka_offsets"),
    ],
)
def test_a_role_may_do_no_more_than_it_needs(database: Database, role: str, statement: str) -> None:
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        database.rows(statement, user=role)


def test_readers_read_the_tables_under_their_plain_names(database: Database) -> None:
    with database.connection(READER_ROLE).connect("test") as session:
        for table in TABLES.values():
            assert session.execute(f"SELECT * FROM {table.name}").fetchall() == []  # noqa: S608


def test_the_server_never_hears_a_password_in_clear(database: Database) -> None:
    with admin_session(database) as session:
        session.execute("ALTER ROLE tapewatch_reader PASSWORD 'other'")
        heard = []
        session.add_notice_handler(lambda one: heard.append(one.message_primary or ""))
        session.execute("SET client_min_messages = log")
        session.execute("SET log_statement = 'all'")
        assert set_up_passwords(session, database.secrets) == ["set the password of role tapewatch_reader"]
    statements = [line for line in heard if "ALTER ROLE" in line]
    assert statements
    assert not any("for readers" in line for line in statements)


def test_only_tables_with_partitions_get_one(database: Database) -> None:
    with pytest.raises(psycopg.errors.UndefinedTable, match="no table migrations has partitions"):
        database.rows("SELECT ensure_day('migrations', '2024-12-02')", user=WRITER_ROLE)


def test_a_day_gets_its_partition_while_somebody_reads_the_table(database: Database) -> None:
    with database.connection(READER_ROLE).connect("test") as reader, reader.transaction():
        reader.execute("SELECT count(*) FROM trades")
        database.rows("SELECT ensure_day('trades', '2024-12-02')", user=WRITER_ROLE)
    (row,) = database.rows("SELECT * FROM partitions")
    assert (row["table_name"], str(row["day"])) == ("trades", "2024-12-02")
    indexes = database.rows("SELECT indexdef FROM pg_indexes WHERE tablename = 'trades_20241202'")
    assert sorted(row["indexdef"].partition(" USING ")[2] for row in indexes) == [
        'brin ("time")',
        "btree (day, trade_id)",
        'btree (symbol, "time")',
    ]
