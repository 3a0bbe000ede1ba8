"""Alerts as the topics `alerts`, `alert-deliveries` and `silences` carry them.

An alert is what people are told of anomalies that belong together: of one rule, symbol and group of labels,
with no longer pause between them than the rule's quiet time. What an alert is depends on event time and its
symbol alone, except for the fields that say otherwise.
"""

import hashlib
from enum import StrEnum
from typing import TypeVar

import msgspec

from services.contracts.anomaly import Detection, Severity

MAX_LISTED = 50
"""How many trade ids an alert lists of its anomalies, the newest ones."""


class AlertState(StrEnum):
    """Why a revision was written."""

    OPENED = "opened"
    GREW = "grew"
    """Its severity rose, its count doubled, or the venue cancelled one of its prints."""
    CLOSED = "closed"
    """The tape went on for the rule's quiet time without another anomaly."""
    WITHDRAWN = "withdrawn"
    """The detector has taken back all of its anomalies."""


class Sending(StrEnum):
    """Whether a revision is to be sent; decided once, by the clock, and recorded."""

    DUE = "due"
    STALE = "stale"
    """Its last trade was too old when it was decided."""


class Print(msgspec.Struct, gc=False, frozen=True, omit_defaults=True):
    """A trade as an alert shows it."""

    trade_id: str
    time: str
    """Event time, ISO 8601 UTC, up to nanoseconds."""
    price: float
    size: float
    side: str | None = None


class Worst(msgspec.Struct, gc=False, frozen=True, omit_defaults=True):
    """The anomaly that gives an alert its severity, score and message."""

    trade: Print
    detections: list[Detection]
    source: str | None = None
    venue: str | None = None


class Alert(msgspec.Struct, gc=False, frozen=True, omit_defaults=True):
    """One revision of an alert, in the order in which the JSON has its fields."""

    timestamp: str = msgspec.field(name="@timestamp")
    """Event time of its first anomaly, ISO 8601 UTC, up to nanoseconds: the same in every revision."""
    alert_id: str
    """32 hexadecimal digits; see `alert_id`."""
    revision: int
    """From 1, without a gap; the highest one counts."""
    state: AlertState
    symbol: str
    session: str
    """`YYYY-MM-DD`, of its first anomaly."""
    rule: str
    group: str
    """What its anomalies share besides rule and symbol: a label, a family of labels, or an empty text."""
    labels: list[str]
    """Of all its anomalies, in the order in which they came."""
    severity: Severity
    """The highest of its anomalies; so is the score."""
    score: float
    count: int
    """Anomalous trades so far."""
    message: str
    """A sentence for people; the worst anomaly's own, and what has become of the alert."""
    first_trade: str
    last_trade: str
    last_time: str
    """Event time of `last_trade`."""
    anomalies: list[str]
    """Trade ids, at most `MAX_LISTED`, the newest ones, in order."""
    worst: Worst
    quiet_s: float
    """The rule's quiet time: it closes when the tape's clock is so far past `last_time`."""
    first_severity: Severity | None = None
    """Severity of its first revision, if it has risen since."""
    highest_severity: Severity | None = None
    """The highest that a revision had, if it has fallen since; channels that were told then are told on."""
    cancelled: list[str] = []
    """Those of its trades that the venue has cancelled or corrected, in the order in which that was told."""
    inhibited_by: str | None = None
    """Id of the more urgent alert on the same symbol that keeps this revision from being sent."""
    trades: list[Print] = []
    """The symbol's last trades up to the worst one, in order, if the topic still has them."""
    links: dict[str, str] = msgspec.field(default_factory=lambda: {})  # noqa: PIE807 - always written
    """Where to look at it, by the place's name: `dashboard`, `kibana`."""
    sending: Sending = msgspec.field(default_factory=lambda: Sending.DUE)
    """Depends on the clock. Always written, as are links: a default that is made is not left out."""
    is_missed: bool = False
    """Of a stale one: it came live, and only an outage of Tapewatch made it stale. Depends on the clock."""
    decided_at: str = ""
    """When this revision was decided, ISO 8601 UTC. Depends on the clock."""


