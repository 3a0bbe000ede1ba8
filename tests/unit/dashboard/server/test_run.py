import os
import socket
from pathlib import Path
from typing import Any

import pytest

from dashboard.server import run as serve
from dashboard.settings import DashboardSettings
from infra.embedded.ports import free_port
from services.common.errors import TapewatchError


def test_port_in_use_is_an_error() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(TapewatchError, match=f"port {port}: another process is using it") as caught:
            serve.run_dashboard(DashboardSettings(), "127.0.0.1", port)
    assert "--port" in caught.value.hint


@pytest.mark.parametrize("host", ["192.0.2.1", "no-such-host.invalid"])
def test_host_of_another_machine_is_an_error(host: str) -> None:
    with pytest.raises(TapewatchError, match=f"cannot listen on {host}") as caught:
        serve.check_can_listen(host, free_port())
    assert "--host" in caught.value.hint


def test_the_server_gets_the_addresses_of_elasticsearch_and_the_checkout(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    started: dict[str, Any] = {}
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(os, "execve", lambda _path, args, env: started.update(args=args, env=env))
    port = free_port()
    serve.run_dashboard(DashboardSettings(elasticsearch="http://es:9200"), "127.0.0.1", port)
    assert started["env"]["TAPEWATCH_ELASTICSEARCH"] == "http://es:9200"
    checkout = Path(started["env"]["PYTHONPATH"].split(os.pathsep)[0])
    assert (checkout / "dashboard" / "app.py").is_file()
    assert started["args"][-2:] == ["127.0.0.1", str(port)]
