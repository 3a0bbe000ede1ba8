"""TCP ports on the loopback address: finds free ones, and names the process that uses one."""

import contextlib
import random
import socket
import time
from pathlib import Path

from services.common.errors import TapewatchError

LOOPBACK = "127.0.0.1"

# Below the range from which systems pick the local ports of outgoing connections: a client that keeps
# trying a dead server's port in that range can end up connected to itself, and so occupy the port.
_FREE_PORTS = range(20_000, 32_000)

_RELEASE_TIMEOUT_S = 2.0
"""The ports of a stack that was killed a moment ago may take this long to become free."""


def free_port() -> int:
    """Return a port of 127.0.0.1 that no process is listening on."""
    return next(port for port in iter(lambda: random.choice(_FREE_PORTS), None) if is_free(port))  # noqa: S311


def first_of_free_ports(count: int) -> int:
    """Return the first of `count` consecutive ports of 127.0.0.1 on which no process is listening."""
    return next(
        port
        for port in iter(free_port, None)
        if all(is_free(further) for further in range(port + 1, port + count))
    )


def is_free(port: int) -> bool:
    """Tell whether a server could listen on this port of 127.0.0.1 now."""
    with socket.socket() as probe:
        # As servers do: connections that are still in TIME_WAIT do not count.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True


def is_listening(port: int) -> bool:
    """Tell whether a server takes connections on this port of 127.0.0.1."""
    with socket.socket() as probe:
        return probe.connect_ex((LOOPBACK, port)) == 0


def check_port_free(port: int, server: str, option: str) -> None:
    """Fail with a helpful message if a port is taken.

    Parameters
    ----------
    port
        The port of 127.0.0.1 that a server is about to listen on.
    server
        The server's name, for the message.
    option
        The command-line option that chooses another port.

    Raises
    ------
    TapewatchError
        If another process keeps listening on the port.
    """
    deadline = time.monotonic() + _RELEASE_TIMEOUT_S
    while not is_free(port):
        if time.monotonic() > deadline:
            holder = _holder(port)
            raise TapewatchError(
                f"{server} cannot use port {port}: "
                + (f"{holder} is using it." if holder else "another process is using it."),
                f"Stop that process, or choose another port with {option}.",
            )
        time.sleep(0.1)


def _holder(port: int) -> str | None:
    """Return the process that listens on a port, if the system and our permissions let us see it."""
    inodes = {f"socket:[{inode}]" for inode in _listening_inodes(port)}
    for descriptor in Path("/proc").glob("[0-9]*/fd/*") if inodes else ():
        with contextlib.suppress(OSError):
            if str(descriptor.readlink()) in inodes:
                process = descriptor.parent.parent
                return f"{(process / 'comm').read_text().strip()} (process {process.name})"
    return None


def _listening_inodes(port: int) -> set[str]:
    inodes = set()
    for table in (Path("/proc/net/tcp"), Path("/proc/net/tcp6")):
        with contextlib.suppress(OSError):
            for line in table.read_text().splitlines()[1:]:
                fields = line.split()
                is_listening = fields[3] == "0A"
                if is_listening and int(fields[1].rpartition(":")[2], 16) == port:
                    inodes.add(fields[9])
    return inodes
