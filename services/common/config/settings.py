"""Where the services find each other: `TAPEWATCH_*` variables over defaults that fit the embedded stack."""

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from services.common.errors import TapewatchError

_PREFIX = "TAPEWATCH_"


class EnvironmentSettings(BaseSettings):
    """Settings that can each be given as `TAPEWATCH_<NAME>`; an empty variable counts as not set.

    Raises
    ------
    TapewatchError
        A value is invalid.
    """

    model_config = SettingsConfigDict(env_prefix=_PREFIX, env_ignore_empty=True)

    def __init__(self, **given: Any) -> None:
        try:
            super().__init__(**given)
        except ValidationError as error:
            wrong = error.errors()[0]
            name = f"{_PREFIX}{wrong['loc'][0]}".upper()
            if wrong["type"] == "value_error":
                # A check of ours: about an address, which may have a password in it.
                cause = f"{name} cannot be used: {wrong['ctx']['error']}."
            else:
                cause = f"{name} is {wrong['input']!r}: {wrong['msg']}."  # only a number fails so
            # Without the original error, whose text has the value.
            raise TapewatchError(cause, f"Set {name} to a valid value, or unset it.") from None


class Settings(EnvironmentSettings):
    """The settings that all parts share; each can be set as `TAPEWATCH_<NAME>`, some also by a flag.

    Settings that only one part needs are in a subclass next to that part.

    Raises
    ------
    TapewatchError
        A value is invalid.
    """

    kafka: str = "127.0.0.1:19092"
    """Bootstrap servers, `host:port[,host:port…]`; `kafka_connection` checks this and what follows."""

    kafka_tls: bool = False
    """Whether connections are encrypted, and the brokers' certificates checked."""

    kafka_ca: Path | None = None
    """CA certificates (PEM) that signed the brokers' certificates; None for those that the machine trusts."""

    kafka_certificate: Path | None = None
    """The client's own certificate (PEM), for brokers that ask for one."""

    kafka_key: Path | None = None
    """The private key (PEM) of that certificate."""

    kafka_key_password_file: Path | None = None
    """File with the password of an encrypted key."""

    kafka_user: str | None = None
    """The user to log in as; None if the brokers ask for none."""

    kafka_password_file: Path | None = None
    """File with that user's password."""

    kafka_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] | None = None
    """The SASL mechanism; None for SCRAM-SHA-512."""

    elasticsearch: str = "http://127.0.0.1:9200"
    """URL of the cluster, or of several of its nodes, `URL[,URL…]`; `new_client` checks it."""

    elasticsearch_user: str | None = None
    """The user to log in as; None if the cluster has security disabled, or with an API key."""

    elasticsearch_password: SecretStr | None = None
    elasticsearch_password_file: Path | None = None
    """File with the password; safer than a variable."""

    elasticsearch_api_key: SecretStr | None = None
    """The API key as the cluster encodes it; replaces user and password."""

    elasticsearch_api_key_file: Path | None = None

    elasticsearch_ca: Path | None = None
    """CA certificates (PEM) that signed the cluster's certificate; None for those that the machine trusts."""

    instance: str | None = None
    """Name of this instance of a service; None: `claim_instance` finds one."""

    metrics_host: str = "127.0.0.1"
    """Address that `/metrics` and the health checks are served on."""

    metrics_port: Annotated[int, Field(ge=0, le=65535)] | None = None
    """Port of the metrics; 0: any free one; None: the service's usual one, or the next free one."""
