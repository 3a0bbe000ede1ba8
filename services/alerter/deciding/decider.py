"""Decides which alerts there are, from anomalies, retractions, corrections and the tape's clock.

One `Decider` for each partition of `anomalies`. What it decides of a symbol depends on that symbol's messages
in their order and on the clock that each of them carries, never on batches, restarts, or how often and when
`clock` is called in between. Corrections come from another topic, so they add their revisions whenever they
come, before or after the anomaly: their number is the same, their place is not.

    seen = read_seen(message.value(), message.headers())              # services.alerter.seen
    gone = read_retracted(message.key(), message.headers())           # of a null value
    decider = Decider(rules, finish)
    decider.restore(symbol, saved)                                    # before the symbol's first message
    alerts = decider.anomaly(seen)
    alerts = decider.retraction(gone.symbol, gone.trade_id, gone.clock_ns)
    alerts = decider.correction(correction)
    alerts = decider.clock(clock_ns)
    for symbol in decider.take_changed(): decider.save(symbol)

`finish` gets each revision as it is made, and gives it what depends on the clock of the wall.
"""

from collections.abc import Callable

from services.alerter.deciding.sentences import message_of
from services.alerter.deciding.state import AlertRecord, Corrected, Details, Member, SymbolAlerts
from services.alerter.rules.matching import fits, group_of
from services.alerter.rules.model import SEVERITIES, Rule, Rules, rank
from services.alerter.seen import Seen
from services.contracts.alert import MAX_LISTED, Alert, AlertState, Print, Sending, alert_id
from services.contracts.anomaly import Severity
from services.contracts.correction import Correction
from services.contracts.iso_time import iso_ns

_SECOND_NS = 1_000_000_000

Finish = Callable[[Alert, Seen | None, bool], Alert]
"""From a revision, the anomaly that brings it (None for the clock, a retraction or a correction), and whether
an earlier revision of the alert was due, to the revision with its `sending`, `is_missed`, `decided_at`,
`links` and `trades`. The first revision comes without `trades`, a later one with those that the one before
had."""


def unfinished(alert: Alert, _seen: Seen | None, _was_due: bool) -> Alert:
    """Leave a revision as it is."""
    return alert


