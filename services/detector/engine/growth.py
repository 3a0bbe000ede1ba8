"""Lets anomalies grow: flags of one stretch of a session are one anomaly with revisions.

A flag opens an anomaly. Later flags of the same label join it as long as each comes within `Flags.join_s` of
the one before, and so do flags of labels that one of its own absorbs, or that absorb one of its own
(`DetectorSpec.absorbs`). A stretch that is recognised after a while (`Flags.span_s`) takes over the most
severe anomaly of what is part of it, though that has ended: an event keeps the anomaly that first showed it.
What explains others (`DetectorSpec.explains`) also joins each other one that turns out to be part of it later
on, and is more severe: that has then its severity.
A revision is due on doubling of the count, or a second of event time after the last one, and once at the
session's first trade after the stretch has ended. All of that depends on the session's trades alone, so any
cut into batches gives the same revisions.

A session's first prints are kept until its price of number `LAST_TELLING`: a flag of a later one may be about
them (`Flags.of_print`), and the anomaly, or a revision, is then theirs.
"""

from collections.abc import Callable, Mapping
from itertools import pairwise
from typing import NamedTuple

import msgspec
import numpy as np

from services.contracts.anomaly import Anomaly, Model, Severity
from services.contracts.detectors import DETECTORS, PRICE_UNIT, DetectorSpec
from services.detector.detectors.base import EARLY_PRINTS, LAST_TELLING, Flags
from services.detector.detectors.core.state import SECOND_NS
from services.detector.engine.batch import BAR, PRICE_ELIGIBLE
from services.detector.engine.build_anomaly import (
    LOWEST_SCORES,
    Claim,
    Part,
    Stretch,
    build_anomaly,
    claim_of,
    is_part_of,
    part_of,
)
from services.detector.engine.sessions import Piece

REVISED_EVERY_NS = SECOND_NS

_TWO_APART = tuple(
    pairwise(LOWEST_SCORES[name] for name in (Severity.MEDIUM, Severity.HIGH, Severity.CRITICAL))
)
"""Lowest scores of a severity and the next: below the first, and from the second on, are two apart."""

RECENT_NS = 10 * SECOND_NS
"""So long after its last flag an anomaly that can still grow is taken over by what begins now, at most."""

TAKEN_OVER_NS = 300 * SECOND_NS
"""What ended so long ago is taken over by nothing."""

MOST_ENDED = 16
"""So many anomalies of a session that have ended are kept to be taken over."""


class Prints(NamedTuple):
    """What identifies trades, by their places among the columns."""

    trade_id: Callable[[int], str] = lambda _: ""
    origin: Callable[[int], bytes] = lambda _: b""
    """What the caller needs to write an anomaly of the trade, now or with a later revision."""


UNNAMED = Prints()


class Found(NamedTuple):
    """An anomaly, or a revision of one.

    Parameters
    ----------
    at
        The place of the trade that brings it. For the first revision, it is the anomaly's own trade, or one
        soon after it if that is one of a session's first.
    anomaly
        It.
    origin
        `Prints.origin` of the anomaly's own trade.
    """

    at: int
    anomaly: Anomaly
    origin: bytes


class _Open(msgspec.Struct, array_like=True):
    """A stretch of one label that may still be joined."""

    label: str
    last_ns: int
    join_ns: int


class _Growing(msgspec.Struct, array_like=True):
    """An anomaly of which a stretch is open, or that can be taken over."""

    origin: bytes
    session: str
    first_trade: str
    last_trade: str
    first_ns: int
    last_ns: int
    count: int
    revision: int
    revised_ns: int
    revised_count: int
    is_changed: bool
    parts: list[Part]
    open: list[_Open]
    has_ended: bool = False

    def stretch_of(self, label: str) -> _Open | None:
        return next((one for one in self.open if one.label == label), None)


class _Early(msgspec.Struct, array_like=True):
    """A session's first prints, of which something may still be said."""

    prices: int = 0
    """How many the session has had."""
    prints: list[_Growing] = []
    """Each as the anomaly that it may be; without parts if nothing was said of it."""


class _Saved(msgspec.Struct, array_like=True):
    growing: list[_Growing]
    early: _Early | None


_Row = tuple[DetectorSpec, Flags, int]
_decoder = msgspec.msgpack.Decoder(_Saved)

