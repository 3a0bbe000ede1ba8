import json
from pathlib import Path
from typing import Any

import pytest

from services.alerter.channels.base import Accepted, Failed
from services.alerter.channels.pagerduty import SEVERITIES
from services.contracts.alert import Alert, AlertState, Digest
from services.contracts.anomaly import Severity
from tests.standins.receivers.faults import ReceiverFault
from tests.standins.receivers.process import ReceiverProcess
from tests.unit.services.alerter.channels import samples


def event(notice: Alert | Digest, folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(
        samples.opened("pagerduty", samples.options("pagerduty", folder)).message(notice).body
    )
    return found


@pytest.mark.parametrize(
    ("state", "action"),
    [
        (AlertState.OPENED, "trigger"),
        (AlertState.GREW, "trigger"),
        (AlertState.CLOSED, "resolve"),
        (AlertState.WITHDRAWN, "resolve"),
    ],
)
def test_an_alert_triggers_until_it_is_over(state: AlertState, action: str, tmp_path: Path) -> None:
    found = event(samples.alert(state=state, revision=4), tmp_path)

    assert found["event_action"] == action
    assert found["dedup_key"] == samples.alert().alert_id
    assert found["payload"]["custom_details"]["revision"] == 4


def test_a_cancelled_print_of_a_closed_alert_does_not_open_it_again(tmp_path: Path) -> None:
    told = samples.alert(state=AlertState.CLOSED, revision=5, cancelled=["NVDA-109"])

    assert event(told, tmp_path)["event_action"] == "resolve"


def test_an_event_has_the_sentence_the_numbers_and_links(tmp_path: Path) -> None:
    found = event(samples.alert(), tmp_path)

    payload = found["payload"]
    assert payload["summary"] == "HIGH NVDA: Traded at 1,137.97, eight times the market's price."
    assert payload["severity"] == "error"
    assert payload["timestamp"] == "2024-12-02T14:30:09.200000Z"
    assert payload["custom_details"]["numbers"]["Price"] == "1,137.97"
    assert payload["custom_details"]["alert"]["symbol"] == "NVDA"
    assert len(payload["custom_details"]["trades"]) == 4
    assert found["client_url"] == "https://tapewatch.example/?id=1"
    assert [link["text"] for link in found["links"]] == ["Dashboard", "Kibana"]
    assert "images" not in found


def test_every_severity_has_pagerduty_s_word() -> None:
    assert list(SEVERITIES) == list(Severity)
    assert set(SEVERITIES.values()) == {"critical", "error", "warning", "info"}


def test_a_digest_is_an_event_of_its_own_that_wakes_nobody(tmp_path: Path) -> None:
    found = event(samples.digest(), tmp_path)

    assert (found["event_action"], found["dedup_key"]) == ("trigger", "d" * 32)
    assert found["payload"]["severity"] == "info"


def test_the_routing_key_is_added_when_it_is_sent(tmp_path: Path, receiver: ReceiverProcess) -> None:
    receiver.reset(secrets=[samples.ROUTING_KEY])
    channel = samples.opened("pagerduty", samples.options("pagerduty", tmp_path, receiver.url("")))
    message = channel.message(samples.alert())
    answer = channel.send(message)
    taken = receiver.taken()[0]

    assert answer == Accepted(202)
    assert json.loads(taken.body) == {"routing_key": samples.ROUTING_KEY, **json.loads(message.body)}


def test_a_wrong_routing_key_is_a_failed_try_with_pagerduty_s_reason(
    tmp_path: Path, receiver: ReceiverProcess
) -> None:
    given = samples.options("pagerduty", tmp_path, receiver.url(""))
    given["key_file"] = samples.secret_file(tmp_path, "short", "too-short-key")
    channel = samples.opened("pagerduty", given)

    answer = channel.send(channel.message(samples.alert()))

    assert isinstance(answer, Failed)
    assert answer.status == 400
    assert "Length of 'routing_key' is incorrect" in answer.reason
    assert "too-short-key" not in answer.reason


def test_429_asks_for_patience(tmp_path: Path, receiver: ReceiverProcess) -> None:
    receiver.reset([ReceiverFault("busy", 0, 30)])
    channel = samples.opened("pagerduty", samples.options("pagerduty", tmp_path, receiver.url("")))

    answer = channel.send(channel.message(samples.alert()))

    assert answer == Failed("it answered 429: too many", 429, 30.0)