class Decider:
    """Decides for the symbols of one partition.

    Parameters
    ----------
    rules
        Which anomalies are told, and how they are grouped.
    finish
        See `Finish`.
    """

    def __init__(self, rules: Rules, finish: Finish = unfinished) -> None:
        self._rules = {rule.name: rule for rule in rules.rules}
        self._finish = finish
        self._symbols: dict[str, SymbolAlerts] = {}
        self._with_open: set[str] = set()
        self._changed: set[str] = set()

    def anomaly(self, seen: Seen) -> list[Alert]:
        """Take an anomaly or a later revision of one; returns the revisions of alerts that it brings."""
        alerts = self._of(seen.symbol)
        revisions = self._close(alerts.expired(seen.clock_ns), seen.symbol)
        touched: list[tuple[AlertRecord, bool]] = []
        rules_with_it = set()
        for record in alerts.of_trade(seen.trade_id):
            rules_with_it.add(record.rule)
            if seen.revision > record.members[seen.trade_id].revision:
                self._grow(record, seen)
                touched.append((record, False))
        for rule in self._rules.values():
            if rule.name not in rules_with_it and fits(rule.match, seen):
                record, closed = self._record_for(alerts, rule, seen)
                revisions += closed
                _add(alerts, record, seen)
                touched.append((record, True))
        # Only now, so that alerts that the same anomaly opens or makes more urgent inhibit in any order.
        for record, has_joined in touched:
            revisions += self._tell(alerts, record, seen)
            if has_joined:
                for correction in alerts.corrections_of(seen.trade_id):
                    revisions.append(self._correct(seen.symbol, record, correction))
        if touched:
            # By whichever is behind: a stamp may be ahead, and so may other symbols of the partition.
            alerts.prune(min(seen.event_ns, seen.clock_ns))
            self._note_change(seen.symbol)
        return revisions

    def retraction(
        self, symbol: str, trade_id: str, clock_ns: int | None = None, is_judged_again: bool = False
    ) -> list[Alert]:
        """Take an anomaly back.

        Parameters
        ----------
        symbol, trade_id
            Of its trade.
        clock_ns
            The tape's clock that the message carries; None if it has none.
        is_judged_again
            Whether its trade is judged again after a reset: nobody is told of that.
        """
        alerts = self._of(symbol)
        revisions = [] if clock_ns is None else self._close(alerts.expired(clock_ns), symbol)
        for record in alerts.of_trade(trade_id):
            alerts.remove_member(record, trade_id)
            if record.count == 0:
                record.is_withdrawn = True
                if record.is_open:
                    record.has_silent_end = is_judged_again and record.is_due
                    alerts.end(record)
                record.is_due = record.is_due and not is_judged_again
                revisions.append(self._follow_up(symbol, record))
            self._note_change(symbol)
        alerts.trim()
        return revisions

    def correction(self, correction: Correction) -> list[Alert]:
        """Take what a venue cancels or changes; nothing if it names no trade or was taken before."""
        if correction.trade_id is None:
            return []
        alerts = self._of(correction.symbol)
        corrected = Corrected(correction.correction_id, correction.trade_id, correction.action)
        if not alerts.add_correction(corrected):
            return []
        self._note_change(correction.symbol)
        return [
            self._correct(correction.symbol, record, corrected)
            for record in alerts.of_trade(correction.trade_id)
        ]

    def clock(self, clock_ns: int) -> list[Alert]:
        """Close the alerts whose quiet time is over by the tape's clock of the partition.

        Parameters
        ----------
        clock_ns
            Ns since 1970. All messages of the partition that the detector had published when its clock showed
            that must have been taken before.
        """
        expired = [
            (record.deadline_ns, symbol, record)
            for symbol in sorted(self._with_open)
            for record in self._symbols[symbol].expired(clock_ns)
        ]
        expired.sort(key=lambda one: one[:2])
        return [revision for _, symbol, record in expired for revision in self._close([record], symbol)]

    def keep_trades(self, symbol: str, alert_id: str, trades: list[Print]) -> None:
        """Remember the trades that an alert shows, for its later revisions."""
        record = self._of(symbol).of_id(alert_id)
        if record is not None:
            record.trades = trades
            self._changed.add(symbol)

    def take_changed(self) -> set[str]:
        """Return the symbols whose state has changed since the last call."""
        changed, self._changed = self._changed, set()
        return changed

    def save(self, symbol: str) -> bytes:
        """Return a symbol's state; equal states give equal bytes."""
        return self._of(symbol).save()

    def restore(self, symbol: str, saved: bytes) -> None:
        """Resume a symbol.

        Raises
        ------
        ValueError
            The bytes are not what `save` returns.
        """
        self._symbols[symbol] = SymbolAlerts.restored(saved)
        self._note_open(symbol)

    @property
    def open_count(self) -> int:
        """How many alerts are open."""
        return sum(len(self._symbols[symbol].open_alerts()) for symbol in self._with_open)

    def _of(self, symbol: str) -> SymbolAlerts:
        return self._symbols.setdefault(symbol, SymbolAlerts())

    def _note_change(self, symbol: str) -> None:
        self._changed.add(symbol)
        self._note_open(symbol)

    def _note_open(self, symbol: str) -> None:
        if self._symbols[symbol].has_open:
            self._with_open.add(symbol)
        else:
            self._with_open.discard(symbol)

    def _close(self, records: list[AlertRecord], symbol: str) -> list[Alert]:
        revisions = []
        for record in records:
            self._of(symbol).end(record)
            self._note_change(symbol)
            revisions.append(self._follow_up(symbol, record))
        self._of(symbol).trim()
        return revisions

    def _record_for(self, alerts: SymbolAlerts, rule: Rule, seen: Seen) -> tuple[AlertRecord, list[Alert]]:
        """Return the alert that an anomaly joins or opens, and the revision of one that ends with it."""
        group = group_of(rule, seen)
        current = alerts.of_group(rule.name, group)
        # What comes late belongs to the tape's time. An alert of a stamp far ahead does not draw in others.
        at_ns = max(seen.event_ns, seen.clock_ns)
        if current is not None and current.first_ns - current.quiet_ns <= at_ns <= current.deadline_ns:
            return current, []
        closed = [] if current is None else self._close([current], seen.symbol)
        record = AlertRecord(
            alert_id=alert_id(rule.name, seen.symbol, group, seen.session, seen.trade_id),
            rule=rule.name,
            group=group,
            session=seen.session,
            timestamp=seen.worst.trade.time,
            first_trade=seen.trade_id,
            first_ns=seen.event_ns,
            quiet_ns=round(rule.quiet_s * _SECOND_NS),
            last_trade=seen.trade_id,
            last_time=seen.worst.trade.time,
            last_ns=seen.event_ns,
        )
        earlier = alerts.of_id(record.alert_id)
        if earlier is not None:
            record.continue_from(earlier)
        alerts.open(record)
        return record, closed

    def _grow(self, record: AlertRecord, seen: Seen) -> None:
        """Let one of an alert's anomalies grow; the time of one that is over stays."""
        member = record.members[seen.trade_id]
        member.revision = seen.revision
        member.rank = max(member.rank, rank(seen.severity))
        member.score = max(member.score, seen.score)
        _note(record, seen)
        if record.is_open:
            _move_end(record, seen)

    def _tell(self, alerts: SymbolAlerts, record: AlertRecord, seen: Seen) -> list[Alert]:
        """Return the revision of an alert whose anomalies have changed, if there is a reason for one."""
        has_doubled = record.count >= max(2 * record.told_count, 1)
        if record.rank <= record.told_rank and not has_doubled:
            return []
        record.told_rank = max(record.rank, record.told_rank)
        if has_doubled:
            record.told_count = record.count
        record.inhibited_by = self._inhibitor(alerts, record)
        record.is_free = record.is_free or record.inhibited_by is None
        state = AlertState.GREW
        if not record.is_open:
            state = AlertState.CLOSED
        elif record.has_no_revision:
            state = AlertState.OPENED
        record.has_no_revision = False
        return [self._revision(seen.symbol, record, state, record.inhibited_by, seen)]

    def _inhibitor(self, alerts: SymbolAlerts, record: AlertRecord) -> str | None:
        """Return the most urgent open alert that keeps another from being sent."""
        rule = self._rules.get(record.rule)
        if rule is None or rule.inhibited_by is None:
            return None
        least = max(rank(rule.inhibited_by), record.rank + 1)
        others = [one for one in alerts.open_alerts() if one is not record and one.rank >= least]
        return max(others, key=lambda one: one.rank).alert_id if others else None

    def _correct(self, symbol: str, record: AlertRecord, corrected: Corrected) -> Alert:
        record.corrected.append(corrected)
        return self._follow_up(symbol, record)

    def _follow_up(self, symbol: str, record: AlertRecord) -> Alert:
        """Return a revision that no anomaly brings: it is inhibited only if all before it were."""
        state = AlertState.GREW if record.is_open else AlertState.CLOSED
        if record.is_withdrawn:
            state = AlertState.WITHDRAWN
        return self._revision(symbol, record, state, None if record.is_free else record.inhibited_by, None)

    def _revision(
        self,
        symbol: str,
        record: AlertRecord,
        state: AlertState,
        inhibited_by: str | None,
        seen: Seen | None,
    ) -> Alert:
        record.revision += 1
        if record.first_rank < 0:
            record.first_rank = record.rank
        alert = Alert(
            timestamp=record.timestamp,
            alert_id=record.alert_id,
            revision=record.revision,
            state=state,
            symbol=symbol,
            session=record.session,
            rule=record.rule,
            group=record.group,
            labels=[*record.labels],
            severity=SEVERITIES[record.rank],
            first_severity=SEVERITIES[record.first_rank] if record.first_rank < record.rank else None,
            highest_severity=SEVERITIES[record.highest_rank] if record.highest_rank > record.rank else None,
            score=record.score,
            count=record.count,
            message=message_of(record, state),
            first_trade=record.first_trade,
            last_trade=record.last_trade,
            last_time=record.last_time,
            anomalies=[*record.members][-MAX_LISTED:],
            worst=record.details[0].worst,
            quiet_s=record.quiet_ns / _SECOND_NS,
            cancelled=list(dict.fromkeys(one.trade_id for one in record.corrected))[-MAX_LISTED:],
            inhibited_by=inhibited_by,
            trades=record.trades,
        )
        alert = self._finish(alert, seen, record.is_due)
        record.is_due = record.is_due or alert.sending is Sending.DUE
        record.trades = alert.trades
        return alert


def _add(alerts: SymbolAlerts, record: AlertRecord, seen: Seen) -> None:
    member = Member(seen.trade_id, rank(seen.severity), seen.score, seen.revision)
    alerts.add_member(record, member)
    _note(record, seen)
    _move_end(record, seen)


def _note(record: AlertRecord, seen: Seen) -> None:
    record.labels = list(dict.fromkeys((*record.labels, *seen.labels)))
    if seen.severity is not Severity.INFO:
        details = Details(seen.trade_id, rank(seen.severity), seen.score, seen.message, seen.worst)
        record.note(details)


def _move_end(record: AlertRecord, seen: Seen) -> None:
    if seen.grown_ns < record.last_ns:
        return
    record.last_ns = seen.grown_ns
    record.last_trade = seen.last_trade
    record.last_time = seen.worst.trade.time if seen.grown_ns == seen.event_ns else iso_ns(seen.grown_ns)
