from pathlib import Path
from typing import Any

import pytest

from services.common.config.settings import Settings
from services.common.errors import TapewatchError
from services.common.kafka.clients import client_config
from services.common.kafka.connection import KafkaConnection, kafka_connection
from tests.certificates import Authority, Certificate, needs_openssl

SECRET = "never-to-be-shown"


@pytest.fixture
def password(tmp_path: Path) -> Path:
    path = tmp_path / "password"
    path.write_text(f"{SECRET}\n")
    return path


def connect(**given: Any) -> KafkaConnection:
    return kafka_connection(Settings(kafka="kafka:9093", **given))


def rejected(**given: Any) -> TapewatchError:
    with pytest.raises(TapewatchError) as caught:
        connect(**given)
    return caught.value


def test_without_settings_a_client_neither_encrypts_nor_logs_in() -> None:
    assert connect().client_settings() == {
        "bootstrap.servers": "kafka:9093",
        "security.protocol": "PLAINTEXT",
    }


def test_tls_alone_trusts_what_the_machine_trusts() -> None:
    settings = connect(kafka_tls=True).client_settings()
    assert settings == {"bootstrap.servers": "kafka:9093", "security.protocol": "SSL"}


@pytest.mark.parametrize("mechanism", ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"])
@pytest.mark.parametrize(("tls", "protocol"), [(False, "SASL_PLAINTEXT"), (True, "SASL_SSL")])
def test_a_login_is_given_to_the_client(password: Path, mechanism: str, tls: bool, protocol: str) -> None:
    found = connect(
        kafka_tls=tls, kafka_user="u", kafka_password_file=password, kafka_mechanism=mechanism
    ).client_settings()
    assert found["security.protocol"] == protocol
    assert found["sasl.mechanism"] == mechanism
    assert (found["sasl.username"], found["sasl.password"]) == ("u", SECRET)


def test_the_mechanism_is_scram_sha_512_by_default(password: Path) -> None:
    found = connect(kafka_user="u", kafka_password_file=password).client_settings()
    assert found["sasl.mechanism"] == "SCRAM-SHA-512"


def test_settings_are_read_from_the_environment(password: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TAPEWATCH_KAFKA", "kafka:9093")
    monkeypatch.setenv("TAPEWATCH_KAFKA_TLS", "on")
    monkeypatch.setenv("TAPEWATCH_KAFKA_USER", "u")
    monkeypatch.setenv("TAPEWATCH_KAFKA_PASSWORD_FILE", str(password))
    found = kafka_connection(Settings())
    assert found.protection == "TLS, login as u (SCRAM-SHA-512)"


def test_no_secret_shows_in_a_text_of_the_connection_or_the_settings(password: Path) -> None:
    settings = Settings(kafka_user="u", kafka_password_file=password)
    found = kafka_connection(settings)
    assert SECRET not in f"{found} {found!r} {found.login!r} {settings!r} {found.protection}"
    assert str(found) == settings.kafka


@pytest.mark.parametrize(
    ("given", "named", "fix"),
    [
        ({"kafka_ca": "ca.pem"}, ("_CA is set", "_TLS is not on"), "Set TAPEWATCH_KAFKA_TLS=true"),
        (
            {"kafka_certificate": "c", "kafka_key": "k"},
            ("_CERTIFICATE is set", "_TLS is not on"),
            "unset TAPEWATCH_KAFKA_CERTIFICATE",
        ),
        (
            {"kafka_tls": True, "kafka_certificate": "c"},
            ("_CERTIFICATE is set", "_KEY is not"),
            "Set TAPEWATCH_KAFKA_KEY",
        ),
        (
            {"kafka_tls": True, "kafka_key": "k"},
            ("_KEY is set", "_CERTIFICATE is not"),
            "Set TAPEWATCH_KAFKA_CERTIFICATE",
        ),
        (
            {"kafka_tls": True, "kafka_key_password_file": "p"},
            ("_KEY_PASSWORD_FILE is set", "_KEY is not"),
            "Set TAPEWATCH_KAFKA_KEY",
        ),
        ({"kafka_user": "u"}, ("_USER is set", "_PASSWORD_FILE is not"), "Set TAPEWATCH_KAFKA_PASSWORD_FILE"),
        ({"kafka_password_file": "p"}, ("_PASSWORD_FILE is set", "_USER is not"), "Set TAPEWATCH_KAFKA_USER"),
        ({"kafka_mechanism": "PLAIN"}, ("_MECHANISM is set", "_USER is not"), "Set TAPEWATCH_KAFKA_USER"),
    ],
)
def test_settings_that_contradict_each_other_are_both_named(
    given: dict[str, Any], named: tuple[str, str], fix: str
) -> None:
    error = rejected(**given)
    for name in named:
        assert f"TAPEWATCH_KAFKA{name}" in error.cause
    assert fix in error.hint


def test_an_unknown_mechanism_is_named_with_those_that_exist() -> None:
    with pytest.raises(TapewatchError, match=r"TAPEWATCH_KAFKA_MECHANISM is 'GSSAPI'.*SCRAM-SHA-256"):
        Settings(kafka_mechanism="GSSAPI")


@pytest.mark.parametrize(
    ("servers", "cause"),
    [
        (f"u:{SECRET}@kafka:9093", "contains a user or password"),
        ("SASL_SSL://kafka:9093", "a protocol before the host"),
    ],
)
def test_an_address_with_more_than_host_and_port_is_rejected(servers: str, cause: str) -> None:
    with pytest.raises(TapewatchError, match=cause) as caught:
        kafka_connection(Settings(kafka=servers))
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({"kafka_tls": True, "kafka_ca": "absent.pem"}, "absent.pem cannot be read: No such file"),
        ({"kafka_user": "u", "kafka_password_file": "absent"}, "absent cannot be read: No such file"),
    ],
)
def test_a_missing_file_is_named(given: dict[str, Any], named: str) -> None:
    assert named in rejected(**given).cause


