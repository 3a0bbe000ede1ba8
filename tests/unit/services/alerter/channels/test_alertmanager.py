import datetime as dt
import json
import os
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from services.alerter.channels.base import Accepted, Failed
from services.contracts.alert import Alert, AlertState, Digest
from services.contracts.anomaly import Severity
from tests.standins.receivers.process import ReceiverProcess
from tests.unit.services.alerter.channels import samples

ALERTMANAGER = (
    os.environ.get("TAPEWATCH_TEST_ALERTMANAGER")
    or shutil.which("prometheus-alertmanager")
    or shutil.which("alertmanager")
    or ""
)
needs_alertmanager = pytest.mark.skipif(
    not ALERTMANAGER,
    reason="needs Alertmanager: on the path, or named by TAPEWATCH_TEST_ALERTMANAGER",
)
CONFIGURATION = """
route: {receiver: nobody, group_by: ["..."]}
receivers: [{name: nobody}]
"""


def alerts(notice: Alert | Digest, folder: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(
        samples.opened("alertmanager", samples.options("alertmanager", folder)).message(notice).body
    )
    return found


def test_an_alert_has_its_labels_and_annotations(tmp_path: Path) -> None:
    (found,) = alerts(samples.alert(revision=3, state=AlertState.GREW, count=4), tmp_path)

    assert found["labels"] == {
        "alertname": "Off-Market Price",
        "symbol": "NVDA",
        "severity": "high",
        "rule": "urgent",
        "alert_id": samples.alert().alert_id,
    }
    assert found["annotations"]["revision"] == "3"
    assert found["annotations"]["summary"].startswith("HIGH NVDA: Traded at")
    assert found["annotations"]["description"].startswith("Revision 3: now 4 anomalies")
    assert found["annotations"]["kibana"] == "https://kibana.example/app#/1"
    assert found["generatorURL"] == "https://tapewatch.example/?id=1"


def test_an_alert_of_no_group_is_named_by_its_rule(tmp_path: Path) -> None:
    assert alerts(samples.alert(group=""), tmp_path)[0]["labels"]["alertname"] == "urgent"


@pytest.mark.parametrize(
    ("state", "ends"),
    [
        (AlertState.OPENED, "2024-12-03T14:30:09.200Z"),
        (AlertState.GREW, "2024-12-03T14:30:09.200Z"),
        (AlertState.CLOSED, "2024-12-02T14:30:09.200Z"),
        (AlertState.WITHDRAWN, "2024-12-02T14:30:09.200Z"),
    ],
)
def test_an_open_alert_lasts_a_day_and_one_that_is_over_has_ended(
    state: AlertState, ends: str, tmp_path: Path
) -> None:
    (found,) = alerts(samples.alert(state=state), tmp_path)

    assert (found["startsAt"], found["endsAt"]) == ("2024-12-02T14:30:09.200Z", ends)


def test_no_link_s_name_hides_an_annotation(tmp_path: Path) -> None:
    (found,) = alerts(samples.alert(links={"revision": "https://x/", "à": "https://y/"}), tmp_path)

    assert found["annotations"]["revision"] == "1"
    assert "à" not in found["annotations"]


def test_when_the_severity_has_risen_what_it_was_before_ends(tmp_path: Path) -> None:
    risen = samples.alert(severity=Severity.CRITICAL, first_severity=Severity.MEDIUM, revision=3)

    found = alerts(risen, tmp_path)

    assert [each["labels"]["severity"] for each in found] == ["critical", "medium", "high"]
    assert [each["endsAt"] > each["startsAt"] for each in found] == [True, False, False]
    assert {each["labels"]["alert_id"] for each in found} == {risen.alert_id}


def test_when_the_severity_has_fallen_what_it_was_before_ends(tmp_path: Path) -> None:
    fallen = samples.alert(severity=Severity.MEDIUM, highest_severity=Severity.CRITICAL, revision=3)

    found = alerts(fallen, tmp_path)

    assert [each["labels"]["severity"] for each in found] == ["medium", "high", "critical"]
    assert [each["endsAt"] > each["startsAt"] for each in found] == [True, False, False]


def test_a_digest_ends_by_itself(tmp_path: Path) -> None:
    (found,) = alerts(samples.digest(), tmp_path)

    assert found["labels"] == {
        "alertname": "Tapewatch digest",
        "channel": "tested",
        "digest_id": "d" * 32,
        "severity": "high",
    }
    assert found["endsAt"] == "2024-12-02T16:00:00.000Z"


def test_without_links_there_is_no_url(tmp_path: Path) -> None:
    assert "generatorURL" not in alerts(samples.alert(links={}), tmp_path)[0]


def test_a_path_before_the_api_s_own_is_kept(tmp_path: Path, receiver: ReceiverProcess) -> None:
    given = samples.options("alertmanager", tmp_path) | {"url": receiver.url("/prefix/")}
    channel = samples.opened("alertmanager", given)
    answer = channel.send(channel.message(samples.alert()))

    assert isinstance(answer, Failed)
    assert answer.status == 404


def test_the_authorization_is_sent_but_is_no_part_of_the_message(
    tmp_path: Path, receiver: ReceiverProcess
) -> None:
    receiver.reset(secrets=["another"])
    channel = samples.opened("alertmanager", samples.options("alertmanager", tmp_path, receiver.url("")))
    message = channel.message(samples.alert())
    answer = channel.send(message)

    assert answer == Failed("it answered 401: Unauthorized", 401)
    assert "Authorization" not in message.headers


# --- the real one ---


@pytest.fixture
def real(tmp_path: Path) -> Iterator[str]:
    """A running Alertmanager's URL."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    (tmp_path / "alertmanager.yml").write_text(CONFIGURATION)
    process = subprocess.Popen(
        [
            ALERTMANAGER,
            f"--config.file={tmp_path / 'alertmanager.yml'}",
            f"--storage.path={tmp_path / 'data'}",
            f"--web.listen-address=127.0.0.1:{port}",
            "--cluster.listen-address=",
        ],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    url = f"http://127.0.0.1:{port}"
    try:
        for _ in range(200):
            try:
                urllib.request.urlopen(f"{url}/-/ready", timeout=5).close()  # noqa: S310 - our own
                break
            except (urllib.error.URLError, ConnectionError):
                time.sleep(0.1)
        yield url
    finally:
        process.kill()
        process.wait()


def firing(url: str) -> list[dict[str, Any]]:
    """Return the alerts that fire at a real Alertmanager."""
    with urllib.request.urlopen(f"{url}/api/v2/alerts", timeout=10) as answer:  # noqa: S310 - our own
        found: list[dict[str, Any]] = json.load(answer)
    now = dt.datetime.now(dt.UTC)
    return [each for each in found if dt.datetime.fromisoformat(each["endsAt"]) > now]


@needs_alertmanager
def test_a_real_alertmanager_follows_an_alert_from_its_opening_to_its_end(real: str, tmp_path: Path) -> None:
    channel = samples.opened("alertmanager", samples.options("alertmanager", tmp_path, real))
    now = dt.datetime.now(dt.UTC) - dt.timedelta(seconds=30)
    revisions: list[dict[str, Any]] = [
        {"state": AlertState.OPENED, "severity": Severity.MEDIUM},
        {"state": AlertState.GREW, "severity": Severity.MEDIUM, "count": 2},
        {"state": AlertState.GREW, "severity": Severity.CRITICAL, "first_severity": Severity.MEDIUM},
        {"state": AlertState.CLOSED, "severity": Severity.CRITICAL, "first_severity": Severity.MEDIUM},
    ]
    seen = []
    for number, changes in enumerate(revisions, 1):
        decided = (now + dt.timedelta(seconds=number)).isoformat().replace("+00:00", "Z")
        message = channel.message(samples.alert(revision=number, decided_at=decided, **changes))
        for _ in range(2):  # a repeat changes nothing
            assert channel.send(message) == Accepted(200)
        seen.append([(each["labels"]["severity"], each["annotations"]["revision"]) for each in firing(real)])

    assert seen == [[("medium", "1")], [("medium", "2")], [("critical", "3")], []]


@needs_alertmanager
def test_a_real_alertmanager_takes_odd_content(real: str, tmp_path: Path) -> None:
    channel = samples.opened("alertmanager", samples.options("alertmanager", tmp_path, real))
    now = dt.datetime.now(dt.UTC).isoformat().replace("+00:00", "Z")
    odd = samples.alert(
        symbol='ü😀"\\\n', message="\x00" * 10_000, links={"a b": "https://x/"}, decided_at=now
    )

    assert channel.send(channel.message(odd)) == Accepted(200)

    (found,) = firing(real)
    assert found["labels"]["symbol"] == 'ü😀"\\'
