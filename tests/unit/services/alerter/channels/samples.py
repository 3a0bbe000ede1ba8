"""Alerts and channels for the tests."""

import base64
from pathlib import Path
from typing import Any

import msgspec

from services.alerter.channels.base import Channel
from services.alerter.channels.registry import open_channel
from services.alerter.rules.model import ChannelSpec
from services.contracts.alert import Alert, AlertState, Digest, Print, Worst
from services.contracts.anomaly import Detection, Severity

KEY = b"0123456789abcdef0123456789abcdef"
WEBHOOK_SECRET = "whsec_" + base64.b64encode(KEY).decode()
ROUTING_KEY = "0a1b2c3d4e5f60718293a4b5c6d7e8f9"
SLACK_PATH = "/services/T0/B0/s3cr3ts3cr3t"
AUTHORIZATION = "Bearer t0ken-of-the-alertmanager"
PASSWORD = "pass-w0rd-of-the-mail"
APPRISE_URL = "json://user:apprise-passw0rd@127.0.0.1:9/path"
SECRETS = (
    *(WEBHOOK_SECRET, ROUTING_KEY, "s3cr3ts3cr3t", AUTHORIZATION, AUTHORIZATION.split()[1], PASSWORD),
    *(WEBHOOK_SECRET.removeprefix("whsec_"), "apprise-passw0rd"),
)

TRADE = Print("NVDA-109", "2024-12-02T14:30:09.000000007Z", 1_137.97, 12_000, "buy")
TRADES = [
    Print("NVDA-107", "2024-12-02T14:30:08.5Z", 137.9, 100),
    Print("NVDA-108", "2024-12-02T14:30:08.75Z", 137.95, 5, "sell"),
    TRADE,
]


def alert(**changes: Any) -> Alert:
    """Return an alert's first revision, changed."""
    first = Alert(
        timestamp=TRADE.time,
        alert_id="0123456789abcdef" * 2,
        revision=1,
        state=AlertState.OPENED,
        symbol="NVDA",
        session="2024-12-02",
        rule="urgent",
        group="Off-Market Price",
        labels=["Off-Market Price"],
        severity=Severity.HIGH,
        score=0.834,
        count=1,
        message="Traded at 1,137.97, eight times the market's price.",
        first_trade=TRADE.trade_id,
        last_trade=TRADE.trade_id,
        last_time=TRADE.time,
        anomalies=[TRADE.trade_id],
        worst=Worst(
            TRADE, [Detection("price", "Off-Market Price", 0.834, 7.25, 0.1, 2.0, "far")], venue="XNAS"
        ),
        quiet_s=300.0,
        trades=TRADES,
        links={"dashboard": "https://tapewatch.example/?id=1", "kibana": "https://kibana.example/app#/1"},
        decided_at="2024-12-02T14:30:09.200000Z",
    )
    return msgspec.structs.replace(first, **changes)


def digest(**changes: Any) -> Digest:
    """Return a digest, changed."""
    first = Digest(
        timestamp="2024-12-02T15:00:00Z",
        digest_id="d" * 32,
        channel="tested",
        count=14,
        alerts=3,
        reason="the budget of 20 an hour was used up",
        worst=alert(),
    )
    return msgspec.structs.replace(first, **changes)


def secret_file(folder: Path, name: str, text: str) -> str:
    """Return a new file's path."""
    path = folder / name
    path.write_text(text + "\n")
    return str(path)


def options(kind: str, folder: Path, base: str = "http://127.0.0.1:9") -> dict[str, Any]:
    """Return the options of a channel that sends to a receiver."""
    found: dict[str, dict[str, Any]] = {
        "stdout": {},
        "webhook": {
            "url": f"{base}/webhook",
            "secret_files": [secret_file(folder, "hook", WEBHOOK_SECRET)],
            "allow_private": True,
        },
        "slack": {"url_file": secret_file(folder, "slack", base + SLACK_PATH), "allow_private": True},
        "pagerduty": {
            "url": f"{base}/v2/enqueue",
            "key_file": secret_file(folder, "pager", ROUTING_KEY),
            "allow_private": True,
        },
        "alertmanager": {
            "url": base,
            "authorization_file": secret_file(folder, "authorization", AUTHORIZATION),
            "allow_private": True,
        },
        "email": {
            "host": "127.0.0.1",
            "port": int(base.rpartition(":")[2]),
            "user": "watcher",
            "password_file": secret_file(folder, "password", PASSWORD),
            "from": "tapewatch@mail.example",
            "to": ["desk@mail.example", "second@mail.example"],
            "allow_private": True,
        },
        "apprise": {"url_file": secret_file(folder, "apprise", APPRISE_URL)},
    }
    return found[kind]


def opened(kind: str, given: dict[str, Any]) -> Channel:
    """Return a channel."""
    return open_channel(ChannelSpec("tested", kind, given))
