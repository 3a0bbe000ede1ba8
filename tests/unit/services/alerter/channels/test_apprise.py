import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from services.alerter.channels.base import Accepted, Failed
from services.common.errors import TapewatchError
from tests.unit.services.alerter.channels import samples

pytest.importorskip("apprise", reason="the extra alerts-apprise is not installed")


class Service(HTTPServer):
    """A service that Apprise sends JSON to."""

    def __init__(self, status: int) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.status = status
        self.taken: list[dict[str, Any]] = []


class _Handler(BaseHTTPRequestHandler):
    server: Service

    def do_POST(self) -> None:
        self.server.taken.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        self.send_response(self.server.status)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(params=[200, 500])
def service(request: pytest.FixtureRequest) -> Iterator[Service]:
    with Service(request.param) as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield running
        running.shutdown()


def test_apprise_sends_the_text_for_people(service: Service, tmp_path: Path) -> None:
    url = f"json://127.0.0.1:{service.server_port}/path"
    channel = samples.opened("apprise", {"url_file": samples.secret_file(tmp_path, "url", url)})

    answer = channel.send(channel.message(samples.alert()))

    assert answer == (Accepted() if service.status == 200 else Failed("Apprise could not send it"))
    assert service.taken[0]["title"] == "HIGH NVDA: Traded at 1,137.97, eight times the market's price."
    assert "14:30:08.75           137.95       5  sell" in service.taken[0]["message"]
    assert service.taken[0]["type"] == "warning"


def test_a_url_that_apprise_does_not_know_is_refused_without_showing_it(tmp_path: Path) -> None:
    given = {"url_file": samples.secret_file(tmp_path, "url", "nonsense://s3cret")}

    with pytest.raises(TapewatchError, match="has not a URL that Apprise knows") as error:
        samples.opened("apprise", given)
    assert "s3cret" not in str(error.value)
