"""Prometheus' Alertmanager, API v2: an alert by its labels, which end with it."""

import datetime as dt
import re
from collections.abc import Mapping
from typing import Any, ClassVar

import msgspec

from services.alerter.channels.base import Answer, Channel, Message
from services.alerter.channels.http import Endpoint
from services.alerter.channels.notice import ENDS, key_of, shown, told_moment
from services.alerter.channels.options import read_options, secret_of
from services.alerter.channels.shorten import one_line
from services.alerter.channels.text import change, headline, links, numbers, table
from services.alerter.rules.model import SEVERITIES, rank
from services.contracts.alert import Alert, Digest
from services.contracts.anomaly import Severity
from services.contracts.iso_time import iso_utc

PATH = "/api/v2/alerts"
OPEN_FOR = dt.timedelta(hours=24)
"""An alert of which nothing more is heard ends there after that time."""
DIGEST_FOR = dt.timedelta(hours=1)
LABEL = 200
"""Most characters of a label."""

_LABEL_NAME = re.compile("[a-zA-Z_][a-zA-Z0-9_]*")


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """Which Alertmanager."""

    url: str
    """Without the API's path."""
    authorization_file: str | None = None
    """A file with the value of the header `Authorization`, where it asks for one."""
    allow_private: bool = False


class Alertmanager(Channel):
    """See `Channel`."""

    kind: ClassVar[str] = "alertmanager"
    options: ClassVar[type[msgspec.Struct]] = Options

    def __init__(self, name: str, options: Mapping[str, Any]) -> None:
        self.name = name
        chosen = read_options(options, Options)
        self._secret_headers = {}
        secrets = []
        if chosen.authorization_file is not None:
            value = secret_of(chosen.authorization_file, "authorization_file")
            if not value.isascii():
                raise ValueError("the file of the option authorization_file has characters beyond ASCII")
            self._secret_headers = {"Authorization": value}
            secrets = [value, value.rpartition(" ")[2]]
        self._endpoint = Endpoint(
            chosen.url.rstrip("/") + PATH, option="url", allow_private=chosen.allow_private, secrets=secrets
        )

    def message(self, notice: Alert | Digest) -> Message:
        """See `Channel`."""
        alert = shown(notice)
        told = told_moment(notice)
        if isinstance(notice, Digest):
            labels = {
                "alertname": "Tapewatch digest",
                "digest_id": notice.digest_id,
                "channel": notice.channel,
            }
            ends = told + DIGEST_FOR
        else:
            labels = {
                "alertname": alert.group or alert.rule,
                "symbol": alert.symbol,
                "rule": alert.rule,
                "alert_id": alert.alert_id,
            }
            ends = told if alert.state in ENDS else told + OPEN_FOR
        places = links(notice)
        told_once = {
            "annotations": {
                **{place.lower(): link for place, link in places.items() if _LABEL_NAME.fullmatch(place)},
                "summary": headline(notice),
                "description": change(notice),
                "numbers": ", ".join(f"{what}: {value}" for what, value in numbers(notice).items()),
                "trades": table(notice),
                "revision": str(alert.revision if isinstance(notice, Alert) else 0),
            },
            **({"generatorURL": next(iter(places.values()))} if places else {}),
        }
        body = [
            {
                "labels": _labels(labels, severity),
                "startsAt": iso_utc(told, "milliseconds"),
                "endsAt": iso_utc(ends if severity is alert.severity else told, "milliseconds"),
                **told_once,
            }
            for severity in (alert.severity, *_left_behind(notice))
        ]
        return Message(key_of(notice), msgspec.json.encode(body), {"Content-Type": "application/json"})

    def send(self, message: Message) -> Answer:
        """See `Channel`."""
        return self._endpoint.post(message.body, {**message.headers, **self._secret_headers})


def _left_behind(notice: Alert | Digest) -> tuple[Severity, ...]:
    """Return the other severities that it had, if any.

    With other labels it was another alert there, which has to end.
    """
    if isinstance(notice, Digest):
        return ()
    lowest = rank(notice.first_severity or notice.severity)
    highest = rank(notice.highest_severity or notice.severity)
    return tuple(one for one in SEVERITIES[lowest : highest + 1] if one is not notice.severity)


def _labels(labels: Mapping[str, str], severity: Severity) -> dict[str, str]:
    """Return labels as Alertmanager takes them: none is empty."""
    found = {name: one_line(value, LABEL) for name, value in labels.items()} | {"severity": str(severity)}
    return {name: value for name, value in found.items() if value}
