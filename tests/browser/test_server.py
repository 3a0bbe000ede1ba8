"""The dashboard's server process, without a browser."""

import http.client
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from dashboard.server.asgi import OPTIONS
from dashboard.server.run import CHECKOUT
from infra.embedded.ports import free_port
from tests.browser.conftest import serve


@pytest.fixture(scope="module")
def connection(tmp_path_factory: pytest.TempPathFactory) -> Iterator[http.client.HTTPConnection]:
    with serve(f"http://127.0.0.1:{free_port()}", tmp_path_factory.mktemp("server")) as (url, _):
        connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=10)
        yield connection
        connection.close()


def test_small_answers_follow_each_other_at_once(connection: http.client.HTTPConnection) -> None:
    began_s = time.perf_counter()
    for _ in range(50):
        connection.request("GET", "/_stcore/host-config")
        assert json.load(connection.getresponse())
    assert time.perf_counter() - began_s < 1, "the kernel holds back the second packet of each, 40 ms"


def test_the_first_page_names_the_code_of_the_charts(connection: http.client.HTTPConnection) -> None:
    connection.request("GET", "/?session=2024-12-02")
    answer = connection.getresponse()
    assert answer.status == 200
    assert b"static/js/ArrowVegaLiteChart." in answer.read()


def test_a_page_of_another_name_reaches_neither_data_nor_the_websocket(
    connection: http.client.HTTPConnection,
) -> None:
    upgrade = {
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
    }
    for path, headers, refused in (("/", {}, 421), ("/_stcore/stream", upgrade, 403)):
        connection.close()
        foreign = {"Host": "evil.example", "Origin": "http://evil.example"}
        connection.request("GET", path, headers=headers | foreign)
        assert connection.getresponse().status == refused
    connection.close()


def test_no_config_of_the_current_folder_changes_the_options(tmp_path: Path) -> None:
    folder = tmp_path / ".streamlit"
    folder.mkdir()
    (folder / "config.toml").write_text(
        '[browser]\ngatherUsageStats = true\n[client]\ntoolbarMode = "developer"\n[ui]\nhideTopBar = false\n'
    )
    script = (
        "import json; from streamlit import config; from streamlit.web.bootstrap import load_config_options;"
        "from dashboard.server.asgi import OPTIONS; load_config_options(OPTIONS);"
        "print(json.dumps({name: config.get_option(name) for name in OPTIONS}))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=tmp_path,
        env={"PYTHONPATH": str(CHECKOUT)},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert json.loads(done.stdout) == OPTIONS
