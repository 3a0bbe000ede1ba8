"""What a case is: a view of its entries, none of which is ever changed or deleted. No I/O."""

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from services.common.errors import TapewatchError


class Action(StrEnum):
    """What an entry says was done."""

    ACKNOWLEDGED = "acknowledged"
    ASSIGNED = "assigned"
    """To a person, or to nobody."""
    COMMENTED = "commented"
    LINKED = "linked"
    """To another alert that belongs to it."""
    CLOSED = "closed"
    REOPENED = "reopened"


class Outcome(StrEnum):
    """What an alert turned out to be."""

    CONFIRMED = "confirmed"
    FALSE_ALARM = "false alarm"
    INCONCLUSIVE = "inconclusive"


VERDICTS = (Outcome.CONFIRMED, Outcome.FALSE_ALARM)
"""Outcomes that are verdicts on the alert's anomalies."""


@dataclass(frozen=True)
class Step:
    """What somebody wants to do.

    Parameters
    ----------
    action
        What.
    comment
        Why; needed where it is all there is. Cut at `MAX_COMMENT` characters.
    assignee
        Of `ASSIGNED`: to whom; empty for nobody. Cut at `MAX_NAME` characters.
    linked_to
        Of `LINKED`: the other alert's id.
    outcome
        Of `CLOSED`.
    """

    action: Action
    comment: str = ""
    assignee: str | None = None
    linked_to: str | None = None
    outcome: Outcome | None = None


@dataclass(frozen=True)
class Entry:
    """A step that was taken."""

    alert_id: str
    symbol: str
    number: int
    """From 1, without a gap."""
    action: Action
    recorded_by: str
    recorded_at: dt.datetime
    """UTC, to the millisecond."""
    signed_in: bool = False
    """Whether a sign-in has proven the name."""
    comment: str = ""
    assignee: str | None = None
    linked_to: str | None = None
    outcome: Outcome | None = None
    """Of one that closes; of one that reopens, what is taken back."""
    trades: tuple[str, ...] = ()
    """Ids of the trades that the outcome is about."""

    @property
    def sentence(self) -> str:
        """What was done, as the rest of a sentence about who did it: `closed it as false alarm`."""
        match self.action:
            case Action.ASSIGNED:
                return f"assigned it to {self.assignee}" if self.assignee else "assigned it to nobody"
            case Action.COMMENTED:
                return "commented"
            case Action.LINKED:
                return f"linked it to {self.linked_to}"
            case Action.CLOSED:
                return f"closed it as {self.outcome}"
            case _:
                return f"{self.action} it"


@dataclass(frozen=True)
class Case:
    """A case as its entries say it is."""

    entries: tuple[Entry, ...] = ()
    """All of them, in order."""
    acknowledged: Entry | None = None
    """The first one that did, since it was opened last."""
    assignee: str | None = None
    links: tuple[str, ...] = ()
    """Ids of other alerts, each once, in the order in which they were linked."""
    closed: Entry | None = None
    """Of one that is closed, the entry that did."""


def case_of(entries: Iterable[Entry]) -> Case:
    """Return a case from all of its entries, in any order."""
    ordered = tuple(sorted(entries, key=lambda entry: entry.number))
    acknowledged = closed = assignee = None
    links: dict[str, None] = {}
    for entry in ordered:
        match entry.action:
            case Action.ACKNOWLEDGED:
                acknowledged = acknowledged or entry
            case Action.ASSIGNED:
                assignee = entry.assignee or None
            case Action.LINKED if entry.linked_to:
                links[entry.linked_to] = None
            case Action.CLOSED:
                closed = entry
            case Action.REOPENED:
                acknowledged = closed = None
    return Case(ordered, acknowledged, assignee, tuple(links), closed)


def refusal(case: Case, step: Step) -> TapewatchError | None:
    """Say why a step cannot be taken in a case as it is; None if it can."""
    is_closed = case.closed is not None
    if step.action is Action.CLOSED and is_closed:
        return TapewatchError("The case is closed already.", "Reopen it to close it otherwise.")
    if step.action is Action.CLOSED and step.outcome is None:
        return TapewatchError("The outcome is missing.", "Choose one: confirmed, false alarm, inconclusive.")
    if step.action is Action.REOPENED and not is_closed:
        return TapewatchError("The case is open already.", "Nothing needs to be done.")
    if step.action is Action.ACKNOWLEDGED and is_closed:
        return TapewatchError("The case is closed.", "Reopen it to work on it again.")
    if step.action is Action.ACKNOWLEDGED and case.acknowledged is not None:
        return TapewatchError(
            f"{case.acknowledged.recorded_by} has acknowledged it already.", "Nothing needs to be done."
        )
    if step.action is Action.COMMENTED and not step.comment.strip():
        return TapewatchError("The comment is empty.", "Write what there is to say.")
    if step.action is Action.LINKED and step.linked_to in case.links:
        return TapewatchError("It is linked to that alert already.", "Nothing needs to be done.")
    if step.action is Action.LINKED and not step.linked_to:
        return TapewatchError("The other alert's id is missing.", "Copy it from that alert's page.")
    return None
