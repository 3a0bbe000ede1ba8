import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from services.alerter.channels.connecting import UnreachableError, connected, is_public

EVERYWHERE = "0.0.0.0"  # noqa: S104 - to connect to it is to connect to oneself


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    """A server that takes connections and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server


def resolve_to(monkeypatch: pytest.MonkeyPatch, *answers: list[str]) -> list[str]:
    """Let names resolve to the next of these answers; returns the names that are asked for."""
    asked = []

    def look_up(host: str, port: int, **_: Any) -> list[tuple[Any, ...]]:
        asked.append(host)
        addresses = answers[min(len(asked), len(answers)) - 1]
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in addresses]

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    return asked


@pytest.mark.parametrize(
    "address",
    [
        *("127.0.0.1", "127.9.9.9", EVERYWHERE, "10.0.0.1", "172.16.0.1", "192.168.1.1", "169.254.169.254"),
        *("100.64.0.1", "224.0.0.1", "239.1.2.3", "255.255.255.255", "240.0.0.1", "192.0.2.1", "198.18.0.1"),
        *("::1", "::", "fe80::1", "fe80::1%eth0", "fc00::1", "fd12::1", "fec0::1", "ff02::1", "ff0e::1"),
        *("::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.169.254", "::127.0.0.1"),
        *("64:ff9b::7f00:1", "64:ff9b::10.0.0.1", "2002:7f00:1::", "2002:a00:1::1"),
        "2001:0:4136:e378:8000:63bf:80ff:fffe",  # Teredo, of 127.0.0.1
    ],
)
def test_an_address_that_is_not_the_internet_s_is_refused(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize(
    "address", ["1.1.1.1", "93.184.216.34", "2606:4700::1111", "::ffff:1.1.1.1", "64:ff9b::101:101"]
)
def test_an_address_of_the_internet_is_allowed(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", EVERYWHERE, "127.1", "2130706433", "0x7f000001"])
def test_no_way_to_write_loopback_is_connected_to(host: str, listener: socket.socket) -> None:
    port = listener.getsockname()[1]
    listener.settimeout(0.05)

    with (
        pytest.raises(UnreachableError, match="not a public one"),
        connected(host, port, allow_private=False, timeout_s=5),
    ):
        pass
    with pytest.raises(TimeoutError):
        listener.accept()


def test_a_name_is_resolved_once_and_what_was_checked_is_connected_to(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked = resolve_to(monkeypatch, ["93.184.216.34"], ["127.0.0.1"])
    tried = []

    def connect(address: tuple[str, int], timeout: float) -> socket.socket:
        tried.append(address)
        raise ConnectionRefusedError(111, "Connection refused")

    monkeypatch.setattr(socket, "create_connection", connect)

    with (
        pytest.raises(UnreachableError, match="connection refused"),
        connected("rebinding.example", 80, allow_private=False, timeout_s=5),
    ):
        pass
    assert asked == ["rebinding.example"]
    assert tried == [("93.184.216.34", 80)]


def test_of_several_addresses_only_public_ones_are_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    resolve_to(monkeypatch, ["10.0.0.1", "93.184.216.34", "169.254.169.254"])
    tried = []

    def connect(address: tuple[str, int], timeout: float) -> socket.socket:
        tried.append(address[0])
        raise OSError(113, "No route to host")

    monkeypatch.setattr(socket, "create_connection", connect)

    with (
        pytest.raises(UnreachableError, match="no route to host"),
        connected("mixed.example", 443, allow_private=False, timeout_s=5),
    ):
        pass
    assert tried == ["93.184.216.34"]


def test_a_silent_address_leaves_time_for_the_next(
    monkeypatch: pytest.MonkeyPatch, listener: socket.socket
) -> None:
    resolve_to(monkeypatch, ["93.184.216.34", "93.184.216.35"])
    limits = []
    connect_really = socket.create_connection

    def connect(address: tuple[str, int], timeout: float) -> socket.socket:
        limits.append(timeout)
        if address[0] == "93.184.216.34":
            raise TimeoutError
        monkeypatch.undo()
        return connect_really(listener.getsockname(), timeout=timeout)

    monkeypatch.setattr(socket, "create_connection", connect)

    with connected("two.example", 80, allow_private=False, timeout_s=4) as opened:
        assert opened.getpeername() == listener.getsockname()
        assert opened.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
    assert limits[0] == pytest.approx(2, abs=0.9)
    assert limits[1] > limits[0]


def test_private_addresses_can_be_allowed(listener: socket.socket) -> None:
    with connected("127.0.0.1", listener.getsockname()[1], allow_private=True, timeout_s=5) as opened:
        assert opened.getpeername() == listener.getsockname()


def test_a_name_that_does_not_resolve_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def look_up(*_: Any, **__: Any) -> list[Any]:
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", look_up)

    with (
        pytest.raises(UnreachableError, match=r"the name nowhere\.example cannot be resolved"),
        connected("nowhere.example", 80, allow_private=False, timeout_s=5),
    ):
        pass


def test_what_cannot_be_a_name_does_not_resolve() -> None:
    with (
        pytest.raises(UnreachableError, match="it is not a host's name"),
        connected("a" * 70 + ".example", 80, allow_private=False, timeout_s=5),
    ):
        pass


def test_a_resolver_that_hangs_costs_no_more_than_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    hangs = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: hangs.wait(30) and [])
    began_s = time.monotonic()

    with (
        pytest.raises(UnreachableError, match="could not be resolved in time"),
        connected("slow.example", 80, allow_private=False, timeout_s=0.2),
    ):
        pass
    hangs.set()
    assert time.monotonic() - began_s < 5


def read_to_the_end(port: int) -> None:
    with connected("127.0.0.1", port, allow_private=True, timeout_s=0.3) as opened:
        while opened.recv(100):
            pass
        raise ConnectionError("ended")


def test_the_limit_ends_a_connection_on_which_something_always_comes(listener: socket.socket) -> None:
    def drip() -> None:
        with listener.accept()[0] as client:
            try:
                while True:
                    client.sendall(b".")
                    time.sleep(0.02)
            except OSError:
                return

    threading.Thread(target=drip, daemon=True).start()
    began_s = time.monotonic()

    with pytest.raises(UnreachableError, match=r"did not answer within 0\.3 s"):
        read_to_the_end(listener.getsockname()[1])
    assert time.monotonic() - began_s < 5


def test_other_errors_of_the_caller_pass(listener: socket.socket) -> None:
    with (
        pytest.raises(ConnectionResetError),
        connected("127.0.0.1", listener.getsockname()[1], allow_private=True, timeout_s=30),
    ):
        raise ConnectionResetError