NOTHING_GROWING = msgspec.msgpack.encode(_Saved([], None))
"""What `Growth.save` returns of a session in which nothing can grow, and whose first prints are long over."""
_ABSORBED = frozenset(label for spec in DETECTORS.values() for label in spec.absorbs)


class Growth:
    """Turns flags into anomalies, and remembers those that can still grow.

    Parameters
    ----------
    model
        Name, version and profile of the model.
    adjust
        From the symbol, the event time of an anomaly's own trade in ns since 1970, and the anomaly or a
        revision of it, to what it becomes.
    """

    def __init__(
        self, model: Model, adjust: Callable[[str, int, Anomaly], Anomaly] = lambda _, __, anomaly: anomaly
    ) -> None:
        self._model = model
        self._adjust = adjust
        self._growing: dict[int, list[_Growing]] = {}
        self._early: dict[int, _Early] = {}

    def open(self, slot: int) -> None:
        """Start a new session in a slot."""
        self._growing.pop(slot, None)
        self._early[slot] = _Early()

    def save(self, slot: int) -> bytes:
        """Return a session's state; equal states give equal bytes."""
        return msgspec.msgpack.encode(_Saved(self._growing.get(slot, []), self._early.get(slot)))

    def restore(self, slot: int, saved: bytes) -> None:
        """Restore what `save` returned into a slot that was just opened; raises ValueError if it is not."""
        try:
            growing, early = msgspec.structs.astuple(_decoder.decode(saved))
        except msgspec.MsgspecError as error:
            raise ValueError(str(error)) from error
        for one in (*growing, *(early.prints if early else ())):
            for part in one.parts:
                if part.detection.detector not in DETECTORS:
                    raise ValueError(f"there is no detector {part.detection.detector!r}")
        if growing:
            self._growing[slot] = growing
        self._early.pop(slot, None)
        if early:
            by_trade = {one.first_trade: one for one in growing}
            early.prints = [by_trade.get(one.first_trade, one) for one in early.prints]
            self._early[slot] = early

    def combine(self, piece: Piece, flags: Mapping[str, Flags], prints: Prints) -> list[Found]:
        """Combine a piece's flags into anomalies and revisions, in the order of the trades that bring them.

        Parameters
        ----------
        piece
            The trades.
        flags
            Flags of each detector, by name.
        prints
            Identifies the trades.
        """
        rows: dict[int, list[_Row]] = {}
        for name, flagged in flags.items():
            for row, at in enumerate(flagged.at.tolist()):
                rows.setdefault(at, []).append((DETECTORS[name], flagged, row))
        if piece.late_ns is not None:
            own = {at: [row for row in rows[at] if not _print_of(row)] for at in sorted(rows)}
            return [self._late(piece, at, some, prints) for at, some in own.items() if some]
        by_slot: dict[int, list[int]] = {}
        slot_of = piece.batch.slot
        for at in sorted(rows):
            by_slot.setdefault(int(slot_of[at]), []).append(at)
        found: list[Found] = []
        followed = (self._growing.keys() | self._early.keys()) & piece.sessions.keys()
        for slot in sorted(by_slot.keys() | followed):
            found += self._session(piece, slot, by_slot.get(slot, []), rows, prints)
        return sorted(found, key=lambda one: one.at)

    def _late(self, piece: Piece, at: int, rows: list[_Row], prints: Prints) -> Found:
        assert piece.late_ns is not None  # noqa: S101 - the caller's condition
        place = int(piece.places[at])
        parts = [part_of(*row) for row in rows]
        late_s = float(piece.late_ns[at]) / 1e9
        anomaly = build_anomaly(parts, _session_at(piece, at), self._model, late_s)
        adjusted = self._adjust(_symbol_at(piece, at), int(piece.batch.event_ns[at]), anomaly)
        return Found(place, adjusted, prints.origin(place))

    def _session(
        self, piece: Piece, slot: int, flagged: list[int], rows: dict[int, list[_Row]], prints: Prints
    ) -> list[Found]:
        """Go through a session's flagged trades, and end what is over between them."""
        places = np.flatnonzero(piece.batch.slot == slot)
        times = piece.batch.event_ns[places]
        growing = self._growing.pop(slot, [])
        early = self._keep_early(piece, slot, places, prints) if slot in self._early else {}
        found: list[Found] = []
        begin = 0
        for at in [*flagged, None]:
            end = len(places) if at is None else int(np.searchsorted(places, at)) + 1
            found += self._end(growing, piece, places[begin:end], times[begin:end])
            begin = end
            if at is not None:
                own = []
                for row in rows[at]:
                    if number := _print_of(row):
                        found.append(self._tell(self._early[slot].prints[number - 1], piece, at, row))
                    else:
                        own.append(row)
                found += self._take(growing, piece, at, own, early.get(at), prints)
        if growing:
            self._growing[slot] = growing
        if slot in self._early and self._early[slot].prices >= LAST_TELLING:
            del self._early[slot]
        return found

    def _keep_early(self, piece: Piece, slot: int, places: np.ndarray, prints: Prints) -> dict[int, _Growing]:
        """Keep a session's first prints; returns those that are in this piece, by their places in it."""
        early = self._early[slot]
        eligible = piece.batch.eligible[places]
        priced = places[(eligible & PRICE_ELIGIBLE != 0) & (eligible & BAR == 0)]
        here = {at: _unsaid(piece, at, prints) for at in priced[: EARLY_PRINTS - len(early.prints)].tolist()}
        early.prints += here.values()
        early.prices = min(early.prices + len(priced), LAST_TELLING)
        return here

    def _tell(self, one: _Growing, piece: Piece, at: int, row: _Row) -> Found:
        """Say of an early print what a later one shows."""
        one.count = max(one.count, 1)
        one.parts.append(part_of(*row))
        return self._revise(one, piece, at)

    def _end(
        self, growing: list[_Growing], piece: Piece, places: np.ndarray, times: np.ndarray
    ) -> list[Found]:
        """End the stretches that are over by these trades; their anomalies get a last revision."""
        if not growing or not len(times):
            return []
        found: list[Found] = []
        # A clock that is set back after a wrong stamp takes the stretches with it.
        earliest = np.minimum.accumulate(times)
        latest_ns, earliest_ns = int(times.max()), int(earliest[-1])
        for one in list(growing):
            if one.has_ended and _is_kept(one, earliest_ns, latest_ns):
                continue
            if all(s.last_ns <= earliest_ns and latest_ns <= s.last_ns + s.join_ns for s in one.open):
                continue
            is_over = np.ones(len(times), bool)
            is_forgotten = np.ones(len(times), bool)
            for stretch in one.open:
                last_ns = np.minimum(stretch.last_ns, earliest)
                is_over &= times > last_ns + stretch.join_ns
                is_forgotten &= times > last_ns + _kept_ns(stretch)
                stretch.last_ns = int(last_ns[-1])
            one.revised_ns = min(one.revised_ns, int(earliest[-1]))
            if not one.has_ended and is_over.any():
                one.has_ended = True
                if one.is_changed:
                    found.append(self._revise(one, piece, int(places[np.argmax(is_over)])))
            if is_forgotten.any():
                growing.remove(one)
        return found

    def _take(
        self,
        growing: list[_Growing],
        piece: Piece,
        at: int,
        rows: list[_Row],
        early: _Growing | None,
        prints: Prints,
    ) -> list[Found]:
        """Let a trade's flags join what grows; what joins nothing is a new anomaly.

        `early` is what the trade is kept as if it is one of the session's first.
        """
        now_ns = int(piece.batch.event_ns[at])
        place = int(piece.places[at])
        fresh: list[_Row] = []
        joined: list[_Growing] = []
        for row in rows:
            one = _home_of(row, growing, now_ns)
            if one is None:
                fresh.append(row)
                continue
            _join(one, row, now_ns)
            if one not in joined:
                joined.append(one)
                one.last_trade = prints.trade_id(place)
        found = [self._revise(one, piece, at) for one in joined if _is_due(one, now_ns)]
        found += self._explain(growing, joined, piece, at, rows)
        if fresh:
            found.append(self._begin(growing, piece, at, fresh, early, prints))
        return found

    def _explain(
        self, growing: list[_Growing], joined: list[_Growing], piece: Piece, at: int, rows: list[_Row]
    ) -> list[Found]:
        """Let what explains others join those that are more severe, and part of it."""
        if len(growing) == 1:
            return []
        now_ns, price = int(piece.batch.event_ns[at]), float(piece.batch.price[at])
        found = []
        for row in rows:
            if not row[0].explains:
                continue
            claim, begun_ns = claim_of(*row), _begun_ns(row, now_ns)
            for one in growing:
                if (
                    one in joined
                    or _score_of(one) <= claim.score
                    or not _is_confirmed(one, price)
                    or not _is_taken_over(one, claim, _open_labels(one, now_ns), now_ns, begun_ns)
                ):
                    continue
                one.parts.append(part_of(*row))
                found.append(self._revise(one, piece, at))
        return found

    def _begin(
        self,
        growing: list[_Growing],
        piece: Piece,
        at: int,
        rows: list[_Row],
        early: _Growing | None,
        prints: Prints,
    ) -> Found:
        now_ns = int(piece.batch.event_ns[at])
        parts = [part_of(*row) for row in rows]
        open_stretches = [
            _Open(spec.label, now_ns, join_ns)
            for spec, flags, number in rows
            if (join_ns := _join_ns(flags, number)) > 0
        ]
        if not open_stretches and early is None:
            place = int(piece.places[at])
            anomaly = build_anomaly(parts, _session_at(piece, at), self._model)
            return Found(place, self._adjust(_symbol_at(piece, at), now_ns, anomaly), prints.origin(place))
        one = early or _unsaid(piece, at, prints)
        one.count = max(_prints(flags, number) or 1 for _, flags, number in rows)
        one.parts = parts
        one.open = open_stretches
        if open_stretches:
            ended = [other for other in growing if other.has_ended]
            if len(ended) >= MOST_ENDED:
                growing.remove(ended[0])
            growing.append(one)
        return self._revise(one, piece, at)

    def _revise(self, one: _Growing, piece: Piece, at: int) -> Found:
        """Write the next revision; `at` is the trade that brings it."""
        one.revision += 1
        one.revised_ns = int(piece.batch.event_ns[at])
        one.revised_count = one.count
        one.is_changed = False
        stretch = Stretch(
            one.first_trade, one.last_trade, one.count, (one.last_ns - one.first_ns) / 1e9, one.revision
        )
        anomaly = build_anomaly(one.parts, one.session, self._model, stretch=stretch)
        adjusted = self._adjust(_symbol_at(piece, at), one.first_ns, anomaly)
        return Found(int(piece.places[at]), adjusted, one.origin)


