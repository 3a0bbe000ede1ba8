import os
import socket
import sys

import pytest

from infra.embedded import ports
from infra.embedded.ports import check_port_free, first_of_free_ports, free_port, is_free, is_listening
from services.common.errors import TapewatchError


def test_free_port_is_free_and_stays_clear_of_outgoing_connections() -> None:
    port = free_port()
    assert is_free(port)
    assert port < 32_768
    check_port_free(port, "Kafka", "--kafka-port")


def test_consecutive_ports_are_all_free() -> None:
    first = first_of_free_ports(3)
    assert all(map(is_free, range(first, first + 3)))


def test_a_server_that_takes_connections_is_told_from_a_free_port() -> None:
    assert not is_listening(free_port())
    with socket.create_server(("127.0.0.1", free_port())) as listener:
        assert is_listening(listener.getsockname()[1])


@pytest.mark.parametrize("address", ["127.0.0.1", "0.0.0.0"])  # noqa: S104
def test_taken_port_names_its_holder(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ports, "_RELEASE_TIMEOUT_S", 0.0)
    with socket.create_server((address, free_port())) as listener:
        port = listener.getsockname()[1]
        with pytest.raises(TapewatchError, match=f"Kafka cannot use port {port}") as caught:
            check_port_free(port, "Kafka", "--kafka-port")
    assert "--kafka-port" in caught.value.hint
    if sys.platform == "linux":
        assert f"process {os.getpid()}" in caught.value.cause


def test_port_that_is_just_being_released_is_waited_for() -> None:
    listener = socket.create_server(("127.0.0.1", free_port()))
    port = listener.getsockname()[1]
    calls = 0
    real_is_free = ports.is_free

    def release_after_a_while(asked: int) -> bool:
        nonlocal calls
        calls += 1
        if calls == 3:
            listener.close()
        return real_is_free(asked)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ports, "is_free", release_after_a_while)
        check_port_free(port, "Kafka", "--kafka-port")
    assert calls == 3
