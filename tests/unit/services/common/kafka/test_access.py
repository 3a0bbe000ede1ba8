"""Against servers that answer as they are told; against a real broker: tests/integration/services."""

import socket
import ssl
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from pydantic import SecretStr

from infra.embedded.ports import free_port
from services.common.kafka.access import find_mismatch
from services.common.kafka.connection import KafkaConnection, Login, Tls
from tests.certificates import Authority, needs_openssl

LOGIN = Login("SCRAM-SHA-512", "u", SecretStr("p"))
ILLEGAL_STATE, UNSUPPORTED = 34, 33


def handshake_answer(code: int, *mechanisms: str) -> bytes:
    texts = b"".join(struct.pack(">h", len(each)) + each.encode() for each in mechanisms)
    body = struct.pack(">ihi", 1, code, len(mechanisms)) + texts
    return struct.pack(">i", len(body)) + body


@contextmanager
def server(answer: bytes, tls: ssl.SSLContext | None = None) -> Iterator[str]:
    """Run a server that sends the same answer to whatever comes, and closes; yields its address."""

    def serve() -> None:
        while True:
            try:
                connection, _ = listening.accept()
            except OSError:
                return
            try:
                with connection:
                    connection.settimeout(5)
                    channel = tls.wrap_socket(connection, server_side=True) if tls else connection
                    with channel:
                        channel.recv(4096)
                        channel.sendall(answer)
            except OSError:
                continue

    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield f"127.0.0.1:{listening.getsockname()[1]}"
        finally:
            listening.shutdown(socket.SHUT_RDWR)
            thread.join()


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path / "authority")


def tls_of(authority: Authority, hosts: str = "IP:127.0.0.1") -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(authority.issue("server", hosts).both)
    return context


def cause_and_hint(kafka: KafkaConnection) -> tuple[str, str]:
    found = find_mismatch(kafka)
    assert found is not None
    return found.cause, found.hint


@pytest.mark.parametrize("tls", [None, Tls()])
def test_nobody_listening_is_no_mismatch(tls: Tls | None) -> None:
    assert find_mismatch(KafkaConnection(f"127.0.0.1:{free_port()}", tls)) is None


def test_a_listener_without_login_fits_a_client_without_one() -> None:
    with server(handshake_answer(ILLEGAL_STATE)) as address:
        assert find_mismatch(KafkaConnection(address)) is None


def test_a_login_that_is_asked_for_is_named_with_its_mechanisms() -> None:
    with server(handshake_answer(UNSUPPORTED, "PLAIN", "SCRAM-SHA-256")) as address:
        cause, hint = cause_and_hint(KafkaConnection(address))
    assert cause == (f"Kafka at {address} asks for a login (PLAIN, SCRAM-SHA-256), and this client has none.")
    assert "TAPEWATCH_KAFKA_PASSWORD_FILE" in hint


def test_a_login_that_nobody_asks_for_is_named() -> None:
    with server(handshake_answer(ILLEGAL_STATE)) as address:
        cause, hint = cause_and_hint(KafkaConnection(address, login=LOGIN))
    assert cause == f"Kafka at {address} takes no login on this port, but TAPEWATCH_KAFKA_USER is set."
    assert hint.startswith("Unset TAPEWATCH_KAFKA_USER")


def test_a_mechanism_that_is_not_offered_is_named_with_those_that_are() -> None:
    with server(handshake_answer(UNSUPPORTED, "PLAIN")) as address:
        cause, _ = cause_and_hint(KafkaConnection(address, login=LOGIN))
    assert cause.endswith("does not offer SCRAM-SHA-512, only PLAIN.")


def test_a_login_that_is_offered_is_no_mismatch() -> None:
    with server(handshake_answer(0, "SCRAM-SHA-512")) as address:
        assert find_mismatch(KafkaConnection(address, login=LOGIN)) is None


def test_a_web_server_is_named() -> None:
    with server(b"HTTP/1.1 400 Bad Request\r\n\r\n") as address:
        cause, hint = cause_and_hint(KafkaConnection(address))
    assert cause == f"What answers at {address} is a web server, not Kafka."
    assert "TAPEWATCH_KAFKA" in hint


@pytest.mark.parametrize("answer", [b"", b"\x00", b"\xff\xff\xff\xff\xff", b"\x00\x00\x00\x0b" + bytes(11)])
def test_an_answer_that_says_nothing_is_waited_for(answer: bytes) -> None:
    with server(answer) as address:
        assert find_mismatch(KafkaConnection(address)) is None
        assert find_mismatch(KafkaConnection(address, Tls())) is None


def test_a_server_that_stays_silent_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.common.kafka.access.PROBE_TIMEOUT_S", 0.1)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"127.0.0.1:{silent.getsockname()[1]}"
        assert find_mismatch(KafkaConnection(address)) is None
        assert find_mismatch(KafkaConnection(address, Tls())) is None


def test_the_second_server_is_asked_if_the_first_is_away() -> None:
    with server(handshake_answer(UNSUPPORTED, "PLAIN")) as address:
        cause, _ = cause_and_hint(KafkaConnection(f"127.0.0.1:{free_port()},{address}"))
    assert address in cause


@needs_openssl
def test_tls_fits_a_client_that_trusts_its_certificate(authority: Authority) -> None:
    with server(handshake_answer(ILLEGAL_STATE), tls_of(authority)) as address:
        assert find_mismatch(KafkaConnection(address, Tls(authority.ca))) is None


@needs_openssl
def test_tls_is_named_to_a_plain_client(authority: Authority) -> None:
    with server(handshake_answer(ILLEGAL_STATE), tls_of(authority)) as address:
        cause, hint = cause_and_hint(KafkaConnection(address))
    assert cause == f"Kafka at {address} speaks TLS on this port, and this client does not."
    assert "TAPEWATCH_KAFKA_TLS=true" in hint


def test_a_plain_listener_is_named_to_a_client_with_tls() -> None:
    with server(handshake_answer(ILLEGAL_STATE)) as address:
        cause, hint = cause_and_hint(KafkaConnection(address, Tls()))
    assert cause == f"Kafka at {address} does not speak TLS on this port, but TAPEWATCH_KAFKA_TLS is on."
    assert "unset TAPEWATCH_KAFKA_TLS" in hint


@needs_openssl
def test_a_certificate_of_an_unknown_authority_is_named(authority: Authority, tmp_path: Path) -> None:
    other = Authority(tmp_path / "other").ca
    with server(b"", tls_of(authority)) as address:
        cause, hint = cause_and_hint(KafkaConnection(address, Tls(other)))
    assert "is not trusted" in cause
    assert f"those in {other} did not" in hint


@needs_openssl
def test_a_certificate_for_another_host_is_named(authority: Authority) -> None:
    with server(b"", tls_of(authority, "DNS:kafka.example")) as address:
        cause, hint = cause_and_hint(KafkaConnection(address, Tls(authority.ca)))
    assert "127.0.0.1" in cause
    assert "a name that the certificate has" in hint
