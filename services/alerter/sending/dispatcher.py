"""Decides what each channel sends next, and what becomes of the rest; no Kafka, no network, no clock.

A revision ends on each of its channels exactly once: sent, silenced, held back (and told in a digest), or
dead. Every decision is a `Delivery`. The caller writes the records, and only then starts what `next` has
chosen: so no message is tried before the record of the one before it is safe.
"""

import random
from dataclasses import dataclass, field

from services.alerter.channels.base import Accepted, Answer, Failed
from services.alerter.channels.notice import ENDS
from services.alerter.channels.registry import kind_of
from services.alerter.rules.model import ChannelSpec, Rules
from services.alerter.sending.budget import HOUR_S, Budget
from services.alerter.sending.digests import MISSED, OUTSIDE_HOURS, HeldBack, used_up
from services.alerter.sending.items import Item
from services.alerter.sending.past import FINAL, Past, Standing
from services.alerter.sending.progress import Progress
from services.alerter.sending.queue import ChannelQueue
from services.alerter.sending.routing import channels_of, is_open
from services.alerter.silencing.silences import Silences
from services.alerter.times import iso_time, to_seconds
from services.contracts.alert import Alert, Delivery, Digest, Outcome, Sending


@dataclass
class ChannelState:
    """One channel: what it has to send, what it holds back, and how its receiver behaves."""

    spec: ChannelSpec
    queue: ChannelQueue
    budget: Budget
    held: dict[str, HeldBack] = field(default_factory=dict)
    """By reason."""
    told_s: dict[str, float] = field(default_factory=dict)
    """By reason: when the newest digest was made."""
    in_flight: Item | None = None
    gone: str | None = None
    """Why it is switched off."""