def _unsaid(piece: Piece, at: int, prints: Prints) -> _Growing:
    """Return a trade as the anomaly that it may be."""
    place = int(piece.places[at])
    now_ns = int(piece.batch.event_ns[at])
    name = prints.trade_id(place)
    return _Growing(
        origin=prints.origin(place),
        session=_session_at(piece, at),
        first_trade=name,
        last_trade=name,
        first_ns=now_ns,
        last_ns=now_ns,
        count=0,
        revision=0,
        revised_ns=now_ns,
        revised_count=0,
        is_changed=True,
        parts=[],
        open=[],
    )


def _home_of(row: _Row, growing: list[_Growing], now_ns: int) -> _Growing | None:
    """Return the anomaly that a flag belongs to: one that absorbs it, or the worst that it absorbs."""
    if not growing:
        return None
    spec = row[0]
    claim = claim_of(*row)
    begun_ns = _begun_ns(row, now_ns)
    absorbing, taken = None, None
    for one in growing:
        open_labels = _open_labels(one, now_ns)
        if open_labels:  # most have ended, and are kept to be taken over
            absorbers = [part for part in one.parts if spec.label in part.spec.absorbs]
            explaining = {part.detection.label for part in absorbers if _explains(part, claim)}
            if spec.label in open_labels and (explaining or not absorbers) and not _is_far_worse(row, one):
                return one
            if absorbing is None and explaining & open_labels:
                absorbing = one
        if _is_taken_over(one, claim, open_labels, now_ns, begun_ns) and (
            taken is None or _score_of(one) > _score_of(taken)
        ):
            taken = one
    return absorbing or taken


