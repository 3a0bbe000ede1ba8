import json
from pathlib import Path
from typing import Any

import pytest

from services.alerter.channels.base import Failed, Gone
from services.alerter.channels.slack import MARKS, escaped
from services.common.errors import TapewatchError
from services.contracts.alert import Alert, Digest
from services.contracts.anomaly import Severity
from tests.standins.receivers.faults import ReceiverFault
from tests.standins.receivers.process import ReceiverProcess
from tests.unit.services.alerter.channels import samples


def blocks(notice: Alert | Digest, folder: Path) -> dict[str, dict[str, Any]]:
    """Return a message's blocks by their types; of several sections, by `text`, `fields` and `table`."""
    body = json.loads(samples.opened("slack", samples.options("slack", folder)).message(notice).body)
    found = {block["type"]: block for block in body["blocks"] if block["type"] != "section"}
    for block in body["blocks"]:
        if block["type"] == "section":
            is_table = "```" in block.get("text", {}).get("text", "")
            found["table" if is_table else "fields" if "fields" in block else "text"] = block
    return found


def test_a_message_has_a_mark_the_sentence_the_numbers_a_table_and_buttons(tmp_path: Path) -> None:
    found = blocks(samples.alert(), tmp_path)

    assert found["header"]["text"]["text"] == "🟠 HIGH NVDA"
    assert found["text"]["text"]["text"].startswith("HIGH NVDA: Traded at 1,137.97")
    assert {"type": "mrkdwn", "text": "Price: 1,137.97", "verbatim": True} in found["fields"]["fields"]
    assert "14:30:08.75           137.95       5  sell\n" in found["table"]["text"]["text"]
    assert found["context"]["elements"][0]["text"].startswith("Revision 1: opened with 1 anomaly")
    assert [(button["text"]["text"], button["url"]) for button in found["actions"]["elements"]] == [
        ("Dashboard", "https://tapewatch.example/?id=1"),
        ("Kibana", "https://kibana.example/app#/1"),
    ]


def test_without_trades_and_links_there_is_no_table_and_no_button(tmp_path: Path) -> None:
    assert set(blocks(samples.alert(trades=[], links={}), tmp_path)) == {
        "header",
        "text",
        "fields",
        "context",
    }


def test_a_digest_says_how_many_were_held_back(tmp_path: Path) -> None:
    assert blocks(samples.digest(), tmp_path)["header"]["text"]["text"] == "🟠 Held back: 14"


def test_every_severity_has_a_mark() -> None:
    assert list(MARKS) == list(Severity)


def test_nobody_is_mentioned(tmp_path: Path) -> None:
    told = samples.alert(symbol="<!channel>", message="<@U123> & ```<https://x|y>", labels=["<!here>"])
    body = samples.opened("slack", samples.options("slack", tmp_path)).message(told).body

    document = json.loads(body)
    assert "<" not in document["text"]
    assert all("<" not in text for text in marked(document["blocks"]))


def marked(part: object) -> list[str]:
    """Return the texts in which Slack looks for its control characters."""
    if isinstance(part, list):
        return [text for each in part for text in marked(each)]
    if not isinstance(part, dict):
        return []
    if part.get("type") == "mrkdwn":
        return [part["text"]]
    return [text for each in part.values() for text in marked(each)]


@pytest.mark.parametrize("limit", [5, 6, 9, 10, 100])
def test_a_text_is_never_cut_within_an_escape(limit: int) -> None:
    found = escaped("a&&&&", limit)

    assert len(found) <= limit
    assert found == "a" + "&amp;" * ((min(limit, 21) - 1) // 5)


def test_the_reason_has_slack_s_own_word(tmp_path: Path, receiver: ReceiverProcess) -> None:
    receiver.reset([ReceiverFault("gone", 1)])
    channel = samples.opened("slack", samples.options("slack", tmp_path, receiver.url("")))
    bad = channel.message(samples.alert())
    answers = [channel.send(type(bad)(bad.key, b'{"text":"x"}')), channel.send(bad)]

    assert answers[0] == Failed("it answered 400: invalid_blocks", 400)
    assert isinstance(answers[1], Gone)


def test_a_url_given_plainly_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TapewatchError, match="the option url is unknown") as error:
        samples.opened("slack", {"url": "https://hooks.slack.com/services/T0/B0/s3cr3ts3cr3t"})

    assert "s3cr3ts3cr3t" not in str(error.value)
