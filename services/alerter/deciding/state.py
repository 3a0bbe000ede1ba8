"""What is remembered of a symbol's alerts, and how it is saved; its size is bounded.

An alert that is over is remembered too: a retraction or a correction of one of its trades may still come, and
an id whose trade is found again after a reset continues with the next revision.
"""

import zlib
from collections.abc import Iterator

import msgspec

from services.contracts.alert import Print, Worst
from services.contracts.correction import Action

DAY_NS = 86_400 * 1_000_000_000

REMEMBERED_NS = 3 * DAY_NS
"""So long after its last trade an alert that is over is remembered, by the symbol's own tape."""

MOST_OVER = 1_000
"""So many alerts of a symbol that are over are remembered, the newest ones."""

MOST_MEMBERS = 2_000
"""So many of an alert's anomalies are told apart, the newest ones; earlier ones are only counted."""

MOST_MEMBERS_OVER = 20_000
"""So many anomalies of all of a symbol's alerts that are over are told apart."""

MOST_DETAILS = 8
"""So many of an alert's anomalies are known in full, the most urgent ones."""

MOST_DETAILS_OVER = 2
"""So many of an alert that is over, as there are many of those, and each change saves all of a symbol's."""

MOST_CORRECTIONS = 2_000
"""So many corrections of a symbol are remembered, the newest ones."""


class Member(msgspec.Struct, array_like=True):
    """One anomalous trade of an alert."""

    trade_id: str
    rank: int
    """Of its severity, the highest so far."""
    score: float
    revision: int


class Details(msgspec.Struct, array_like=True):
    """One of an alert's most urgent anomalies."""

    trade_id: str
    rank: int
    score: float
    message: str
    worst: Worst


class Corrected(msgspec.Struct, array_like=True):
    """A correction that a venue has told."""

    correction_id: str
    trade_id: str
    action: Action


class AlertRecord(msgspec.Struct, array_like=True):
    """An alert, open or over."""

    alert_id: str
    rule: str
    group: str
    session: str
    timestamp: str
    first_trade: str
    first_ns: int
    quiet_ns: int
    last_trade: str
    last_time: str
    last_ns: int
    revision: int = 0
    has_no_revision: bool = True
    """Whether it was not told since it opened."""
    is_open: bool = True
    is_withdrawn: bool = False
    labels: list[str] = []
    members: dict[str, Member] = {}
    """By trade id, in the order in which they joined."""
    forgotten: int = 0
    """Anomalies that are counted, but not among the members any more."""
    details: list[Details] = []
    """The most urgent first; never empty once it has a revision."""
    told_rank: int = -1
    """Of the highest severity that a revision had."""
    first_rank: int = -1
    """Of the severity of the id's first revision."""
    told_count: int = 0
    """Of the last revision that its count was a reason for."""
    corrected: list[Corrected] = []
    inhibited_by: str | None = None
    """Of its last revision that an anomaly brought."""
    is_free: bool = False
    """Whether a revision of it was not inhibited."""
    is_due: bool = False
    """Whether a revision of it was due."""
    trades: list[Print] = []
    has_silent_end: bool = False
    """Whether those who were told of it were not told that a reset has withdrawn it."""
    before_rank: int = -1
    """Of the highest severity that was told before such an end, of an alert that has opened again."""

    @property
    def highest_rank(self) -> int:
        """Of the highest severity with which somebody may know it."""
        return max(self.told_rank, self.before_rank)

    def continue_from(self, earlier: "AlertRecord") -> None:
        """Continue an alert of the same id that is over."""
        self.revision = earlier.revision
        self.first_rank = earlier.first_rank
        if earlier.has_silent_end:  # it is still open for those who were told of it
            self.is_due = True
            self.is_free = earlier.is_free
            self.before_rank = earlier.highest_rank

    @property
    def deadline_ns(self) -> int:
        """When it closes: as soon as the tape's clock is past it."""
        return self.last_ns + self.quiet_ns

    @property
    def count(self) -> int:
        """Anomalous trades."""
        return self.forgotten + len(self.members)

    @property
    def rank(self) -> int:
        """Of the highest severity of its anomalies, as far as they are told apart."""
        return max(one.rank for one in self._known())

    @property
    def score(self) -> float:
        """The highest of its anomalies, as far as they are told apart."""
        return max(one.score for one in self._known())

    def note(self, details: Details) -> None:
        """Keep what is known of an anomaly, if it is one of the most urgent."""
        kept = [one for one in self.details if self.forgotten or one.trade_id in self.members]
        at = next((at for at, one in enumerate(kept) if one.trade_id == details.trade_id), None)
        if at is None:
            kept.append(details)
        elif (details.rank, details.score) >= (kept[at].rank, kept[at].score):
            kept[at] = details
        kept.sort(key=lambda one: (-one.rank, -one.score))  # of equal ones the first stays first
        self.details = kept[: MOST_DETAILS if self.is_open else MOST_DETAILS_OVER]

    def _known(self) -> "list[Member | Details]":
        if self.forgotten or not self.members:
            return [*self.members.values(), *self.details]
        return [*self.members.values()]


class _Saved(msgspec.Struct, array_like=True):
    open: list[AlertRecord]
    over: list[AlertRecord]
    corrections: list[Corrected]


_decoder = msgspec.msgpack.Decoder(_Saved)
_encoder = msgspec.msgpack.Encoder()


