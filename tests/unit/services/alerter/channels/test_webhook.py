import base64
import json
import time
from pathlib import Path
from typing import Any

import pytest

from services.alerter.channels.base import Accepted, Failed
from services.alerter.channels.webhook import MOST_BYTES, signature, signing_key
from services.common.errors import TapewatchError
from tests.standins.receivers.process import ReceiverProcess
from tests.unit.services.alerter.channels import samples

OLD_SECRET = "whsec_" + base64.b64encode(b"o" * 24).decode()


def test_the_specification_s_own_example_has_its_signature() -> None:
    key = signing_key("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")

    signed = signature(key, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}')

    assert signed == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


@pytest.mark.parametrize("size", [24, 32, 64])
def test_keys_of_24_to_64_bytes_are_taken(size: int) -> None:
    assert signing_key("whsec_" + base64.b64encode(b"k" * size).decode()) == b"k" * size


@pytest.mark.parametrize(
    "secret",
    [
        *(base64.b64encode(b"k" * size).decode() for size in (0, 23, 65)),
        *("whsec_not base64", "whsec_abc", "plain-secret-of-some-length"),
    ],
)
def test_another_secret_is_refused_without_showing_it(secret: str, tmp_path: Path) -> None:
    given = samples.options("webhook", tmp_path) | {
        "secret_files": [samples.secret_file(tmp_path, "bad", secret or "-")]
    }

    with pytest.raises(TapewatchError, match="secret_files") as error:
        samples.opened("webhook", given)
    assert not secret or secret not in str(error.value)


def test_the_body_has_type_time_and_the_alert_s_fields(tmp_path: Path) -> None:
    channel = samples.opened("webhook", samples.options("webhook", tmp_path))

    message = channel.message(samples.alert(revision=3, count=4))

    body = json.loads(message.body)
    assert body["type"] == "alert.opened"
    assert body["timestamp"] == "2024-12-02T14:30:09.200000Z"
    assert body["data"]["alert_id"] == samples.alert().alert_id
    assert (body["data"]["revision"], body["data"]["count"]) == (3, 4)
    assert message.headers["webhook-id"] == f"{samples.alert().alert_id}.3"


def test_a_digest_has_its_own_type_and_id(tmp_path: Path) -> None:
    channel = samples.opened("webhook", samples.options("webhook", tmp_path))

    message = channel.message(samples.digest())

    body = json.loads(message.body)
    assert body["type"] == "alert.digest"
    assert (body["data"]["count"], body["data"]["alerts"]) == (14, 3)
    assert message.headers["webhook-id"] == "d" * 32


def test_what_is_cut_from_a_long_alert_is_said(tmp_path: Path) -> None:
    channel = samples.opened("webhook", samples.options("webhook", tmp_path))
    cancelled = [f"trade-{number}" for number in range(5_000)]

    message = channel.message(samples.alert(cancelled=cancelled, message="m" * 10_000))

    data = json.loads(message.body)["data"]
    assert len(message.body) < MOST_BYTES
    assert data["truncated"] == ["message", "cancelled"]
    assert (data["cancelled"][0], data["cancelled"][-1]) == ("trade-0", "trade-4999")


@pytest.mark.parametrize("known", [OLD_SECRET, samples.WEBHOOK_SECRET])
def test_while_secrets_are_rotated_either_receiver_takes_it(
    tmp_path: Path, receiver: ReceiverProcess, known: str
) -> None:
    files = [
        samples.secret_file(tmp_path, f"secret{number}", secret)
        for number, secret in enumerate((samples.WEBHOOK_SECRET, OLD_SECRET))
    ]
    receiver.reset(secrets=[known])
    given = samples.options("webhook", tmp_path, receiver.url("")) | {"secret_files": files}
    channel = samples.opened("webhook", given)
    answer = channel.send(channel.message(samples.alert()))
    taken = receiver.taken()

    assert answer == Accepted(204)
    assert len(taken[0].headers["webhook-signature"].split()) == 2


def test_a_receiver_with_another_secret_takes_nothing(tmp_path: Path, receiver: ReceiverProcess) -> None:
    receiver.reset(secrets=[OLD_SECRET])
    channel = samples.opened("webhook", samples.options("webhook", tmp_path, receiver.url("")))
    answer = channel.send(channel.message(samples.alert()))
    taken = receiver.taken()

    assert answer == Failed("it answered 401: wrong signature", 401)
    assert taken == []


def test_each_try_has_its_own_time_and_the_same_body(
    tmp_path: Path, receiver: ReceiverProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    now_s = time.time()
    receiver.reset(secrets=[samples.WEBHOOK_SECRET])
    channel = samples.opened("webhook", samples.options("webhook", tmp_path, receiver.url("")))
    message = channel.message(samples.alert())
    for later_s in (0, 100):
        monkeypatch.setattr(time, "time", lambda later_s=later_s: now_s + later_s)
        channel.send(message)
    first, second = receiver.taken()

    assert first.body == second.body
    assert int(second.headers["webhook-timestamp"]) - int(first.headers["webhook-timestamp"]) == 100


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"url_file": "/nowhere"}, "exactly one of the options url and url_file"),
        ({"url": None}, "exactly one of the options url and url_file"),
        ({"secret_files": []}, "secret_files names no file"),
        ({"secret_files": ["/nowhere/secret"]}, "/nowhere/secret cannot be read"),
        ({"url": "nonsense"}, "the option url is not an http or https URL"),
    ],
)
def test_impossible_options_are_refused(changes: dict[str, Any], reason: str, tmp_path: Path) -> None:
    with pytest.raises(TapewatchError, match=reason):
        samples.opened("webhook", samples.options("webhook", tmp_path) | changes)
