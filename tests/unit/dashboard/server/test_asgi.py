import os
import subprocess
import sys

from infra.embedded.ports import free_port


def test_unknown_exchange_ends_the_server_at_its_start() -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "dashboard.server.asgi", "127.0.0.1", str(free_port())],
        env=os.environ | {"TAPEWATCH_EXCHANGE": "NASDAK"},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert ended.returncode == 1
    assert ended.stderr.endswith("Give its market identifier code, such as XNAS, XNYS or XLON.\n")
