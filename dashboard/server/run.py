"""`tapewatch dashboard`: checks what it needs, and becomes the server."""

import errno
import os
import socket
import sys
from pathlib import Path

from dashboard.server.elastic import open_client
from dashboard.settings import DashboardSettings
from services.common.errors import TapewatchError

CHECKOUT = Path(__file__).parents[2]


def run_dashboard(settings: DashboardSettings, host: str, port: int) -> int:
    """Become the dashboard's server; Ctrl-C and SIGTERM end it.

    Parameters
    ----------
    settings
        Where Elasticsearch is; it may come later than the dashboard.
    host
        Address or name of this machine to listen on.
    port
        TCP port, 1 to 65535.

    Returns
    -------
    int
        Never: this process becomes the server, whose exit code is the process's.

    Raises
    ------
    TapewatchError
        The port is in use, the host is not this machine's, the URL of Elasticsearch is invalid, or another
        setting is.
    """
    open_client(settings.elasticsearch).close()
    check_can_listen(host, port)
    environment = os.environ | {
        "TAPEWATCH_ELASTICSEARCH": settings.elasticsearch,
        "PYTHONPATH": os.pathsep.join(filter(None, [str(CHECKOUT), os.environ.get("PYTHONPATH")])),
    }
    # -P: files in the current folder must not stand in for modules. As the same process, without a parent
    # between, the server gets every signal itself.
    command = [sys.executable, "-P", "-m", "dashboard.server.asgi", host, str(port)]
    sys.stdout.flush()
    sys.stderr.flush()
    os.execve(sys.executable, command, environment)  # noqa: S606


def check_can_listen(host: str, port: int) -> None:
    """Try to listen where the server will.

    Parameters
    ----------
    host
        Address or name of this machine.
    port
        TCP port, 1 to 65535.

    Raises
    ------
    TapewatchError
        It is not possible; the error says why.
    """
    try:
        (family, kind, protocol, _, address), *_ = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        with socket.socket(family, kind, protocol) as probe:
            # As servers do it: connections that are still in TIME_WAIT do not count.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
            probe.listen()
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            cause = f"The dashboard cannot use port {port}: another process is using it."
            hint = "Stop that process, or choose another port with --port."
        elif error.errno == errno.EACCES:
            cause = f"The dashboard may not use port {port}: it is reserved for the system."
            hint = "Choose a port above 1023 with --port."
        else:
            cause = f"The dashboard cannot listen on {host}: {error.strerror}."
            hint = "Give an address of this machine with --host, such as 127.0.0.1 or 0.0.0.0."
        raise TapewatchError(cause, hint) from error
