import os
import subprocess
import sys
from functools import partial

import pytest
import uvicorn
from streamlit.commands import navigation
from streamlit.runtime.pages_manager import PagesManager
from streamlit.runtime.scriptrunner import RerunData
from streamlit.testing.v1 import AppTest, app_test, local_script_runner

from dashboard.server import asgi
from infra.embedded.ports import free_port
from tests.unit.dashboard.conftest import RUN_TIMEOUT_S


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


class ServersPagesManager(PagesManager):
    """A class that AppTest resets instead of the one set by the server."""


@pytest.mark.parametrize("page", ["search", "tuning", "health", "anomaly"])
def test_first_visitor_of_a_server_may_open_any_page(page: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TAPEWATCH_ELASTICSEARCH", f"http://127.0.0.1:{free_port()}")
    monkeypatch.setattr(PagesManager, "uses_pages_directory", None)
    for name in ("load_config_options", "signal.signal"):
        monkeypatch.setattr(f"dashboard.server.asgi.{name}", lambda *_: None)
    monkeypatch.setattr(app_test, "PagesManager", ServersPagesManager)
    monkeypatch.setattr(local_script_runner, "RerunData", partial(RerunData, page_name=page))
    visits: list[AppTest] = []
    not_found: list[object] = []
    monkeypatch.setattr(navigation, "send_page_not_found", not_found.append)

    def visit(*_: object, **__: object) -> None:
        visits.append(AppTest.from_file(str(asgi.APP), default_timeout=RUN_TIMEOUT_S).run())

    monkeypatch.setattr(uvicorn, "run", visit)
    asgi.main("127.0.0.1", free_port())
    assert [subheader.value for subheader in visits[0].subheader][:1] == ["Tapewatch"]
    assert not_found == []
