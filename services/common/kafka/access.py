"""Tells a broker that is away, which is waited for, from one that will never accept this client.

librdkafka reports both as an outage. So when a request fails, a connection of our own asks the broker what it
speaks: TLS or not, with which certificate, and which logins it takes.
"""

import socket
import ssl
import struct
from contextlib import closing

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient, ClusterMetadata

from services.common.errors import TapewatchError
from services.common.kafka.clients import REQUEST_TIMEOUT_S, client_config
from services.common.kafka.connection import KafkaConnection, Tls

FIRST_TIMEOUT_S = 1.0
"""A client that is rejected learns it within this time."""
PROBE_TIMEOUT_S = 1.0

_SASL_HANDSHAKE, _VERSION, _CORRELATION = 17, 1, 1
_UNSUPPORTED_MECHANISM, _ILLEGAL_STATE = 33, 34
_NO_MECHANISM = "NONE"
_LONGEST_ANSWER_BYTES = 65_536

_PREFIX = "TAPEWATCH_KAFKA"
_CERTIFICATE_REASONS = ("CERTIFICATE", "UNKNOWN_CA", "HANDSHAKE_FAILURE")
"""In the names of the alerts with which a broker rejects a client for its certificate, or for having none."""


class BrokerAccess:
    """Asks a cluster for its topics.

    Parameters
    ----------
    kafka
        Connection to Kafka.
    """

    def __init__(self, kafka: KafkaConnection) -> None:
        self._kafka = kafka
        self._is_rejected = False
        self._admin = AdminClient(client_config(kafka) | {"error_cb": self._note})
        self._timeout_s = FIRST_TIMEOUT_S

    def list_topics(self) -> ClusterMetadata:
        """Return the cluster's topics.

        Raises
        ------
        KafkaException
            No broker answers.
        TapewatchError
            A broker answers, but will not accept this client: it speaks TLS and the client does not, or the
            reverse; a certificate is not trusted; or the login is rejected.
        """
        try:
            return self._admin.list_topics(timeout=self._timeout_s)
        except KafkaException as error:
            self._timeout_s = REQUEST_TIMEOUT_S
            if (mismatch := find_mismatch(self._kafka)) is not None:
                raise mismatch from error
            self._admin.poll(0)  # hands over what the client has noticed meanwhile
            if self._is_rejected:
                raise _login_rejected(self._kafka) from error
            raise

    def _note(self, error: KafkaError) -> None:
        self._is_rejected |= error.code() == KafkaError._AUTHENTICATION


def find_mismatch(kafka: KafkaConnection) -> TapewatchError | None:
    """Return why the brokers will never accept this client's connections, as far as one connection tells.

    Returns
    -------
    TapewatchError or None
        None if the brokers are away, or nothing is wrong but perhaps the password.
    """
    for host, port in kafka.addresses():
        if (mismatch := _mismatch_at(kafka, host, port)) is not None:
            return mismatch
    return None


class _NotKafkaError(Exception):
    """The answer is none of Kafka's: what came instead."""


def _mismatch_at(kafka: KafkaConnection, host: str, port: int) -> TapewatchError | None:
    place = f"Kafka at {host}:{port}"
    mechanism = kafka.login.mechanism if kafka.login else _NO_MECHANISM
    try:
        code, offered = _ask(host, port, kafka.tls, mechanism)
    except TimeoutError:
        return None
    except ssl.SSLCertVerificationError as error:
        return _untrusted(place, kafka, error.verify_message)
    except _NotKafkaError as error:
        if kafka.tls is None and _speaks_tls(host, port):
            return _needs_tls(place)
        return _other_server(host, port) if str(error).startswith("HTTP") else None
    except ssl.SSLError as error:
        if _speaks_plainly(host, port, mechanism):
            return _has_no_tls(place)
        if any(reason in (error.reason or "") for reason in _CERTIFICATE_REASONS):
            return _certificate_rejected(place, kafka.tls, error.reason)
        return None
    except OSError:
        # Nobody listens, or the connection was closed or reset: what a listener does that speaks otherwise.
        if kafka.tls is None:
            return _needs_tls(place) if _speaks_tls(host, port) else None
        return _has_no_tls(place) if _speaks_plainly(host, port, mechanism) else None
    return _judge_login(place, kafka, code, offered)


def _judge_login(place: str, kafka: KafkaConnection, code: int, offered: list[str]) -> TapewatchError | None:
    if kafka.login is None:
        if not offered:
            return None
        return TapewatchError(
            f"{place} asks for a login ({', '.join(offered)}), and this client has none.",
            f"Set {_PREFIX}_USER, {_PREFIX}_PASSWORD_FILE and {_PREFIX}_MECHANISM.",
        )
    if code == _ILLEGAL_STATE:
        return TapewatchError(
            f"{place} takes no login on this port, but {_PREFIX}_USER is set.",
            f"Unset {_PREFIX}_USER, {_PREFIX}_PASSWORD_FILE and {_PREFIX}_MECHANISM, or set {_PREFIX} to the "
            "port of a listener with SASL.",
        )
    if code == _UNSUPPORTED_MECHANISM:
        return TapewatchError(
            f"{place} does not offer {kafka.login.mechanism}, only {', '.join(offered) or 'others'}.",
            f"Set {_PREFIX}_MECHANISM to one of those.",
        )
    return None


