"""The demo's Postgres without the rest of the demo."""

import socket
import subprocess
from pathlib import Path

import pytest

from infra.demo.storage import TABLES, open_storage
from infra.embedded.ports import free_port
from infra.setup.postgres import set_up_when_ready
from infra.setup.settings import SetupSettings
from services.common.config.secret_files import read_secret
from services.common.errors import TapewatchError
from services.common.postgres.connection import connection_from
from tests.stops import AskedFor


def test_setup_writer_and_reader_get_in_and_it_is_gone_afterwards(tmp_path: Path) -> None:
    (tmp_path / "pgpass").write_text("of a demo that was killed")
    with open_storage(free_port(), tmp_path) as storage:
        assert set_up_when_ready(SetupSettings(**storage.setup_settings), AskedFor())
        variables = storage.sink_variables
        password = read_secret(Path(variables["TAPEWATCH_POSTGRES_PASSWORD_FILE"]), "")
        writer = connection_from(variables["TAPEWATCH_POSTGRES"], "", password, None)
        with writer.connect("test") as session:
            session.execute("SELECT tapewatch.ensure_day('trades', '2024-12-02')")
            session.execute(
                "INSERT INTO tapewatch.kafka_offsets (topic, topic_id, partition, next_offset, owner)"
                " VALUES ('trades', 'x', 0, 1, 'me')"
            )
        assert storage.rows() == dict.fromkeys(TABLES, 0)
        asked = subprocess.run(
            ["/bin/sh", "-c", storage.psql_line()], cwd="/", capture_output=True, text=True, check=False
        )
        assert asked.returncode == 0, asked.stderr
        assert "(0 rows)" in asked.stdout
        storage.check()
        folder = storage.setup_settings["postgres_admin_password_file"].parent
    assert not folder.exists()
    assert not (tmp_path / "pgpass").exists()


def test_a_port_that_is_taken_is_named_with_the_option_that_chooses_another(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(TapewatchError, match="Postgres") as refused:
            open_storage(taken.getsockname()[1], tmp_path).__enter__()
    assert "--postgres-port" in refused.value.hint
