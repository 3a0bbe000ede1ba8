"""The servers of a run: Kafka and Elasticsearch, and Postgres where its sink runs."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from infra.embedded.postgres_server import PostgresServer, running_postgres
from infra.embedded.server import Server
from infra.embedded.stack import EmbeddedStack
from services.common.postgres.connection import PostgresConnection, connection_from
from services.contracts.postgres import READER_ROLE, WRITER_ROLE
from tests.chaos.schedule import Victim
from tests.integration.pipeline import tapewatch


@dataclass(frozen=True)
class Stores:
    """What the pipeline of a run works on.

    Parameters
    ----------
    stack
        Kafka and Elasticsearch.
    sinks
        Those whose indexers run.
    postgres
        Set up; None without its sink.
    env
        Further variables of the services.
    """

    stack: EmbeddedStack
    sinks: Sequence[str] = ("elasticsearch",)
    postgres: PostgresServer | None = None
    env: Mapping[str, str] = field(default_factory=dict)

    @property
    def database(self) -> PostgresConnection:
        """How a superuser reaches the tables, where Postgres is."""
        assert self.postgres is not None
        password = self.postgres.password_file.read_text()
        return connection_from(self.postgres.admin_url, "TAPEWATCH_POSTGRES_ADMIN", password, None)

    @property
    def servers(self) -> dict[Victim, Server]:
        """The servers that may be struck."""
        found: dict[Victim, Server] = {
            Victim.KAFKA: self.stack.kafka,
            Victim.ELASTICSEARCH: self.stack.elasticsearch,
        }
        if self.postgres is not None:
            found[Victim.POSTGRES] = self.postgres
        return found


@contextmanager
def set_up_stores(stack: EmbeddedStack, sinks: Sequence[str], folder: Path) -> Iterator[Stores]:
    """Set a running stack up, with a Postgres beside it if its sink runs.

    Parameters
    ----------
    stack
        Running.
    sinks
        Those whose indexers will run.
    folder
        Gets the passwords.
    """
    if "postgres" not in sinks:
        tapewatch(stack, "setup")
        yield Stores(stack, sinks)
        return
    secrets = folder / "secrets"
    secrets.mkdir()
    for role in (WRITER_ROLE, READER_ROLE):
        (secrets / f"{role}.password").write_text(f"{role} in a run")
    with running_postgres() as postgres:
        admin = {
            "TAPEWATCH_POSTGRES_ADMIN": postgres.admin_url,
            "TAPEWATCH_POSTGRES_ADMIN_PASSWORD_FILE": str(postgres.password_file),
            "TAPEWATCH_POSTGRES_SECRETS_DIR": str(secrets),
        }
        tapewatch(stack, "setup", env=admin)
        env = {
            "TAPEWATCH_POSTGRES": postgres.url(WRITER_ROLE),
            "TAPEWATCH_POSTGRES_PASSWORD_FILE": str(secrets / f"{WRITER_ROLE}.password"),
        }
        yield Stores(stack, sinks, postgres, env)