def _ask(host: str, port: int, tls: Tls | None, mechanism: str) -> tuple[int, list[str]]:
    """Send the first request of a login; returns the error code and the mechanisms that are offered.

    A listener without SASL answers as well, with an error.

    Raises
    ------
    OSError
        No connection, or it was closed.
    SSLError
        TLS failed.
    _NotKafkaError
        What answers is not a Kafka without TLS.
    """
    with closing(socket.create_connection((host, port), PROBE_TIMEOUT_S)) as raw:
        if tls is None:
            return _exchange(raw, mechanism)
        with tls.context().wrap_socket(raw, server_hostname=host) as channel:
            return _exchange(channel, mechanism)


def _exchange(channel: socket.socket, mechanism: str) -> tuple[int, list[str]]:
    header = struct.pack(">hhi", _SASL_HANDSHAKE, _VERSION, _CORRELATION)
    request = header + _kafka_string("tapewatch") + _kafka_string(mechanism)
    channel.sendall(struct.pack(">i", len(request)) + request)
    head = _receive(channel, 4)
    (size,) = struct.unpack(">i", head)
    if not 10 <= size <= _LONGEST_ANSWER_BYTES:
        raise _NotKafkaError(head.decode("latin-1"))
    answer = _receive(channel, size)
    correlation, code, count = struct.unpack_from(">ihi", answer)
    if correlation != _CORRELATION:
        raise _NotKafkaError(head.decode("latin-1"))
    offered, at = [], 10
    for _ in range(count):
        (length,) = struct.unpack_from(">h", answer, at)
        offered.append(answer[at + 2 : at + 2 + length].decode())
        at += 2 + length
    return code, offered


def _kafka_string(text: str) -> bytes:
    return struct.pack(">h", len(text)) + text.encode()


def _receive(channel: socket.socket, size: int) -> bytes:
    received = b""
    while len(received) < size:
        part = channel.recv(size - len(received))
        if not part:
            if received:  # an alert of TLS is shorter than an answer of Kafka
                raise _NotKafkaError(received.decode("latin-1"))
            raise ConnectionResetError
        received += part
    return received


def _speaks_tls(host: str, port: int) -> bool:
    """Tell whether a server takes a TLS greeting, whatever its certificate."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    try:
        with (
            closing(socket.create_connection((host, port), PROBE_TIMEOUT_S)) as raw,
            context.wrap_socket(raw, server_hostname=host),
        ):
            return True
    except ssl.SSLError as error:
        return "ALERT" in (error.reason or "")  # it does, but asks for more
    except OSError:
        return False


def _speaks_plainly(host: str, port: int, mechanism: str) -> bool:
    try:
        _ask(host, port, None, mechanism)
    except (OSError, _NotKafkaError):
        return False
    return True


def _needs_tls(place: str) -> TapewatchError:
    return TapewatchError(
        f"{place} speaks TLS on this port, and this client does not.",
        f"Set {_PREFIX}_TLS=true and, unless this machine trusts the broker's certificate, {_PREFIX}_CA; or "
        f"set {_PREFIX} to the port of a listener without TLS.",
    )


def _has_no_tls(place: str) -> TapewatchError:
    return TapewatchError(
        f"{place} does not speak TLS on this port, but {_PREFIX}_TLS is on.",
        f"Set {_PREFIX} to the port of a listener with TLS, or unset {_PREFIX}_TLS.",
    )


def _other_server(host: str, port: int) -> TapewatchError:
    return TapewatchError(
        f"What answers at {host}:{port} is a web server, not Kafka.", f"Set {_PREFIX} to Kafka's address."
    )


def _untrusted(place: str, kafka: KafkaConnection, reason: str) -> TapewatchError:
    cause = f"The certificate of {place} is not trusted: {reason.rstrip('.')}."
    if "mismatch" in reason.lower() or "not valid for" in reason:
        return TapewatchError(
            cause,
            f"Set {_PREFIX} to a name that the certificate has, or give the broker one for this name.",
        )
    if "expired" in reason or "not yet valid" in reason:
        return TapewatchError(cause, "Renew the broker's certificate, and check this machine's clock.")
    given = kafka.tls.ca if kafka.tls else None
    return TapewatchError(
        cause,
        f"Set {_PREFIX}_CA to the CA certificates that signed the broker's certificate"
        + (f"; those in {given} did not." if given else "."),
    )


def _certificate_rejected(place: str, tls: Tls | None, reason: str) -> TapewatchError:
    if tls is not None and tls.certificate is not None:
        return TapewatchError(
            f"{place} does not accept the client certificate {tls.certificate} ({reason}).",
            f"Set {_PREFIX}_CERTIFICATE and {_PREFIX}_KEY to one signed by a CA that the broker trusts.",
        )
    return TapewatchError(
        f"{place} asks for a client certificate, and this client has none ({reason}).",
        f"Set {_PREFIX}_CERTIFICATE and {_PREFIX}_KEY.",
    )


def _login_rejected(kafka: KafkaConnection) -> TapewatchError:
    login = kafka.login
    user = f"the user {login.user} with {login.mechanism}" if login else "this client"
    return TapewatchError(
        f"Kafka at {kafka} rejects the login of {user}: the user or password is wrong.",
        f"Correct {_PREFIX}_USER and what is in {_PREFIX}_PASSWORD_FILE, or create the user on the broker.",
    )
