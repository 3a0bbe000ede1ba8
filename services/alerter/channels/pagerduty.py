"""PagerDuty's Events API v2: an alert triggers, its end resolves, and its id is the key that joins them."""

from collections.abc import Mapping
from typing import Any, ClassVar

import msgspec

from services.alerter.channels.base import Answer, Channel, Message
from services.alerter.channels.http import Endpoint
from services.alerter.channels.notice import ENDS, key_of, shown, told_at
from services.alerter.channels.options import read_options, secret_of
from services.alerter.channels.shorten import shortened
from services.alerter.channels.text import change, headline, links, name, numbers, table
from services.contracts.alert import Alert, Digest
from services.contracts.anomaly import Severity

SEVERITIES = {
    Severity.INFO: "info",
    Severity.LOW: "info",
    Severity.MEDIUM: "warning",
    Severity.HIGH: "error",
    Severity.CRITICAL: "critical",
}
"""PagerDuty's word for each of ours."""

SUMMARY = 1_024
"""Most characters of a summary."""
DETAILS_BYTES = 100_000
"""An event has at most 512 kB."""


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """Which service."""

    key_file: str
    """A file with the integration's routing key."""
    url: str = "https://events.pagerduty.com/v2/enqueue"
    allow_private: bool = False


class PagerDuty(Channel):
    """See `Channel`."""

    kind: ClassVar[str] = "pagerduty"
    options: ClassVar[type[msgspec.Struct]] = Options

    def __init__(self, name: str, options: Mapping[str, Any]) -> None:
        self.name = name
        chosen = read_options(options, Options)
        self._key = secret_of(chosen.key_file, "key_file")
        self._endpoint = Endpoint(
            chosen.url, option="url", allow_private=chosen.allow_private, secrets=[self._key]
        )

    def message(self, notice: Alert | Digest) -> Message:
        """See `Channel`; the routing key is added to it when it is sent."""
        alert = shown(notice)
        is_alert = isinstance(notice, Alert)
        details = {
            "revision": alert.revision if is_alert else 0,
            "change": change(notice),
            "numbers": numbers(notice),
            "trades": table(notice).split("\n"),
            "alert": shortened(notice, DETAILS_BYTES),
        }
        places = links(notice)
        event: dict[str, Any] = {
            "event_action": "resolve" if is_alert and alert.state in ENDS else "trigger",
            "dedup_key": alert.alert_id if is_alert else key_of(notice),
            "payload": {
                "summary": headline(notice)[:SUMMARY],
                "source": "tapewatch",
                # A digest tells of what nobody was to be woken for.
                "severity": SEVERITIES[alert.severity] if is_alert else "info",
                "timestamp": told_at(notice),
                "component": name(alert.symbol),
                "group": name(alert.rule),
                "class": name(alert.labels[0]) if alert.labels else "",
                "custom_details": details,
            },
            "client": "Tapewatch",
            "links": [{"href": link, "text": place} for place, link in places.items()],
        }
        if places:
            event["client_url"] = next(iter(places.values()))
        return Message(key_of(notice), msgspec.json.encode(event), {"Content-Type": "application/json"})

    def send(self, message: Message) -> Answer:
        """See `Channel`."""
        key = msgspec.json.encode({"routing_key": self._key})
        return self._endpoint.post(key[:-1] + b"," + message.body[1:], message.headers)
