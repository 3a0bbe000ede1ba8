"""What only `tapewatch setup` needs to know."""

from pathlib import Path
from typing import Annotated

from pydantic import Field, SecretStr

from services.common.config.secret_files import given_secret
from services.common.config.settings import Settings
from services.common.config.urls import HttpUrl
from services.common.errors import TapewatchError
from services.common.postgres.settings import PostgresTrust
from services.contracts.topics import DEFAULT_PARTITIONS


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

    partitions: Annotated[int, Field(ge=1, le=512)] = DEFAULT_PARTITIONS
    """Partitions of topics that `setup` creates; further detectors or indexers are standbys."""

    trades_kept_days: Annotated[int, Field(ge=1)] = 30
    """How long an index of trades, or a day of them in Postgres, is kept, from its creation."""

    anomalies_kept_days: Annotated[int, Field(ge=1)] = 365
    """How long an index of anomalies, or a day of them in Postgres, is kept, from its creation."""

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
