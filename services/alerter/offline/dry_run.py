"""What past anomalies would have sent by some rules: nothing is sent, and no broker is needed.

Alerts are decided as the live alerter decides them. The clock is that of the trades: hours and budgets of
channels are applied to the event time at which a revision would have been written, and at the end every
alert closes. Silences are not applied, and digests are not counted.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from services.alerter.deciding.decider import Decider
from services.alerter.rules.model import Rules
from services.alerter.seen import Seen, ns_of, read_seen
from services.alerter.sending.budget import Budget
from services.alerter.sending.routing import channels_of, is_open
from services.contracts.alert import Alert
from services.contracts.anomaly import TAPE_CLOCK, Severity

_SECOND_NS = 1_000_000_000
_NEVER_NS = 2**63 - 1


class Fate(StrEnum):
    """What would have become of a revision on a channel."""

    SENT = "sent"
    INHIBITED = "inhibited"
    """A more urgent alert on the symbol was open."""
    OUTSIDE_HOURS = "outside hours"
    OVER_BUDGET = "over budget"


class Message(NamedTuple):
    """A revision that goes to a channel, at an event time in seconds since 1970."""

    at_s: float
    alert: Alert
    channel: str
    fate: Fate


@dataclass(frozen=True)
class DryRun:
    """What a dry run has found.

    Parameters
    ----------
    rules
        By which.
    anomalies
        How many trades were flagged, `info` aside.
    symbols, days
        How many symbols and sessions they are from.
    alerts
        The last revision of each alert, in the order in which they opened.
    messages
        What goes to channels, in the order of the times.
    """

    rules: Rules
    anomalies: int
    symbols: int
    days: int
    alerts: list[Alert]
    messages: list[Message]

    @property
    def sent(self) -> list[Message]:
        """The messages that would have been sent."""
        return [message for message in self.messages if message.fate is Fate.SENT]

    def fates(self) -> dict[tuple[str, str], Counter[Fate]]:
        """Count what becomes of messages, by rule and channel, in the order of the rules."""
        routes = [(rule.name, route.channel) for rule in self.rules.rules for route in rule.send]
        found: dict[tuple[str, str], Counter[Fate]] = {route: Counter() for route in routes}
        for message in self.messages:
            found[message.alert.rule, message.channel][message.fate] += 1
        return found

    def told(self, rule: str, channel: str) -> int:
        """Return of how many alerts a rule would have sent something to a channel."""
        return len(
            {one.alert.alert_id for one in self.sent if (one.alert.rule, one.channel) == (rule, channel)}
        )

    def severities(self) -> dict[Severity, tuple[int, int]]:
        """Count alerts, and the messages sent, by severity, the most urgent first; without empty ones."""
        alerts = Counter(alert.severity for alert in self.alerts)
        sent = Counter(message.alert.severity for message in self.sent)
        return {
            severity: (alerts[severity], sent[severity])
            for severity in reversed(Severity)
            if alerts[severity] or sent[severity]
        }

    def summary(self) -> str:
        """Return all of it in one or two sentences."""
        text = (
            f"{_number(self.anomalies, 'anomaly', 'anomalies')} of "
            f"{_number(self.symbols, 'symbol', 'symbols')} on {_number(self.days, 'day', 'days')} would have "
            f"made {_number(len(self.alerts), 'alert', 'alerts')} and sent "
            f"{_number(len(self.sent), 'message', 'messages')}."
        )
        if held := sum(message.fate is Fate.OVER_BUDGET for message in self.messages):
            text += f" Budgets would have held back {held:,} more, counted in digests."
        return text

    def worst(self, count: int) -> list[Alert]:
        """Return the most urgent alerts, the worst first; of equal ones the earlier first."""
        severities = tuple(Severity)
        return sorted(self.alerts, key=lambda alert: (-severities.index(alert.severity), -alert.score))[
            :count
        ]


def dry_run(anomalies: Iterable[Seen], rules: Rules) -> DryRun:
    """Decide and route anomalies of past days.

    Parameters
    ----------
    anomalies
        In any order, each symbol's revisions of one anomaly in theirs.
    rules
        Which of them are told, how they are grouped, and where they are sent.
    """
    decider = Decider(rules)
    written: list[tuple[float, Alert]] = []
    flagged: set[tuple[str, str]] = set()
    days: set[str] = set()
    for seen in sorted(anomalies, key=_came_ns):
        if seen.severity is not Severity.INFO:
            flagged.add((seen.symbol, seen.trade_id))
            days.add(seen.session)
        for alert in decider.anomaly(seen):
            written.append((_written_s(alert, _came_ns(seen) / _SECOND_NS), alert))
    written += [(_ended_s(alert), alert) for alert in decider.clock(_NEVER_NS)]
    last = {alert.alert_id: alert for _, alert in written}
    written.sort(key=lambda one: one[0])
    return DryRun(
        rules=rules,
        anomalies=len(flagged),
        symbols=len({symbol for symbol, _ in flagged}),
        days=len(days),
        alerts=list(last.values()),
        messages=_routed(rules, written),
    )


def read_published(value: bytes, brought_ns: int) -> Seen:
    """Read an anomaly, or a revision of one, that a run over past trades has found.

    Parameters
    ----------
    value
        Its JSON.
    brought_ns
        Event time of the trade that brings it, ns since 1970.

    Raises
    ------
    NotAnAnomalyError
        It is none.
    """
    return read_seen(value, [(TAPE_CLOCK, str(brought_ns))])


def _came_ns(seen: Seen) -> int:
    return max(seen.event_ns, seen.clock_ns)


def _written_s(alert: Alert, now_s: float) -> float:
    """Return when a revision is written: at once, but of one that has ended once its quiet time is over."""
    return min(_ended_s(alert), now_s)


def _ended_s(alert: Alert) -> float:
    return ns_of(alert.last_time) / _SECOND_NS + alert.quiet_s


def _number(count: int, one: str, many: str) -> str:
    return f"{count:,} {one if count == 1 else many}"


def _routed(rules: Rules, written: list[tuple[float, Alert]]) -> list[Message]:
    budgets = {name: Budget(spec.budget_per_hour) for name, spec in rules.channels.items()}
    messages = []
    for at_s, alert in written:
        for channel, hours in channels_of(rules, alert).items():
            budget = budgets[channel]
            if alert.inhibited_by is not None:
                fate = Fate.INHIBITED
            elif not is_open(hours, at_s):
                fate = Fate.OUTSIDE_HOURS
            elif not budget.has_room(at_s):
                fate = Fate.OVER_BUDGET
            else:
                fate = Fate.SENT
                budget.spend(at_s)
            messages.append(Message(at_s, alert, channel, fate))
    return messages