class SymbolAlerts:
    """A symbol's alerts."""

    def __init__(self) -> None:
        self._open: dict[tuple[str, str], AlertRecord] = {}  # by rule and group
        self._over: dict[str, AlertRecord] = {}  # by id, the one that was over first comes first
        self._corrections: dict[str, Corrected] = {}  # by id, in the order in which they came
        self._of_trade: dict[str, list[AlertRecord]] = {}
        self._members_over = 0

    def save(self) -> bytes:
        """Return all that is known; equal states give equal bytes."""
        saved = _Saved([*self._open.values()], [*self._over.values()], [*self._corrections.values()])
        return zlib.compress(_encoder.encode(saved), 1)

    @classmethod
    def restored(cls, saved: bytes) -> "SymbolAlerts":
        """Return what `save` has saved.

        Raises
        ------
        ValueError
            The bytes are not what `save` returns.
        """
        try:
            read = _decoder.decode(zlib.decompress(saved))
        except (zlib.error, msgspec.MsgspecError) as error:
            raise ValueError(str(error)) from error
        alerts = cls()
        for record in read.open:
            alerts._open[record.rule, record.group] = record
        for record in read.over:
            alerts._over[record.alert_id] = record
            alerts._members_over += len(record.members)
        for record in (*read.open, *read.over):
            for trade_id in record.members:
                alerts._of_trade.setdefault(trade_id, []).append(record)
        alerts._corrections = {one.correction_id: one for one in read.corrections}
        return alerts

    @property
    def has_open(self) -> bool:
        """Whether an alert is open."""
        return bool(self._open)

    def open_alerts(self) -> list[AlertRecord]:
        """Return the open alerts, in the order in which they opened."""
        return [*self._open.values()]

    def of_group(self, rule: str, group: str) -> AlertRecord | None:
        """Return the open alert of a rule and a group."""
        return self._open.get((rule, group))

    def of_id(self, alert_id: str) -> AlertRecord | None:
        """Return an alert, open or over."""
        return self._over.get(alert_id) or next(
            (record for record in self._open.values() if record.alert_id == alert_id), None
        )

    def of_trade(self, trade_id: str) -> list[AlertRecord]:
        """Return the alerts that have a trade, open or over, in the same order after a restart."""
        return sorted(self._of_trade.get(trade_id, ()), key=lambda record: record.alert_id)

    def expired(self, clock_ns: int) -> list[AlertRecord]:
        """Return the open alerts that close by this clock, in the order of their times."""
        found = [record for record in self._open.values() if record.deadline_ns < clock_ns]
        return sorted(found, key=lambda record: (record.deadline_ns, record.rule, record.group))

    def open(self, record: AlertRecord) -> None:
        """Add an alert; one of the same id that is over is forgotten."""
        earlier = self._over.pop(record.alert_id, None)
        if earlier is not None:
            self._members_over -= len(earlier.members)
            self._forget(earlier, earlier.members)
        self._open[record.rule, record.group] = record

    def end(self, record: AlertRecord) -> None:
        """Remember an open alert as one that is over."""
        record.is_open = False
        record.details = record.details[:MOST_DETAILS_OVER]
        del self._open[record.rule, record.group]
        self._over[record.alert_id] = record
        self._members_over += len(record.members)

    def trim(self) -> None:
        """Forget the first of the alerts that are over, where there are too many."""
        while len(self._over) > MOST_OVER or self._members_over > MOST_MEMBERS_OVER:
            self._drop(next(iter(self._over)))

    def prune(self, clock_ns: int) -> None:
        """Forget alerts that have been over for too long at this time, ns since 1970."""
        before_ns = clock_ns - REMEMBERED_NS
        for alert_id in [one.alert_id for one in self._over.values() if one.last_ns < before_ns]:
            self._drop(alert_id)

    def add_member(self, record: AlertRecord, member: Member) -> None:
        """Add an anomaly to an open alert."""
        record.members[member.trade_id] = member
        self._of_trade.setdefault(member.trade_id, []).append(record)
        if len(record.members) > MOST_MEMBERS:
            first = next(iter(record.members))
            del record.members[first]
            record.forgotten += 1
            self._forget(record, [first])

    def remove_member(self, record: AlertRecord, trade_id: str) -> None:
        """Take an anomaly out of an alert."""
        del record.members[trade_id]
        self._members_over -= not record.is_open
        self._forget(record, [trade_id])
        rest = [one for one in record.details if one.trade_id != trade_id]
        record.details = rest or record.details[:1]

    def add_correction(self, correction: Corrected) -> bool:
        """Remember a correction; returns whether it is new."""
        if correction.correction_id in self._corrections:
            return False
        self._corrections[correction.correction_id] = correction
        if len(self._corrections) > MOST_CORRECTIONS:
            del self._corrections[next(iter(self._corrections))]
        return True

    def corrections_of(self, trade_id: str) -> Iterator[Corrected]:
        """Yield the corrections of a trade, in the order in which they came."""
        return (one for one in self._corrections.values() if one.trade_id == trade_id)

    def _drop(self, alert_id: str) -> None:
        record = self._over.pop(alert_id)
        self._members_over -= len(record.members)
        self._forget(record, record.members)

    def _forget(self, record: AlertRecord, trade_ids: "list[str] | dict[str, Member]") -> None:
        for trade_id in trade_ids:
            rest = [one for one in self._of_trade[trade_id] if one is not record]
            if rest:
                self._of_trade[trade_id] = rest
            else:
                del self._of_trade[trade_id]
