"""Connections to where a rules file says, but not into the network that Tapewatch runs in.

A name is resolved once, its addresses are checked, and one that was checked is connected to: a name that
changes its address in between leads nowhere else.
"""

import contextlib
import ipaddress
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from http.client import HTTPException

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")


class UnreachableError(Exception):
    """No connection, or none that lasted; the text is a reason without a full stop and without a secret."""


def tls_reason(error: ssl.SSLError) -> str:
    """Return why there is no TLS connection, as a reason."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not accepted: {error.verify_message}"
    return f"no TLS connection: {(error.reason or 'it was cut').replace('_', ' ').lower()}"


def is_public(text: str) -> bool:
    """Tell whether an address is one of the internet's: not private, loopback, link-local, multicast or such.

    Addresses of version 6 that stand for one of version 4 are judged by that.
    """
    address: Address = ipaddress.ip_address(text)
    if isinstance(address, ipaddress.IPv6Address):
        if address in _NAT64:
            address = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        elif inside := address.ipv4_mapped or address.sixtofour or (address.teredo and address.teredo[1]):
            address = inside
        elif address.is_site_local or int(address) >> 32 == 0:  # the latter: old ways to write version 4
            return False
    return address.is_global and not address.is_multicast


@contextlib.contextmanager
def connected(host: str, port: int, *, allow_private: bool, timeout_s: float) -> Iterator[socket.socket]:
    """Connect, and end the connection when the time is over, whatever the other side does until then.

    Parameters
    ----------
    host, port
        Where to.
    allow_private
        Whether addresses may be used that are not the internet's.
    timeout_s
        For resolving, connecting and all that the caller does with the connection.

    Raises
    ------
    UnreachableError
        Nothing could be connected to; or the caller's own work failed as the time was over.
    """
    ends_at_s = time.monotonic() + timeout_s
    too_late = f"it did not answer within {timeout_s:g} s"
    opened = _connect(_resolve(host, port, allow_private, ends_at_s), port, ends_at_s)
    watched = opened.dup()  # TLS takes the connection over from `opened`
    is_over = threading.Event()

    def end() -> None:
        is_over.set()
        with contextlib.suppress(OSError):
            watched.shutdown(socket.SHUT_RDWR)

    timer = threading.Timer(max(0.0, ends_at_s - time.monotonic()), end)
    timer.daemon = True
    timer.start()
    try:
        yield opened
    except TimeoutError:
        raise UnreachableError(too_late) from None
    except (OSError, HTTPException):
        if is_over.is_set():
            raise UnreachableError(too_late) from None
        raise
    finally:
        timer.cancel()
        timer.join()
        watched.close()
        opened.close()


def _resolve(host: str, port: int, allow_private: bool, ends_at_s: float) -> list[str]:
    """Return addresses that may be connected to."""
    found: list[str] = []
    failed: list[str] = []

    def look_up() -> None:
        try:
            found.extend(
                str(entry[4][0]) for entry in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
            )
        except OSError as error:
            failed.append(error.strerror or type(error).__name__)
        except UnicodeError:
            failed.append("it is not a host's name")

    # The system's resolver knows no time limit.
    thread = threading.Thread(target=look_up, daemon=True)
    thread.start()
    thread.join(max(0.0, ends_at_s - time.monotonic()))
    if thread.is_alive():
        raise UnreachableError(f"the name {host} could not be resolved in time")
    if failed:
        raise UnreachableError(f"the name {host} cannot be resolved ({failed[0]})")
    addresses = list(dict.fromkeys(found))
    allowed = [address for address in addresses if allow_private or is_public(address)]
    if not allowed:
        raise UnreachableError(
            f"{host} has the address {addresses[0]}, which is not a public one; "
            "the option allow_private would allow it"
        )
    return allowed


def _connect(addresses: list[str], port: int, ends_at_s: float) -> socket.socket:
    """Return a connection to the first address that takes one."""
    reason = "no connection in time"
    for place, address in enumerate(addresses):
        left_s = ends_at_s - time.monotonic()
        if left_s <= 0:
            break
        try:
            # The next address gets its share of the time if this one is silent.
            opened = socket.create_connection((address, port), timeout=left_s / (len(addresses) - place))
        except TimeoutError:
            reason = "no connection in time"
        except OSError as error:
            reason = (error.strerror or type(error).__name__).lower()
        else:
            opened.settimeout(left_s)
            # Headers and body are sent one after the other, and neither is to wait for an acknowledgement.
            opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            return opened
    raise UnreachableError(f"cannot connect: {reason}")
