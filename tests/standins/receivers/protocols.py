"""What the services behind the protocols check: why they refuse a request, and its key."""

import base64
import hashlib
import hmac
import json
import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

TOLERANCE_S = 300
"""How far a webhook's time may be from now."""


@dataclass
class Refused(Exception):  # noqa: N818 - an answer
    """A request that is not what the protocol asks for."""

    status: int
    body: str
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Protocol:
    """One protocol.

    Parameters
    ----------
    check
        Takes the body, the headers and the receiver's secrets; returns the message's key or raises `Refused`.
    status
        Of the answer to a message that is taken.
    answer
        Its body, by the key.
    """

    check: Callable[[bytes, Mapping[str, str], Sequence[str]], str]
    status: int
    answer: Callable[[str], str]


def _document(body: bytes, refusal: str) -> Any:  # noqa: ANN401 - whatever was sent
    try:
        return json.loads(body)
    except ValueError:
        raise Refused(400, refusal) from None


def webhook(body: bytes, headers: Mapping[str, str], secrets: Sequence[str]) -> str:
    """Check a webhook by the Standard Webhooks specification, written apart from the sender's own code."""
    try:
        key, moment, given = (headers[f"webhook-{name}"] for name in ("id", "timestamp", "signature"))
        seconds = int(moment)
    except (KeyError, ValueError):
        raise Refused(400, "missing headers") from None
    if abs(time.time() - seconds) > TOLERANCE_S:
        raise Refused(400, "too old or too new")
    if len(body) >= 20_000:
        raise Refused(413, "too large")
    expected = []
    for secret in (one for one in secrets if one.startswith("whsec_")):
        mac = hmac.new(base64.b64decode(secret.split("_", 1)[-1]), digestmod=hashlib.sha256)
        mac.update(f"{key}.{moment}.".encode() + body)
        expected.append("v1," + base64.b64encode(mac.digest()).decode())
    if not set(expected) & set(given.split(" ")):
        raise Refused(401, "wrong signature")
    document = _document(body, "not JSON")
    if not isinstance(document, dict) or set(document) != {"type", "timestamp", "data"}:
        raise Refused(400, "not a webhook's fields")
    datetime.fromisoformat(document["timestamp"])
    return key


_TEXTS = {"plain_text", "mrkdwn"}
_LIMITS = {"header": 150, "section": 3_000}


def slack(body: bytes, headers: Mapping[str, str], secrets: Sequence[str]) -> str:
    """Check an incoming webhook's blocks; Slack has no key, so the first block's id stands for one."""
    document = _document(body, "invalid_payload")
    if not isinstance(document, dict) or not document.get("text"):
        raise Refused(400, "no_text")
    blocks = document.get("blocks", [])
    if not 0 < len(blocks) <= 50:
        raise Refused(400, "invalid_blocks")
    for block in blocks:
        if block["type"] not in ("header", "section", "context", "actions"):
            raise Refused(400, "invalid_blocks")
        texts = [block["text"]] if "text" in block else []
        for each in texts:
            if each["type"] not in _TEXTS or not 0 < len(each["text"]) <= _LIMITS[block["type"]]:
                raise Refused(400, "invalid_blocks")
        fields = block.get("fields", [])
        if len(fields) > 10 or any(not 0 < len(each["text"]) <= 2_000 for each in fields):
            raise Refused(400, "invalid_blocks")
        for each in block.get("elements", []):
            if each["type"] != "button":
                continue
            if (
                not re.fullmatch(r"https?://\S{1,2980}", each["url"])
                or not 0 < len(each["text"]["text"]) <= 75
            ):
                raise Refused(400, "invalid_blocks")
    return str(blocks[0].get("block_id", ""))


def pagerduty(body: bytes, headers: Mapping[str, str], secrets: Sequence[str]) -> str:
    """Check an event as PagerDuty does."""
    event = _document(body, '{"status":"invalid event","message":"Invalid JSON"}')
    errors = []
    if not isinstance(event, dict):
        event = {}
    if len(str(event.get("routing_key", ""))) != 32:
        errors.append("Length of 'routing_key' is incorrect (should be 32 characters)")
    if event.get("event_action") not in ("trigger", "acknowledge", "resolve"):
        errors.append("'event_action' is invalid (must be one of: trigger, acknowledge, resolve)")
    if not 0 < len(str(event.get("dedup_key", ""))) <= 255:
        errors.append("'dedup_key' is missing or too long")
    payload = event.get("payload", {})
    if event.get("event_action") == "trigger":
        errors += [
            f"'payload.{name}' is missing or blank"
            for name in ("summary", "source", "severity")
            if not payload.get(name)
        ]
    if len(payload.get("summary", "")) > 1_024:
        errors.append("'payload.summary' is too long")
    if payload.get("severity") not in (None, "critical", "error", "warning", "info"):
        errors.append("'payload.severity' is invalid")
    if len(body) > 512 * 1024:
        raise Refused(413, "")
    if errors:
        message = {"status": "invalid event", "message": "Event object is invalid", "errors": errors}
        raise Refused(400, json.dumps(message))
    if secrets and event["routing_key"] not in secrets:
        raise Refused(400, '{"status":"invalid event","message":"Invalid routing key"}')
    revision = payload.get("custom_details", {}).get("revision")
    return f"{event['dedup_key']}.{revision}" if revision else str(event["dedup_key"])


def alertmanager(body: bytes, headers: Mapping[str, str], secrets: Sequence[str]) -> str:
    """Check alerts as Alertmanager does; the key is of the first one."""
    if secrets and headers.get("authorization") not in secrets:
        raise Refused(401, "Unauthorized")
    alerts = _document(body, '{"code":400,"message":"invalid character"}')
    if not isinstance(alerts, list) or not alerts:
        raise Refused(422, '{"code":602,"message":"alerts in body is required"}')
    for alert in alerts:
        labels = alert.get("labels", {})
        if not labels or any(not value for value in labels.values()):
            raise Refused(400, '"at least one label pair required"')
        for name in (*labels, *alert.get("annotations", {})):
            if not re.fullmatch(r"[a-zA-Z_][a-zA-Z0-9_]*", name):
                raise Refused(400, f'"invalid label set: invalid name {name!r}"')
        starts, ends = (datetime.fromisoformat(alert[name]) for name in ("startsAt", "endsAt"))
        if ends < starts:
            raise Refused(400, '"start time must be before end time"')
    first = alerts[0]["labels"]
    if "alert_id" not in first:
        return str(first["digest_id"])
    return f"{first['alert_id']}.{alerts[0]['annotations']['revision']}"


def _no_body(_: str) -> str:
    return ""


PROTOCOLS = {
    "/webhook": Protocol(webhook, 204, _no_body),
    "/services/T0/B0/s3cr3ts3cr3t": Protocol(slack, 200, lambda _: "ok"),
    "/v2/enqueue": Protocol(
        pagerduty,
        202,
        lambda key: json.dumps(
            {"status": "success", "message": "Event processed", "dedup_key": key.partition(".")[0]}
        ),
    ),
    "/api/v2/alerts": Protocol(alertmanager, 200, _no_body),
}
"""By the path at which a receiver takes it."""