class Dispatcher:
    """Everything that is to be sent; times are seconds since 1970.

    Parameters
    ----------
    rules
        Says which channels there are, and what goes where.
    retry_s
        How long after a message was written it is still tried.
    silences
        Kept up to date by the caller.
    draw
        For the jitter of waits.
    now_s
        Now.
    """

    def __init__(
        self, rules: Rules, retry_s: float, silences: Silences, draw: random.Random, now_s: float
    ) -> None:
        self._rules = rules
        self._retry_s = retry_s
        self._silences = silences
        self.channels = {
            name: ChannelState(spec, ChannelQueue(draw), Budget(spec.budget_per_hour))
            for name, spec in rules.channels.items()
        }
        self.pending: list[Delivery] = []
        """Records to be written, in order."""
        self.letters: list[tuple[int, str]] = []
        """Dead letters to be written with them: a revision's offset in `alerts`, and the reason."""
        self.restore(Past(now_s), 0, 0)

    def restore(self, past: Past, next_offset: int, next_record: int) -> None:
        """Begin with what the records say, before revisions are read from `next_offset` on.

        What is in flight stays so, and a channel that is gone stays gone.

        Parameters
        ----------
        past
            The records.
        next_offset
            The first revision that is read again.
        next_record
            Where the next record will be, or before that.
        """
        self.clear()
        self._past = past
        unread = {offset: place for offset, place in past.first_records.items() if offset >= next_offset}
        self.progress = Progress(next_offset, next_record, unread)
        self.progress.recent.extend(past.recent)
        for name, at_s in past.tries:
            if name in self.channels:
                self.channels[name].budget.spend(at_s)
        for (name, reason), at_s in past.told_s.items():
            if name in self.channels:
                self.channels[name].told_s[reason] = at_s
        for each in past.digests.values():
            if not each.standing.is_done and each.digest.channel in self.channels:
                self.progress.open_digest(each.digest.digest_id, each.record)
                self._queue_digest(each.digest, each.standing)

    def clear(self) -> None:
        """Forget all but what was tried and is not recorded yet."""
        # What was given up is given up again, with its dead letter.
        self.pending = [each for each in self.pending if each.attempt and each.outcome is not Outcome.DEAD]
        self.letters = []
        self._digest_offsets: dict[str, list[int]] = {}
        for state in self.channels.values():
            state.queue.clear()
            state.held.clear()
            state.told_s.clear()
            state.budget = Budget(state.spec.budget_per_hour)

    @property
    def is_sending(self) -> bool:
        """Whether any channel has a message in flight."""
        return any(state.in_flight is not None for state in self.channels.values())

    def take(self, alert: Alert, offset: int, created_s: float, now_s: float) -> None:
        """Take the next revision.

        Parameters
        ----------
        alert
            The revision.
        offset
            Its place in `alerts`.
        created_s
            When it was written, by Kafka's clock.
        now_s
            Now.
        """
        waiting: list[tuple[ChannelState, Item, Standing | None]] = []
        if alert.sending is Sending.DUE or alert.is_missed:
            for name, hours in channels_of(self._rules, alert).items():
                state = self.channels[name]
                standing = self._past.take(name, offset)
                if standing is not None and standing.is_done:
                    continue
                item = Item(alert, hours, created_s, created_s + self._retry_s, offset)
                waiting.append((state, item, standing))
        self.progress.open(offset, {state.spec.name for state, _, _ in waiting})
        self.progress.next_offset = offset + 1
        for state, item, standing in waiting:
            self._place(state, item, alert, standing, now_s)

    def _place(
        self, state: ChannelState, item: Item, alert: Alert, standing: Standing | None, now_s: float
    ) -> None:
        """Queue a revision, hold it back, or settle it at once."""
        if standing is not None and standing.outcome is Outcome.HELD:
            self._hold_back(state, item, alert, standing.reason, now_s)
        elif state.in_flight is not None and state.in_flight.ident == item.ident:
            state.queue.add(state.in_flight)  # since before the records were read again
        elif not self._is_settled(state, item, alert, now_s):
            if standing is not None:
                item.attempts, item.not_before_s = standing.attempts, standing.retry_at_s
            state.queue.add(item)

    def _is_settled(self, state: ChannelState, item: Item, alert: Alert, now_s: float) -> bool:
        """Tell whether a revision is not to be sent now, and settle it or hold it back if so."""
        is_end = _must_end(state, alert)
        silence = None if is_end else self._silences.matching(alert, state.spec.name, now_s)
        if alert.inhibited_by is not None:
            reason = f"the more urgent alert {alert.inhibited_by} on {alert.symbol} inhibits it"
            self._settle(state, item, Outcome.SILENCED, now_s, reason)
        elif silence is not None:
            reason = f"silenced by {silence.author}: {silence.reason}"
            self._settle(state, item, Outcome.SILENCED, now_s, reason, silence_id=silence.silence_id)
        elif state.gone is not None:
            self._settle(state, item, Outcome.DEAD, now_s, _switched_off(state.gone))
        elif alert.sending is Sending.STALE:
            self._hold_back(state, item, alert, MISSED, now_s, is_new=True)
        elif not is_end and not is_open(item.hours, now_s):
            self._hold_back(state, item, alert, OUTSIDE_HOURS, now_s, is_new=True)
        else:
            return False
        return True

    def _hold_back(
        self,
        state: ChannelState,
        item: Item,
        alert: Alert,
        reason: str,
        now_s: float,
        *,
        is_new: bool = False,
    ) -> None:
        held = state.held.setdefault(reason, HeldBack(state.spec.name, reason))
        held.add(alert, item.offset, item.hours, now_s)
        if is_new:
            self._record(state, item, Outcome.HELD, now_s, reason=reason)

    def next(self, now_s: float) -> list[tuple[str, Item]]:
        """Choose what is to be tried now: a message for each channel that is free and has one.

        Once the records in `pending` are safe, each is started: see `started`.
        """
        chosen = []
        for name, state in self.channels.items():
            for item in state.queue.take_expired(now_s, state.in_flight):
                self._settle(state, item, Outcome.DEAD, now_s, self._too_late)
            self._make_digests(state, now_s)
            if state.gone is not None:
                for item in state.queue.take_all():
                    self._settle(state, item, Outcome.DEAD, now_s, _switched_off(state.gone))
            following = self._choose(state, now_s) if state.in_flight is None else None
            if following is not None:
                chosen.append((name, following))
        return chosen

    @property
    def _too_late(self) -> str:
        hours = self._retry_s / HOUR_S
        return f"not accepted within {hours:g} hour{'s' if hours != 1 else ''}"

    def _choose(self, state: ChannelState, now_s: float) -> Item | None:
        while (item := state.queue.next(now_s)) is not None:
            alert = item.notice
            if isinstance(alert, Digest):
                return item
            if self._is_settled(state, item, alert, now_s):
                pass
            elif item.attempts == 0 and not _must_end(state, alert) and not state.budget.has_room(now_s):
                reason = used_up(state.budget.per_hour or 0)
                self._hold_back(state, item, alert, reason, now_s, is_new=True)
            else:
                return item
            if item in state.queue:
                state.queue.remove(item)
        return None

    def started(self, channel: str, item: Item, now_s: float) -> None:
        """Note that a message is being sent, whose answer comes to `answered`."""
        state = self.channels[channel]
        state.in_flight = item
        item.attempts += 1
        if item.attempts == 1 and isinstance(item.notice, Alert):
            state.budget.spend(now_s)

    def answered(self, channel: str, answer: Answer, seconds: float, now_s: float) -> None:
        """Take the answer to what a channel has in flight.

        Parameters
        ----------
        channel
            Its name.
        answer
            What the receiver said.
        seconds
            How long the try took.
        now_s
            Now.
        """
        state = self.channels[channel]
        item, state.in_flight = state.in_flight, None
        if item is None:
            raise ValueError(f"the channel {channel} had nothing in flight")
        status = answer.status
        reason: str | None = None
        outcome = Outcome.DEAD
        if isinstance(answer, Accepted):
            state.queue.accepted()
            outcome = Outcome.SENT
        elif isinstance(answer, Failed):
            retry_at_s = state.queue.failed(item, now_s, answer.retry_after_s)
            if retry_at_s <= item.deadline_s:
                self._record(
                    *(state, item, Outcome.FAILED, now_s, answer.reason),
                    attempt=item.attempts,
                    status=status,
                    seconds=seconds,
                    retry_at=iso_time(retry_at_s),
                )
                return
            reason = f"{self._too_late}: {answer.reason}"
        else:
            state.gone = answer.reason
            reason = _switched_off(answer.reason)
        if outcome is Outcome.SENT or item in state.queue:  # else it is read again, and given up then
            self._settle(state, item, outcome, now_s, reason, status=status, seconds=seconds)

    def _make_digests(self, state: ChannelState, now_s: float) -> None:
        for reason, held in list(state.held.items()):
            if state.gone is None and not held.is_due(now_s, state.budget, state.told_s.get(reason)):
                continue
            if not self._past.is_complete(state.spec.name, reason, self.progress.next_offset):
                continue
            del state.held[reason]
            state.told_s[reason] = now_s
            digest = held.digest(now_s)
            self._digest_offsets[digest.digest_id] = held.offsets
            item = self._queue_digest(digest, Standing(Outcome.QUEUED))
            self._record(state, item, Outcome.QUEUED, now_s, reason=reason)

    def _queue_digest(self, digest: Digest, standing: Standing) -> Item:
        state = self.channels[digest.channel]
        created_s = to_seconds(digest.timestamp)
        item = Item(digest, (), created_s, created_s + self._retry_s)
        item.attempts, item.not_before_s = standing.attempts, standing.retry_at_s
        if state.in_flight is not None and state.in_flight.ident == item.ident:
            item = state.in_flight
        state.queue.add(item)
        return item

    def _settle(
        self,
        state: ChannelState,
        item: Item,
        outcome: Outcome,
        now_s: float,
        reason: str | None,
        *,
        status: int | None = None,
        seconds: float | None = None,
        silence_id: str | None = None,
    ) -> None:
        """Record that nothing is left to do with a message."""
        if item in state.queue:
            state.queue.remove(item)
        if outcome is Outcome.DEAD and item.offset >= 0:
            self.letters.append((item.offset, f"not delivered to the channel {state.spec.name}: {reason}"))
        self._record(
            *(state, item, outcome, now_s, reason),
            attempt=0 if seconds is None else item.attempts,
            status=status,
            seconds=seconds,
            silence_id=silence_id,
        )

    def _record(
        self,
        state: ChannelState,
        item: Item,
        outcome: Outcome,
        now_s: float,
        reason: str | None,
        *,
        attempt: int = 0,
        status: int | None = None,
        seconds: float | None = None,
        retry_at: str | None = None,
        silence_id: str | None = None,
    ) -> None:
        digest = item.notice if isinstance(item.notice, Digest) else None
        alert = item.notice.worst if isinstance(item.notice, Digest) else item.notice
        delivery = Delivery(
            timestamp=iso_time(now_s),
            alert_id=item.thread,
            revision=alert.revision if digest is None else 0,
            channel=state.spec.name,
            outcome=outcome,
            attempt=attempt,
            reason=reason,
            status=status,
            seconds=seconds,
            retry_at=retry_at,
            symbol=alert.symbol if digest is None else None,
            severity=alert.severity,
            rule=alert.rule if digest is None else None,
            silence_id=silence_id,
            alert_offset=item.offset if digest is None else None,
            digest=digest,
        )
        self.pending.append(delivery)
        if attempt and item.offset >= self.progress.next_offset:  # it is yet to be read again
            self._past.add(delivery, None)

    def recorded(self, delivery: Delivery, record: int) -> None:
        """Note that a record is written, and where; what it settles need not be read again."""
        progress = self.progress
        progress.note(delivery.alert_offset, record, to_seconds(delivery.timestamp))
        if delivery.digest is None:
            if delivery.alert_offset is not None and delivery.outcome in FINAL:
                progress.settle(delivery.alert_offset, delivery.channel)
        elif delivery.outcome is Outcome.QUEUED:
            progress.open_digest(delivery.alert_id, record)
            for offset in self._digest_offsets.pop(delivery.alert_id, []):
                progress.settle(offset, delivery.channel)
        elif delivery.outcome in FINAL:
            progress.settle_digest(delivery.alert_id)

    def held(self, channel: str) -> int:
        """Return how many revisions a channel holds back."""
        return sum(len(each.offsets) for each in self.channels[channel].held.values())


def _must_end(state: ChannelState, alert: Alert) -> bool:
    """Tell whether the receiver would keep an alert open for ever if this revision were held back."""
    return alert.state in ENDS and kind_of(state.spec.kind).keeps_open


def _switched_off(reason: str) -> str:
    return f"the channel is switched off until the next start: {reason}"
