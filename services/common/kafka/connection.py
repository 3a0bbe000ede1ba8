"""How to reach Kafka: its addresses, TLS and a login, as the settings say; every client is made from this."""

import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import SecretStr

from services.common.config.secret_files import read_secret
from services.common.config.settings import Settings
from services.common.errors import TapewatchError

DEFAULT_MECHANISM = "SCRAM-SHA-512"
DEFAULT_PORT = 9092
_PREFIX = "TAPEWATCH_KAFKA"


@dataclass(frozen=True)
class Tls:
    """What a connection needs to be encrypted.

    Attributes
    ----------
    ca
        CA certificates (PEM) that signed the brokers' certificates; None for those that the machine trusts.
    certificate, key
        The client's own certificate and its private key (PEM), for brokers that ask for one.
    key_password
        Decrypts the key.
    """

    ca: Path | None = None
    certificate: Path | None = None
    key: Path | None = None
    key_password: SecretStr | None = None

    def context(self) -> ssl.SSLContext:
        """Return the same as Python's `ssl` takes it.

        Raises
        ------
        TapewatchError
            A file cannot be read or is not what it should be.
        """
        try:
            context = ssl.create_default_context(cafile=self.ca)
        except OSError as error:  # an SSLError is one, too
            raise TapewatchError(
                f"The certificates in {self.ca} cannot be read: {error.strerror or error}.",
                f"Set {_PREFIX}_CA to a file of certificates in PEM form.",
            ) from error
        if self.certificate is not None:
            # Without a password, OpenSSL would ask for it on the terminal.
            password = self.key_password.get_secret_value() if self.key_password else ""
            try:
                context.load_cert_chain(self.certificate, self.key, lambda: password)
            except (OSError, ValueError) as error:
                reason = getattr(error, "reason", None) or getattr(error, "strerror", None) or error
                raise TapewatchError(
                    f"The client certificate {self.certificate} cannot be used with the key {self.key}: "
                    f"{reason}.",
                    f"Set {_PREFIX}_CERTIFICATE and {_PREFIX}_KEY to files in PEM form that belong together, "
                    f"and {_PREFIX}_KEY_PASSWORD_FILE if the key is encrypted.",
                ) from None
        return context


@dataclass(frozen=True)
class Login:
    """A user of Kafka, by SASL.

    Attributes
    ----------
    mechanism
        PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512.
    user, password
        The user's name and password.
    """

    mechanism: str
    user: str
    password: SecretStr


@dataclass(frozen=True)
class KafkaConnection:
    """Where a cluster is, and how its clients connect; as text, its addresses alone.

    Attributes
    ----------
    servers
        Bootstrap servers, `host:port[,host:port…]`.
    tls
        None for connections that are not encrypted.
    login
        None for brokers that ask for none.
    """

    servers: str
    tls: Tls | None = None
    login: Login | None = None

    def __str__(self) -> str:
        return self.servers

    @property
    def protection(self) -> str:
        """How connections are protected, in a few words."""
        login = f"login as {self.login.user} ({self.login.mechanism})" if self.login else "no login"
        return f"{'TLS' if self.tls else 'no TLS'}, {login}"

    def addresses(self) -> list[tuple[str, int]]:
        """Return host and port of each bootstrap server."""
        return [_address(server.strip()) for server in self.servers.split(",") if server.strip()]

    def client_settings(self) -> dict[str, str]:
        """Return librdkafka's settings for this connection; they contain the password."""
        layers = ["SASL" if self.login else "", "SSL" if self.tls else "PLAINTEXT"]
        settings = {
            "bootstrap.servers": self.servers,
            "security.protocol": "_".join(layer for layer in layers if layer),
        }
        if self.tls is not None:
            key_password = self.tls.key_password.get_secret_value() if self.tls.key_password else None
            given = {
                "ssl.ca.location": self.tls.ca,
                "ssl.certificate.location": self.tls.certificate,
                "ssl.key.location": self.tls.key,
                "ssl.key.password": key_password,
            }
            settings |= {name: str(value) for name, value in given.items() if value is not None}
        if self.login is not None:
            settings |= {
                "sasl.mechanism": self.login.mechanism,
                "sasl.username": self.login.user,
                "sasl.password": self.login.password.get_secret_value(),
            }
        return settings


def kafka_connection(settings: Settings) -> KafkaConnection:
    """Return the connection that the settings describe.

    Raises
    ------
    TapewatchError
        The settings contradict each other, or a file cannot be read; no secret is shown.
    """
    _check_servers(settings.kafka)
    return KafkaConnection(settings.kafka, _tls(settings), _login(settings))


def _check_servers(servers: str) -> None:
    if "@" in servers:
        # Logs and errors show the addresses, so this one must not get there.
        raise TapewatchError(
            f"{_PREFIX} contains a user or password, which logs would show.",
            f"Remove them, and set {_PREFIX}_USER and {_PREFIX}_PASSWORD_FILE.",
        )
    if "://" in servers:
        raise TapewatchError(
            f"{_PREFIX} is {servers!r}: it has a protocol before the host.",
            f"Set {_PREFIX} to host:port, and {_PREFIX}_TLS and {_PREFIX}_USER for TLS and a login.",
        )


def _tls(settings: Settings) -> Tls | None:
    given = {
        "CA": settings.kafka_ca,
        "CERTIFICATE": settings.kafka_certificate,
        "KEY": settings.kafka_key,
        "KEY_PASSWORD_FILE": settings.kafka_key_password_file,
    }
    if not settings.kafka_tls:
        for name, value in given.items():
            if value is not None:
                raise TapewatchError(
                    f"{_PREFIX}_{name} is set, but {_PREFIX}_TLS is not on.",
                    f"Set {_PREFIX}_TLS=true, or unset {_PREFIX}_{name}.",
                )
        return None
    _require(given, "CERTIFICATE", "KEY")
    _require(given, "KEY", "CERTIFICATE")
    _require(given, "KEY_PASSWORD_FILE", "KEY")
    password = _secret(settings.kafka_key_password_file, "KEY_PASSWORD_FILE")
    tls = Tls(settings.kafka_ca, settings.kafka_certificate, settings.kafka_key, password)
    tls.context()  # a wrong file is named at the start
    return tls


def _login(settings: Settings) -> Login | None:
    given = {
        "USER": settings.kafka_user,
        "PASSWORD_FILE": settings.kafka_password_file,
        "MECHANISM": settings.kafka_mechanism,
    }
    _require(given, "USER", "PASSWORD_FILE")
    _require(given, "PASSWORD_FILE", "USER")
    _require(given, "MECHANISM", "USER")
    password = _secret(settings.kafka_password_file, "PASSWORD_FILE")
    if settings.kafka_user is None or password is None:
        return None
    return Login(settings.kafka_mechanism or DEFAULT_MECHANISM, settings.kafka_user, password)


def _require(given: Mapping[str, object], name: str, needed: str) -> None:
    if given[name] is not None and given.get(needed) is None:
        raise TapewatchError(
            f"{_PREFIX}_{name} is set, but {_PREFIX}_{needed} is not.",
            f"Set {_PREFIX}_{needed} too, or unset {_PREFIX}_{name}.",
        )


def _secret(path: Path | None, name: str) -> SecretStr | None:
    return None if path is None else SecretStr(read_secret(path, f"{_PREFIX}_{name}"))


def _address(server: str) -> tuple[str, int]:
    host, colon, port = server.rpartition(":")
    if not colon or not port.isdigit():
        return server.strip("[]"), DEFAULT_PORT
    return host.strip("[]"), int(port)
