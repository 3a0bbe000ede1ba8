"""Alerts, rules and a small world around a dispatcher: topics, receivers, and kills at any moment."""

import datetime as dt
import random
from collections.abc import Iterable
from dataclasses import dataclass, field

from services.alerter.channels.base import Accepted, Answer
from services.alerter.rules.model import ChannelSpec, Hours, Match, Route, Rule, Rules
from services.alerter.sending.dispatcher import Dispatcher
from services.alerter.sending.items import Ident, Item
from services.alerter.sending.past import Past
from services.alerter.silencing.silences import Silences
from services.contracts.alert import (
    Alert,
    AlertState,
    Delivery,
    Outcome,
    Print,
    Sending,
    Worst,
    decode_delivery,
    encode,
)
from services.contracts.anomaly import Severity

NOON_S = dt.datetime(2026, 3, 2, 12, tzinfo=dt.UTC).timestamp()
"""A Monday."""

NEVER = Hours(frozenset({5}), dt.time(1), dt.time(1, 30), "UTC")
"""Half an hour on Saturdays."""
RETRY_S = 24 * 3600.0


def an_alert(number: int = 1, revision: int = 1, /, **changes: object) -> Alert:
    """Return a revision of an alert; a different `number` is a different alert."""
    at = "2026-03-02T12:00:00.000000000Z"
    trade_id = f"t-{number}"
    fields: dict[str, object] = {
        "timestamp": at,
        "alert_id": f"{number:032x}",
        "revision": revision,
        "state": AlertState.OPENED if revision == 1 else AlertState.GREW,
        "symbol": "NVDA",
        "session": "2026-03-02",
        "rule": "all",
        "group": "Large Size",
        "labels": ["Large Size"],
        "severity": Severity.HIGH,
        "score": 0.9,
        "count": revision,
        "message": "A print of 50,000 shares, 40 times the usual size",
        "first_trade": trade_id,
        "last_trade": trade_id,
        "last_time": at,
        "anomalies": [trade_id],
        "worst": Worst(Print(trade_id, at, 137.97, 50_000, "B"), []),
        "quiet_s": 300.0,
    }
    return Alert(**(fields | changes))  # type: ignore[arg-type]


def some_rules(*channels: ChannelSpec, routes: Iterable[Route] = (), name: str = "all") -> Rules:
    """Return rules with one rule, which sends to the channels by the given routes, or always to all."""
    given = tuple(routes) or tuple(Route(channel.name) for channel in channels)
    rule = Rule(name, Match(), "label", 300.0, None, given)
    return Rules((rule,), {channel.name: channel for channel in channels}, "0" * 16)


def a_channel(name: str = "desk", budget: int | None = None) -> ChannelSpec:
    """Return a channel's description."""
    return ChannelSpec(name, "webhook", {}, budget)


