"""Slack's incoming webhooks, with blocks.

Slack has no key to tell repeats by: a message whose answer was lost is sent again, and people see it twice.
"""

from collections.abc import Mapping
from typing import Any, ClassVar

import msgspec

from services.alerter.channels.base import Answer, Channel, Message
from services.alerter.channels.http import Endpoint
from services.alerter.channels.notice import key_of, shown
from services.alerter.channels.options import read_options, secret_of
from services.alerter.channels.text import change, headline, links, name, numbers, table
from services.contracts.alert import Alert, Digest
from services.contracts.anomaly import Severity

MARKS = {
    Severity.INFO: "⚪",
    Severity.LOW: "🔵",
    Severity.MEDIUM: "🟣",
    Severity.HIGH: "🟠",
    Severity.CRITICAL: "🔴",
}
"""As the dashboard's colors."""

HEADER, SECTION, FIELD, BLOCK_ID = 150, 3_000, 2_000, 255
"""Most characters of Slack's blocks; those of a section also hold for the whole message's `text` here."""


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """Where to."""

    url_file: str
    """A file with the incoming webhook's URL, which is a secret."""
    allow_private: bool = False


class Slack(Channel):
    """See `Channel`."""

    kind: ClassVar[str] = "slack"
    options: ClassVar[type[msgspec.Struct]] = Options

    def __init__(self, name: str, options: Mapping[str, Any]) -> None:
        self.name = name
        chosen = read_options(options, Options)
        self._endpoint = Endpoint(
            secret_of(chosen.url_file, "url_file"),
            option="url_file",
            allow_private=chosen.allow_private,
            is_secret=True,
        )

    def message(self, notice: Alert | Digest) -> Message:
        """See `Channel`."""
        alert = shown(notice)
        if isinstance(notice, Alert):
            title = f"{MARKS[alert.severity]} {alert.severity.upper()} {name(alert.symbol)}"
        else:
            title = f"{MARKS[alert.severity]} Held back: {notice.count:,}"
        blocks: list[dict[str, Any]] = [
            {
                "type": "header",
                "block_id": key_of(notice)[:BLOCK_ID],
                "text": {"type": "plain_text", "text": title[:HEADER], "emoji": True},
            },
            {"type": "section", "text": _markdown(headline(notice), SECTION)},
            {
                "type": "section",
                "fields": [_markdown(f"{what}: {value}", FIELD) for what, value in numbers(notice).items()],
            },
        ]
        if trades := table(notice):
            blocks.append({"type": "section", "text": _code(trades)})
        blocks.append({"type": "context", "elements": [_markdown(change(notice), SECTION)]})
        if places := links(notice):
            buttons = [
                {"type": "button", "text": {"type": "plain_text", "text": place}, "url": link}
                for place, link in places.items()
            ]
            blocks.append({"type": "actions", "elements": buttons})
        document = {"text": escaped(headline(notice), SECTION), "blocks": blocks}
        return Message(key_of(notice), msgspec.json.encode(document), {"Content-Type": "application/json"})

    def send(self, message: Message) -> Answer:
        """See `Channel`."""
        return self._endpoint.post(message.body, message.headers)


def escaped(text: str, limit: int) -> str:
    """Return a text without Slack's control characters, so that it mentions nobody, at most so long."""
    found = ""
    for letter in text:
        piece = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}.get(letter, letter)
        if len(found) + len(piece) > limit:
            break
        found += piece
    return found


def _markdown(text: str, limit: int) -> dict[str, Any]:
    # What a name has of `*`, `_` and the like changes at most how the line looks.
    return {"type": "mrkdwn", "text": escaped(text, limit), "verbatim": True}


def _code(text: str) -> dict[str, Any]:
    inside = escaped(text.replace("`", "'"), SECTION - 8)
    return {"type": "mrkdwn", "text": f"```\n{inside}\n```", "verbatim": True}
