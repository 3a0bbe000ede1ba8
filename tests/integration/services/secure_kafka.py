"""Ports of the embedded Kafka with TLS and logins, and the settings that lead a client to them."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from confluent_kafka.admin import (
    ScramCredentialInfo,
    ScramMechanism,
    UserScramCredentialUpsertion,
)

from infra.embedded.kafka_server import Listener
from infra.embedded.ports import LOOPBACK, free_port
from services.common.kafka.clients import new_admin
from services.common.kafka.connection import KafkaConnection
from tests.certificates import Authority

USER = "tapewatch"
PASSWORD = "never-to-be-shown"

_SCRAM_LOGIN = "org.apache.kafka.common.security.scram.ScramLoginModule required;"
SCRAM = {
    "sasl.enabled.mechanisms": "SCRAM-SHA-256,SCRAM-SHA-512",
    "scram-sha-256.sasl.jaas.config": _SCRAM_LOGIN,
    "scram-sha-512.sasl.jaas.config": _SCRAM_LOGIN,
}
"""Settings of a listener that takes both."""

_PLAIN = "org.apache.kafka.common.security.plain.PlainLoginModule required"


@dataclass(frozen=True)
class SecurePorts:
    """Listeners by kind, with the files of their certificates.

    Attributes
    ----------
    folder
        Folder for certificates and secrets.
    listeners
        `TLS`, `MUTUAL` (asks for a client certificate), `SCRAM` (with TLS) and `PLAIN` (without).
    """

    folder: Path
    listeners: tuple[Listener, ...]

    @classmethod
    def make(cls, folder: Path) -> "SecurePorts":
        """Make certificates and choose ports."""
        authority = Authority(folder / "tls")
        server = authority.issue("server")
        authority.issue("client")
        authority.issue("locked", password=PASSWORD)
        Authority(folder / "other").issue("client")
        (folder / "password").write_text(f"{PASSWORD}\n")
        (folder / "wrong").write_text("not-it\n")
        tls = {"ssl.keystore.type": "PEM", "ssl.keystore.location": str(server.both)}
        mutual = {
            "ssl.client.auth": "required",
            "ssl.truststore.type": "PEM",
            "ssl.truststore.location": str(authority.ca),
        }
        plain = {
            "sasl.enabled.mechanisms": "PLAIN",
            "plain.sasl.jaas.config": f'{_PLAIN} user_{USER}="{PASSWORD}";',
        }
        return cls(
            folder,
            (
                Listener("TLS", free_port(), "SSL", tls),
                Listener("MUTUAL", free_port(), "SSL", tls | mutual),
                Listener("SCRAM", free_port(), "SASL_SSL", tls | SCRAM),
                Listener("PLAIN", free_port(), "SASL_PLAINTEXT", plain),
            ),
        )

    def settings(self, kind: str, host: str = LOOPBACK, **changed: Any) -> dict[str, Any]:
        """Return the right settings for a listener, but for those that are changed; None leaves one out."""
        port = next(listener.port for listener in self.listeners if listener.name == kind)
        tls = {"kafka_tls": True, "kafka_ca": self.folder / "tls/ca.pem"}
        login = {"kafka_user": USER, "kafka_password_file": self.folder / "password"}
        right: dict[str, dict[str, Any]] = {
            "TLS": tls,
            "MUTUAL": tls
            | {
                "kafka_certificate": self.folder / "tls/client.crt",
                "kafka_key": self.folder / "tls/client.key",
            },
            "SCRAM": tls | login,
            "PLAIN": login | {"kafka_mechanism": "PLAIN"},
        }
        given = {"kafka": f"{host}:{port}"} | right[kind] | changed
        return {name: value for name, value in given.items() if value is not None}


def create_user(plain: KafkaConnection, user: str = USER, password: str = PASSWORD) -> None:
    """Create a user for both SCRAM mechanisms, over a port without login."""
    admin = new_admin(plain)
    changes: list[Any] = [
        UserScramCredentialUpsertion(user, ScramCredentialInfo(mechanism, 4096), password.encode())
        for mechanism in (ScramMechanism.SCRAM_SHA_256, ScramMechanism.SCRAM_SHA_512)
    ]
    for change in changes:
        for done in admin.alter_user_scram_credentials([change]).values():
            done.result()
