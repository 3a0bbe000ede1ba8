"""TLS in front of a Postgres that was built without it, as a proxy would be."""

import contextlib
import select
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_SSL_REQUEST = b"\x00\x00\x00\x08\x04\xd2\x16\x2f"
_PIECE = 65_536


@contextmanager
def tls_front(port: int, certificate: Path, key: Path) -> Iterator[int]:
    """Accept clients that ask for TLS, and hand what they say on to a port; yields the port to connect to."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    listener = socket.create_server(("127.0.0.1", 0))

    def accept() -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=serve, args=(client,), daemon=True).start()

    def serve(client: socket.socket) -> None:
        with contextlib.suppress(OSError), client:
            if client.recv(len(_SSL_REQUEST), socket.MSG_WAITALL) != _SSL_REQUEST:
                return
            client.sendall(b"S")
            with (
                context.wrap_socket(client, server_side=True) as secure,
                socket.create_connection(("127.0.0.1", port)) as server,
            ):
                _hand_on(secure, server)

    threading.Thread(target=accept, daemon=True).start()
    try:
        yield int(listener.getsockname()[1])
    finally:
        listener.close()


def _hand_on(secure: ssl.SSLSocket, server: socket.socket) -> None:
    """Hand on in both directions until one side ends; in one thread, as an encrypted socket wants it."""
    while True:
        ready = [secure] if secure.pending() else select.select([secure, server], [], [])[0]
        for source in ready:
            piece = source.recv(_PIECE)
            if not piece:
                return
            (server if source is secure else secure).sendall(piece)