def test_a_ca_file_without_certificates_is_named(password: Path) -> None:
    error = rejected(kafka_tls=True, kafka_ca=password)
    assert f"The certificates in {password} cannot be read" in error.cause
    assert SECRET not in str(error)


def files(issued: Certificate) -> dict[str, Any]:
    return {"kafka_tls": True, "kafka_certificate": issued.certificate, "kafka_key": issued.key}


@needs_openssl
def test_an_encrypted_key_needs_its_password(tmp_path: Path, password: Path) -> None:
    locked = files(Authority(tmp_path).issue("client", password=SECRET))
    found = connect(**locked, kafka_key_password_file=password)
    assert found.client_settings()["ssl.key.password"] == SECRET
    assert SECRET not in repr(found)
    error = rejected(**locked)
    assert "cannot be used with the key" in error.cause
    assert "TAPEWATCH_KAFKA_KEY_PASSWORD_FILE if the key is encrypted" in error.hint
    password.write_text("not-it")
    assert "not-it" not in str(rejected(**locked, kafka_key_password_file=password))


@needs_openssl
def test_a_key_of_another_certificate_is_rejected(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    one, other = authority.issue("one"), authority.issue("other")
    error = rejected(**files(Certificate(one.certificate, other.key)))
    assert "one.crt cannot be used with the key" in error.cause


@pytest.mark.parametrize(
    ("servers", "addresses"),
    [
        ("a:1", [("a", 1)]),
        ("a:1, b:2,", [("a", 1), ("b", 2)]),
        ("a", [("a", 9092)]),
        ("[::1]:9093", [("::1", 9093)]),
        ("[::1]", [("::1", 9092)]),
    ],
)
def test_addresses_are_split_as_kafka_clients_do(servers: str, addresses: list[tuple[str, int]]) -> None:
    assert KafkaConnection(servers).addresses() == addresses


def test_every_client_gets_the_settings_of_the_connection(password: Path) -> None:
    kafka = connect(kafka_user="u", kafka_password_file=password)
    assert client_config(kafka).items() >= kafka.client_settings().items()
