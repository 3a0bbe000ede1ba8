"""What only `tapewatch setup` needs to know."""

from pathlib import Path
from typing import Annotated

from pydantic import Field, SecretStr

from infra.setup.shards import ShardLayout
from infra.setup.topic_layout import TopicLayout
from services.common.config.secret_files import given_secret
from services.common.config.settings import Settings
from services.common.config.urls import HttpUrl
from services.common.errors import TapewatchError
from services.common.postgres.settings import PostgresTrust


class SetupSettings(Settings, PostgresTrust):
    """Each can be set as `TAPEWATCH_<NAME>`; an empty variable counts as one that is not set.

    Raises
    ------
    TapewatchError
        A value is invalid.
    """

    kibana: HttpUrl | None = None
    """URL of Kibana, with a path (a space, a proxy's) where needed; `setup` brings its objects there."""

    kibana_user: str | None = None
    """Who logs in there, with a password; None where Kibana asks for nobody."""

    kibana_password: SecretStr | None = None
    kibana_password_file: Path | None = None
    """File with the password; safer than a variable."""

    dashboard_url: HttpUrl | None = None
    """URL of Tapewatch's dashboard as readers of Kibana reach it; None for objects without links to it."""

    secrets_dir: Path | None = None
    """Folder of `USER.password` files; `setup` gives Tapewatch's users these passwords."""

    kafka_secrets_dir: Path | None = None
    """The same for Kafka's users, where the broker asks for a login."""

    postgres_admin: str | None = None
    """URL of the database to set up and the user who may, without a password; None to leave Postgres out."""

    postgres_admin_password: SecretStr | None = None
    postgres_admin_password_file: Path | None = None
    """File with that user's password; safer than a variable."""

    postgres_secrets_dir: Path | None = None
    """Folder of `ROLE.password` files for the roles that the sink and readers log in with."""

    partitions: Annotated[int, Field(ge=1, le=512)] | None = None
    """Partitions of topics that `setup` creates, 6 if nothing is said; further detectors or indexers are
    standbys."""

    replication: Annotated[int, Field(ge=1, le=9)] | None = None
    """Replicas of each partition; None: what the brokers are set to."""

    min_insync_replicas: Annotated[int, Field(ge=1, le=9)] | None = None
    """Replicas that must have a message before it counts as written; None: what the brokers are set to."""

    shards: Annotated[int, Field(ge=1, le=1024)] | None = None
    """Primary shards of each new index of trades; None: one."""

    replicas: Annotated[int, Field(ge=0, le=9)] | None = None
    """Replicas of each shard of every index; None: one where there is a second node."""

    trades_kept_days: Annotated[int, Field(ge=1)] = 30
    """How long an index of trades, or a day of them in Postgres, is kept, from its creation."""

    anomalies_kept_days: Annotated[int, Field(ge=1)] = 365
    """How long an index of anomalies, or a day of them in Postgres, is kept, from its creation."""

    def topic_layout(self) -> TopicLayout:
        """Return how topics are to be spread over brokers."""
        return TopicLayout(self.partitions, self.replication, self.min_insync_replicas)

    def shard_layout(self) -> ShardLayout:
        """Return how indices are to be spread over nodes."""
        return ShardLayout(self.shards, self.replicas)

    def kibana_login(self) -> tuple[str, str] | None:
        """Return user and password for Kibana; None if neither is set.

        Raises
        ------
        TapewatchError
            Only one of them is set, or the file cannot be read.
        """
        password = given_secret(self.kibana_password, self.kibana_password_file, "TAPEWATCH_KIBANA_PASSWORD")
        if self.kibana_user is not None and password is not None:
            return self.kibana_user, password
        if self.kibana_user is None and password is None:
            return None
        missing = "PASSWORD_FILE" if password is None else "USER"
        raise TapewatchError(
            f"Only one of user and password for Kibana is set: TAPEWATCH_KIBANA_{missing} is missing.",
            "Set both, or neither.",
        )