def _begun_ns(row: _Row, now_ns: int) -> int:
    """Return when a flag's stretch began."""
    _, flags, number = row
    return now_ns - int(SECOND_NS * (0.0 if flags.span_s is None else flags.span_s[number]))


def _explains(part: Part, claim: Claim) -> bool:
    """Tell whether what a detector has said explains a flag; what is worse than a market's haste does not."""
    if part.spec.explains and claim.score > part.detection.score:
        return False
    return is_part_of(claim, part.claim)


def _is_far_worse(row: _Row, one: _Growing) -> bool:
    """Tell whether a print is another event: two severities above those before it."""
    _, flags, number = row
    if flags.prints is not None or flags.is_running_total:
        return False
    score, before = float(flags.score[number]), _score_of(one)
    return any(score >= worse and before < better for better, worse in _TWO_APART)


def _is_taken_over(one: _Growing, claim: Claim, open_labels: set[str], now_ns: int, begun_ns: int) -> bool:
    """Tell whether an anomaly is part of what a flag begins."""
    absorbs = claim.spec.absorbs
    since_ns = 0 if claim.spec.explains else now_ns - RECENT_NS
    return any(
        stretch.label in absorbs
        and (stretch.last_ns > begun_ns or (stretch.label in open_labels and stretch.last_ns >= since_ns))
        for stretch in one.open
    ) and all(
        is_part_of(part.claim, claim)
        if part.detection.label in absorbs
        else not part.spec.absorbs and not part.spec.is_expected
        for part in one.parts
    )


