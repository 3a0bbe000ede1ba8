import time
from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest
import urllib3
import yaml

from infra.demo.receiver import AlertReceiver
from services.alerter.channels.webhook import signature, signing_key


@pytest.fixture
def receiver(tmp_path: Path) -> Iterator[AlertReceiver]:
    with AlertReceiver(tmp_path) as running:
        yield running


def send(receiver: AlertReceiver, key: str, kind: str, *, secret: str | None = None) -> int:
    """Send a message as a webhook channel does; returns the status."""
    channel = yaml.safe_load(receiver.rules.read_text())["channels"]["demo"]
    body = orjson.dumps({"type": kind, "timestamp": "", "data": {"symbol": "NVDA"}})
    now_s = int(time.time())
    signed = signature(signing_key(secret or Path(channel["secret_files"][0]).read_text()), key, now_s, body)
    headers = {"webhook-id": key, "webhook-timestamp": str(now_s), "webhook-signature": signed}
    return urllib3.request("POST", channel["url"], body=body, headers=headers).status


def test_signed_message_is_taken_once(receiver: AlertReceiver) -> None:
    assert [send(receiver, "a.1", "alert.opened") for _ in range(2)] == [204, 204]
    assert send(receiver, "a.2", "alert.closed") == 204
    told = receiver.told
    assert (told.messages, len(told.opened), told.repeats) == (2, 1, 1)


def test_message_with_another_signature_is_refused(receiver: AlertReceiver) -> None:
    assert send(receiver, "a.1", "alert.opened", secret="whsec_" + "QUFB" * 11) == 401
    assert receiver.told.messages == 0


def test_secret_is_readable_by_its_owner_alone(receiver: AlertReceiver, tmp_path: Path) -> None:
    assert (tmp_path / "webhook-secret").stat().st_mode & 0o077 == 0