@dataclass
class World:
    """Two topics, receivers, and senders one after another.

    Parameters
    ----------
    rules
        What goes where.
    retry_s
        How long is tried.
    """

    rules: Rules
    retry_s: float = RETRY_S
    now_s: float = NOON_S
    silences: Silences = field(default_factory=Silences)
    alerts: list[tuple[Alert, float]] = field(default_factory=list)
    records: list[bytes] = field(default_factory=list)
    commits: list[tuple[int, int, int]] = field(default_factory=lambda: [(0, 0, 0)])
    """Offset, first record, and how many records there were then."""
    received: dict[str, list[Ident]] = field(default_factory=dict)
    """By channel, what its receiver has accepted, in order."""
    letters: list[int] = field(default_factory=list)
    repeats_allowed: int = 0
    read_to: int = 0

    def __post_init__(self) -> None:
        self.start_sender()

    def start_sender(self) -> None:
        """Start a new process in place of the one before."""
        draw = random.Random(7)  # noqa: S311
        self.dispatcher = Dispatcher(self.rules, self.retry_s, self.silences, draw, self.now_s)
        self.restore()

    def restore(self) -> None:
        """Resume from what was committed."""
        pending = self.dispatcher.pending
        self.records += [encode(each) for each in pending]
        self.dispatcher.pending = []
        offset, first, _ = self.commits[-1]
        self.dispatcher.restore(self.past(first, len(self.records)), offset, len(self.records))
        self.read_to = offset

    def past(self, first: int, end: int) -> Past:
        past = Past(self.now_s)
        for place in range(first, end):
            past.add(decode_delivery(self.records[place]), place)
        return past

    def append(self, *alerts: Alert) -> None:
        """Write revisions."""
        self.alerts += [(alert, self.now_s) for alert in alerts]

    def turn(self, *, most: int = 1_000, aborts: bool = False) -> list[tuple[str, Item]]:
        """Read, decide, write and start; an aborted transaction writes nothing."""
        dispatcher = self.dispatcher
        for offset in range(self.read_to, min(len(self.alerts), self.read_to + most)):
            alert, at_s = self.alerts[offset]
            dispatcher.take(alert, offset, at_s, self.now_s)
            self.read_to = offset + 1
        chosen = dispatcher.next(self.now_s)
        if aborts:
            dispatcher.clear()
            self.restore()
            return []
        pending, dispatcher.pending = dispatcher.pending, []
        for delivery in pending:
            dispatcher.recorded(decode_delivery(encode(delivery)), len(self.records))
            self.records.append(encode(delivery))
        self.letters += [offset for offset, _ in dispatcher.letters]
        dispatcher.letters = []
        progress = dispatcher.progress
        self.commits.append((progress.resume_at, progress.first_record(self.now_s), len(self.records)))
        for name, item in chosen:
            assert dispatcher.channels[name].in_flight is None
            assert item.not_before_s <= self.now_s < item.deadline_s
            dispatcher.started(name, item, self.now_s)
        return chosen

    def answer(self, channel: str, answer: Answer | None = None, *, is_taken: bool | None = None) -> None:
        """Have a receiver answer, if its channel is sending; it may accept and still seem to fail."""
        item = self.dispatcher.channels[channel].in_flight
        if item is None:
            return
        answer = answer or Accepted(200)
        if is_taken or (is_taken is None and isinstance(answer, Accepted)):
            self.received.setdefault(channel, []).append(item.ident)
            self.repeats_allowed += not isinstance(answer, Accepted)
        self.dispatcher.answered(channel, answer, 0.01, self.now_s)

    def kill(self, *, is_taken: bool) -> None:
        """Kill the sender while its messages are on their way, and start another."""
        for name, state in self.dispatcher.channels.items():
            if state.in_flight is not None and is_taken:
                self.received.setdefault(name, []).append(state.in_flight.ident)
        for name in self.dispatcher.channels:
            # Accepted, and its record not written.
            unrecorded = any(
                each.channel == name and each.outcome is Outcome.SENT for each in self.dispatcher.pending
            )
            self.repeats_allowed += unrecorded or is_taken
        self.start_sender_without_memory()

    def start_sender_without_memory(self) -> None:
        """Start a process that knows nothing of the one before."""
        self.dispatcher.pending = []
        self.start_sender()

    def drain(self, most_turns: int = 2_000) -> None:
        """Let every receiver accept until nothing is left to do."""
        for _ in range(most_turns):
            self.turn()
            for name in self.dispatcher.channels:
                self.answer(name)
            self.turn()
            progress = self.dispatcher.progress
            is_idle = not self.dispatcher.is_sending and not self.dispatcher.pending
            if is_idle and progress.resume_at == len(self.alerts) and not self.queued():
                return
            self.now_s += 1800.0 if not self.dispatcher.is_sending else 0.0
        raise AssertionError("it never ends")

    def queued(self) -> int:
        """Return how many messages wait."""
        return sum(len(state.queue) for state in self.dispatcher.channels.values())

    def deliveries(self, *outcomes: Outcome) -> list[Delivery]:
        """Return the records with one of the outcomes, or all."""
        found = [decode_delivery(record) for record in self.records]
        return [each for each in found if not outcomes or each.outcome in outcomes]


def fits(alert: Alert) -> bool:
    """Tell whether a revision is to be told at all."""
    return alert.sending is Sending.DUE or alert.is_missed