def _is_confirmed(one: _Growing, price: float) -> bool:
    """Tell whether the tape has come to a price nearer to the flagged ones than to those expected then.

    A price of some minutes ago lies on the market's way, too, but the market has left it.
    """
    return all(
        abs(price - part.detection.value) < abs(price - part.detection.expected)
        for part in one.parts
        if part.spec.unit == PRICE_UNIT
    )


def _open_labels(one: _Growing, now_ns: int) -> set[str]:
    if one.has_ended:
        return set()
    return {stretch.label for stretch in one.open if now_ns - stretch.last_ns <= stretch.join_ns}


def _score_of(one: _Growing) -> float:
    return max(part.detection.score for part in one.parts)


def _is_kept(one: _Growing, earliest_ns: int, latest_ns: int) -> bool:
    """Tell whether nothing changes about an anomaly that has ended, by trades at such times."""
    if one.revised_ns > earliest_ns:
        return False
    is_kept = False
    for stretch in one.open:
        if stretch.last_ns > earliest_ns:
            return False
        is_kept = is_kept or latest_ns <= stretch.last_ns + _kept_ns(stretch)
    return is_kept


def _kept_ns(stretch: _Open) -> int:
    """Return how long after its last flag a stretch is kept."""
    return max(stretch.join_ns, TAKEN_OVER_NS if stretch.label in _ABSORBED else 0)


def _join(one: _Growing, row: _Row, now_ns: int) -> None:
    """Add a flag to an anomaly."""
    spec, flags, number = row
    stretch = one.stretch_of(spec.label)
    prints = _prints(flags, number)
    join_ns = _join_ns(flags, number)
    if stretch is not None:
        stretch.last_ns, stretch.join_ns = now_ns, max(join_ns, 1)
        one.count = max(one.count + 1, prints or 0)
    else:
        if spec.label not in _absorbed_labels(one) and join_ns > 0:
            one.open.append(_Open(spec.label, now_ns, join_ns))
        one.count = max(one.count, prints or 0)
    one.last_ns = max(one.last_ns, now_ns)
    one.is_changed = True
    one.has_ended = False
    for at, part in enumerate(one.parts):
        if part.detection.detector == spec.name:
            if flags.is_running_total:
                newest = part_of(*row)
                score = max(newest.detection.score, part.detection.score)
                detection = msgspec.structs.replace(newest.detection, score=score)
                one.parts[at] = msgspec.structs.replace(newest, detection=detection)
            elif float(flags.score[number]) > part.detection.score:
                one.parts[at] = part_of(*row)
            return
    one.parts.append(part_of(*row))


def _absorbed_labels(one: _Growing) -> set[str]:
    return {label for part in one.parts for label in part.spec.absorbs}


def _is_due(one: _Growing, now_ns: int) -> bool:
    return one.count >= 2 * one.revised_count or now_ns - one.revised_ns >= REVISED_EVERY_NS


def _join_ns(flags: Flags, number: int) -> int:
    join_s = flags.join_s[number] if isinstance(flags.join_s, np.ndarray) else flags.join_s
    return int(join_s * SECOND_NS)


def _print_of(row: _Row) -> int:
    """Return which of the session's first prices a flag is about; 0 for its own print."""
    _, flags, number = row
    return 0 if flags.of_print is None else int(flags.of_print[number])


def _prints(flags: Flags, number: int) -> int | None:
    return None if flags.prints is None else int(flags.prints[number])


def _symbol_at(piece: Piece, at: int) -> str:
    return piece.sessions[int(piece.batch.slot[at])].symbol


def _session_at(piece: Piece, at: int) -> str:
    # An endless session has no day of its own.
    day = piece.sessions[int(piece.batch.slot[at])].day
    return day or str(np.datetime64(int(piece.days[at]), "D"))
