"""What a venue's frames hold, in the words of Tapewatch."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from services.contracts.correction import Correction
from services.contracts.feed_event import FeedEvent


class Print(msgspec.Struct, frozen=True, gc=False):
    """A trade.

    Parameters
    ----------
    symbol
        As the venue writes it.
    trade_id
        Its identity, the same however it came.
    tape_ns
        When the tape showed it, in ns since 1970.
    number
        Where the venue numbers each symbol's prints without a gap: its number. Else 0.
    value
        The message for the topic `trades`.
    reference
        What the venue's corrections name it by, where these do not tell its `trade_id`. Else empty.
    """

    symbol: str
    trade_id: str
    tape_ns: int
    number: int
    value: bytes
    reference: str = ""


@dataclass(frozen=True)
class LastNumber:
    """A venue says which number a symbol's last print had."""

    symbol: str
    number: int


@dataclass(frozen=True)
class Refusal:
    """A venue refuses what was asked for.

    Parameters
    ----------
    reason
        Its own words.
    hint
        What to do; None if a later try may succeed.
    """

    reason: str
    hint: str | None


@dataclass(frozen=True)
class Skipped:
    """A venue says that it has skipped records for a slow reader, or is about to close."""

    reason: str


@dataclass(frozen=True)
class Replayed:
    """A venue has replayed what was asked for, and is live from now on."""


@dataclass(frozen=True)
class BadMessage:
    """A message that could not be used, or a part of one.

    Parameters
    ----------
    raw
        Its bytes.
    reason
        Why.
    """

    raw: bytes
    reason: str


@dataclass(frozen=True)
class HistoryRequest:
    """A question for a venue's past prints of a symbol.

    Parameters
    ----------
    symbol
        The symbol.
    path
        Path and query below the address of the venue's history.
    state
        What the venue's reader of the answer needs to know, as JSON has it.
    """

    symbol: str
    path: str
    state: Sequence[Any] = ()


@dataclass(frozen=True)
class ReferringCorrection:
    """A correction of a trade that the venue does not name by all that its `trade_id` is made of.

    Parameters
    ----------
    correction
        The correction, without a `trade_id`.
    reference
        As in the trade's `Print.reference`.
    renamed
        What the venue names the trade by from now on.
    lookup
        What to ask for the trade if its print is not remembered: the answer has the prints that it may be.
    raw
        The message's bytes.
    """

    correction: Correction
    reference: str
    renamed: str | None
    lookup: HistoryRequest
    raw: bytes


@dataclass(frozen=True)
class AgedOut:
    """A venue no longer replays all that came after the places of some symbols.

    Parameters
    ----------
    symbols
        The symbols.
    reason
        Its own words.
    """

    symbols: tuple[str, ...]
    reason: str


Note = LastNumber | Refusal | Skipped | Replayed | AgedOut | Correction | ReferringCorrection | FeedEvent


class Frame(msgspec.Struct, gc=False):
    """What one frame held; its order among the kinds does not matter.

    Parameters
    ----------
    prints
        Its trades, in order.
    notes
        Anything else that matters.
    bad
        Messages that could not be used.
    unknown_conditions
        Sale conditions that are not in the table, once for each print that has them.
    """

    prints: list[Print] = []
    notes: list[Note] = []
    bad: list[BadMessage] = []
    unknown_conditions: list[str] = []


@dataclass(frozen=True)
class Page:
    """An answer of a venue's history.

    Parameters
    ----------
    prints
        In the tape's order, after those of the page before.
    following
        What to ask next; None after the last page.
    bad
        Rows that could not be used.
    corrections
        Corrections that the history mentions.
    unknown_conditions
        As in `Frame`.
    """

    prints: list[Print]
    following: HistoryRequest | None
    bad: list[BadMessage] = field(default_factory=list)
    corrections: list[Correction] = field(default_factory=list)
    unknown_conditions: list[str] = field(default_factory=list)