def alert_id(rule: str, symbol: str, group: str, session: str, first_trade: str) -> str:
    """Return the id of the alert that begins with a trade: 32 hexadecimal digits of a digest."""
    text = "\0".join((rule, symbol, group, session, first_trade))
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def alert_key(alert: Alert) -> str:
    """Return what receivers tell revisions apart by: `<alert_id>.<revision>`."""
    return f"{alert.alert_id}.{alert.revision}"


class Outcome(StrEnum):
    """What became of one try to send, or why there was none."""

    SENT = "sent"
    FAILED = "failed"
    """It will be tried again."""
    SILENCED = "silenced"
    """A silence matched, or a more urgent alert on the symbol inhibited it."""
    HELD = "held"
    """The channel's budget was used up, or it was outside its hours; a digest counts it."""
    QUEUED = "queued"
    """Of a digest alone: it was made, and waits to be sent."""
    DEAD = "dead"
    """Given up: too many tries, too old, or the channel is gone."""


class Digest(msgspec.Struct, gc=False, frozen=True, omit_defaults=True):
    """One message in place of several that were not sent."""

    timestamp: str = msgspec.field(name="@timestamp")
    """When it was made, ISO 8601 UTC."""
    digest_id: str
    channel: str
    count: int
    """Revisions that were not sent."""
    alerts: int
    """Different alerts among them."""
    reason: str
    """Why, as the middle of a sentence: `the budget of 20 an hour was used up`."""
    worst: Alert
    """The most urgent of them."""


class Delivery(msgspec.Struct, gc=False, frozen=True, omit_defaults=True):
    """A record of one try, or of why there was none."""

    timestamp: str = msgspec.field(name="@timestamp")
    """ISO 8601 UTC."""
    alert_id: str
    """Or a digest's id."""
    revision: int
    """0 of a digest."""
    channel: str
    outcome: Outcome
    attempt: int = 0
    """From 1; 0 where nothing was tried."""
    reason: str | None = None
    status: int | None = None
    """HTTP status of the answer, where there was one."""
    seconds: float | None = None
    """How long the try took."""
    retry_at: str | None = None
    """When it is tried again, of one that failed."""
    symbol: str | None = None
    severity: Severity | None = None
    rule: str | None = None
    silence_id: str | None = None
    alert_offset: int | None = None
    """Offset of the revision in `alerts`; None of a digest."""
    digest: Digest | None = None
    """Of a digest, so that every try sends the same, also after a restart."""


class Matcher(msgspec.Struct, gc=False, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """Which alerts a silence is about: those that fit every field that is not empty.

    One with an unknown field is not read: without that condition it would hold back too much.
    """

    symbols: list[str] = []
    """Names, or patterns with `*`."""
    labels: list[str] = []
    """One of the alert's must be among them."""
    rules: list[str] = []
    channels: list[str] = []
    below: Severity | None = None
    """Only alerts less urgent than that."""


class Silence(msgspec.Struct, gc=False, frozen=True, omit_defaults=True):
    """Alerts that are not to be sent for some time; the newest message of an id counts."""

    timestamp: str = msgspec.field(name="@timestamp")
    """When it was made, ISO 8601 UTC."""
    silence_id: str
    matcher: Matcher
    expires_at: str
    """ISO 8601 UTC; whoever ends it earlier sets this to the moment."""
    reason: str
    author: str
    expired_by: str | None = None
    """Who ended it before its time."""


def encode(document: Alert | Delivery | Silence) -> bytes:
    """Return the topic's message."""
    return msgspec.json.encode(document)


Document = TypeVar("Document", Alert, Delivery, Silence)

_alerts = msgspec.json.Decoder(Alert)
_deliveries = msgspec.json.Decoder(Delivery)
_silences = msgspec.json.Decoder(Silence)


def decode_alert(value: bytes) -> Alert:
    """Return the alert of a message; raises `ValueError` if it is none."""
    return _decoded(value, _alerts)


def decode_delivery(value: bytes) -> Delivery:
    """Return the record of a message; raises `ValueError` if it is none."""
    return _decoded(value, _deliveries)


def decode_silence(value: bytes) -> Silence:
    """Return the silence of a message; raises `ValueError` if it is none."""
    return _decoded(value, _silences)


def _decoded(value: bytes, decoder: msgspec.json.Decoder[Document]) -> Document:
    try:
        return decoder.decode(value)  # its own errors, and those of text that is not UTF-8, are a ValueError
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error
