"""The live selftest: every few minutes it plants anomalies into copies of some symbols' sessions.

It works between batches, a slice of time at a turn, and changes nothing of what the detector judges: it
copies a session's state, reads the symbol's messages for itself until there are enough, copies the state
again, and judges the planted prints by engines of its own that have the same profile.
"""

import re
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice

import numpy as np
import structlog

from services.common.exchange_calendar import ExchangeCalendar
from services.common.kafka.records import Record
from services.contracts.trade import NotATradeError, Trade, decode_trade
from services.detector.engine.batch import SessionKey
from services.detector.engine.columns import nanoseconds, trading_days
from services.detector.engine.state import SessionState
from services.detector.live.partition import WatchedPartition
from services.detector.live.selftest import metrics
from services.detector.profiles.profile import Profile, load_profile
from services.detector.selftest.board import FAILURES, MOST_SYMBOLS, Board
from services.detector.selftest.echo import differences
from services.detector.selftest.plant import Plant
from services.detector.selftest.registry import PLANTS
from services.detector.selftest.rotation import Rotation
from services.detector.selftest.scene import Scene
from services.detector.selftest.trial import Outcome, Shadow, Trial, attempt

PRINTS = 64
"""Newest prints of a symbol that make a scene."""

FEWEST = 32
"""So many are enough half-way through a round; a symbol with fewer is waited for."""

PATIENCE_ROUNDS = 12
"""Rounds that a symbol is waited for."""

MOST_WAITED = 4
"""How many times the symbols of a round may be waited for at once."""

SLICE_S = 0.02
"""Time that a turn may take; one trial is done in any case, which takes 10 to 80 ms."""

SAMPLED = 32
"""Messages of a batch whose symbols are noted as active."""

MOST_ACTIVE = 2_000
"""Symbols that are remembered as active, with a message each."""

STATE, PROFILE = "state", "profile"
"""Checks beside the detectors."""

Job = Callable[[], None]


@dataclass
class _Watched:
    """A symbol whose turn it is, while its messages are collected."""

    number: int
    partition: WatchedPartition
    session: SessionKey
    before: SessionState | None
    since_s: float
    prints: list[Trade] = field(default_factory=list)


class LiveSelftest:
    """Plants anomalies in rounds.

    Parameters
    ----------
    profile
        The running profile.
    expected
        Hash of the profile that is meant to run; None for whichever does.
    period_s
        Time from one round's start to the next, in seconds; 0: there are none.
    symbols
        Symbols of a round.
    clock
        The wall clock, in seconds since 1970.
    """

    def __init__(
        self,
        profile: Profile,
        expected: str | None,
        period_s: float,
        symbols: int,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._log = structlog.get_logger()
        self._profile = profile
        self._expected = expected
        self._period_s = period_s
        self._symbols = symbols
        self._clock = clock
        self._calendar = ExchangeCalendar(profile.exchange)
        self._rotation = Rotation()
        plants = [PLANTS[name] for name in profile.detectors.running if name in PLANTS]
        self.board = Board(plant.detector for plant in plants)
        self._active: dict[bytes, tuple[int, Record]] = {}  # by key, since the last round
        self._watched: dict[bytes, _Watched] = {}  # by the messages' key
        self._jobs: deque[Job] = deque()
        self._round_s = clock()
        """When the last round began."""
        self.is_in_round = False
        """Whether a round is not over yet."""
        self._different: dict[str, tuple[int, str]] = {}
        """Symbols whose states differ: how often in a row, and in what."""
        self._told: dict[str, str] = {}
        if period_s:
            metrics.show_checks([*(plant.detector for plant in plants if plant.is_live), STATE, PROFILE])
            self._tell()

    def problems(self) -> dict[str, str]:
        """Return what is wrong, by check: a detector's name, `state` or `profile`."""
        found = self.board.failing()
        if sum(times for times, _ in self._different.values()) >= FAILURES:
            symbol, (_, parts) = next(reversed(self._different.items()))
            found[STATE] = f"the state is not what the messages give: {symbol}, {parts}"
        if self._expected not in (None, self._profile.hash):
            found[PROFILE] = (
                f"profile {self._profile.name} ({self._profile.hash}) runs, not the one that is meant to "
                f"({self._expected})"
            )
        return found

    def observe(self, number: int, partition: WatchedPartition, messages: Sequence[Record]) -> None:
        """Look at messages that a partition has just judged; all of them must be shown.

        Parameters
        ----------
        number, partition
            The partition, behind the messages.
        messages
            The messages.
        """
        if not self._period_s:
            return
        # By the messages, as an engine that leaves a symbol out does not know that it trades.
        step = max(len(messages) // SAMPLED, 1)
        for message in islice(messages, 0, None, step):
            self._active[message.key() or b""] = (number, message)
        while len(self._active) > MOST_ACTIVE:
            del self._active[next(iter(self._active))]
        if self._watched:
            self._collect(number, partition, messages)

    def turn(self, partitions: Mapping[int, WatchedPartition]) -> None:
        """Work for a moment; called between batches.

        Parameters
        ----------
        partitions
            The partitions that this detector has now, by number.
        """
        if not self._period_s:
            return
        began_s = time.perf_counter()
        now_s = self._clock()
        since_s = now_s - self._round_s
        if since_s >= self._period_s / 2:
            self._close_collection(partitions, now_s)
        if since_s >= self._period_s and not self._jobs:
            self._round_s = now_s
            self._begin(partitions)
        while self._jobs:
            self._jobs.popleft()()
            if time.perf_counter() - began_s >= SLICE_S:
                break
        if self.is_in_round and not self._jobs and (not self._watched or since_s >= self._period_s / 2):
            self.is_in_round = False
            metrics.LAST_ROUND.set(now_s)
            self._tell()
        metrics.SECONDS.inc(time.perf_counter() - began_s)

    def _begin(self, partitions: Mapping[int, WatchedPartition]) -> None:
        """Begin a round: choose symbols, and copy their states."""
        self.is_in_round = True
        active = {
            key.decode(errors="replace"): place
            for key, place in self._active.items()
            if place[0] in partitions and not partitions[place[0]].is_replaying
        }
        failed = dict.fromkeys([*self.board.to_repeat(), *self._different])
        repeated = [symbol for symbol in failed if symbol in active][: self._symbols]
        others = [symbol for symbol in active if symbol not in repeated]
        for symbol in repeated + self._rotation.choose(others, max(self._symbols - len(repeated), 1)):
            number, message = active[symbol]
            session = self._session_of(message)
            if session is not None and symbol.encode() not in self._watched:
                partition = partitions[number]
                self._watched[symbol.encode()] = _Watched(
                    number, partition, session, partition.copy_session(session), self._round_s
                )
        while len(self._watched) > MOST_WAITED * self._symbols:
            del self._watched[next(iter(self._watched))]
        self._active.clear()

    def _session_of(self, message: Record) -> SessionKey | None:
        """Return the session of a message; None for one that is no trade, or not by its symbol's key."""
        try:
            trade = decode_trade(message.value())
        except NotATradeError:
            return None
        if message.key() != trade.symbol.encode():
            return None
        (day,) = trading_days(nanoseconds([trade.timestamp]), self._calendar.time_zone).tolist()
        is_daily = self._profile.sessions == "daily"
        return SessionKey(trade.symbol, str(np.datetime64(day, "D")) if is_daily else "")

    def _collect(self, number: int, partition: WatchedPartition, messages: Sequence[Record]) -> None:
        keys = self._watched
        for message in messages:
            key = message.key()
            if key not in keys:
                continue
            watched = keys[key]
            if watched.partition is not partition:
                continue
            try:
                trade = decode_trade(message.value())
            except NotATradeError:
                continue
            if not trade.reconciled and trade.symbol == watched.session.symbol:
                watched.prints.append(trade)
        for key, watched in [*keys.items()]:
            if watched.number == number and len(watched.prints) >= PRINTS:
                self._finish(key)

    def _close_collection(self, partitions: Mapping[int, WatchedPartition], now_s: float) -> None:
        """Take the symbols for which enough prints have come, and wait for the others, but not for ever."""
        for key, watched in [*self._watched.items()]:
            is_over = now_s - watched.since_s >= PATIENCE_ROUNDS * self._period_s
            if partitions.get(watched.number) is not watched.partition or (is_over and not watched.prints):
                del self._watched[key]
            elif is_over or len(watched.prints) >= FEWEST:
                self._finish(key)

    def _finish(self, key: bytes) -> None:
        """Copy a symbol's state again, and make the jobs."""
        watched = self._watched.pop(key)
        symbol = watched.session.symbol
        stamps = nanoseconds([trade.timestamp for trade in watched.prints])
        days = trading_days(stamps, self._calendar.time_zone)
        own = [
            trade
            for trade, day in zip(watched.prints, days.tolist(), strict=True)
            if watched.session.day in ("", str(np.datetime64(day, "D")))
        ]
        if not any(trade.price_eligible for trade in own[-PRINTS:]):
            return
        after = watched.partition.copy_session(watched.session)
        if after is None and watched.partition.can_copy:
            self._note_parts(symbol, ["no session"])
            return
        opening_ns, closing_ns = self._calendar.auction_times(watched.session.day)
        scene = Scene(watched.session, tuple(own[-PRINTS:]), opening_ns, closing_ns, self._calendar.time_zone)
        if watched.before is not None and after is not None:
            before = watched.before
            self._jobs.append(lambda: self._compare(before, own, after))
        shadow = Shadow(self._profile, scene, after)
        for name in self._profile.for_symbol(symbol).running:
            if name in PLANTS and PLANTS[name].is_live:
                self._jobs.append(lambda plant=PLANTS[name]: self._try(plant, shadow))  # type: ignore[misc]

    def _compare(self, before: SessionState, prints: list[Trade], after: SessionState) -> None:
        try:
            parts = differences(self._profile, before, prints, after)
        except Exception as error:  # as in `_try`
            self._log.exception("two states could not be compared")
            parts = [f"{type(error).__name__}: {error}"]
        self._note_parts(before.session.symbol, parts)

    def _note_parts(self, symbol: str, parts: list[str]) -> None:
        """Note in what a symbol's states differ; in nothing, if they are equal."""
        times, _ = self._different.pop(symbol, (0, ""))
        if parts:
            self._different[symbol] = (times + 1, ", ".join(parts))
        while len(self._different) > MOST_SYMBOLS:
            del self._different[next(iter(self._different))]

    def _try(self, plant: Plant, shadow: Shadow) -> None:
        symbol = shadow.scene.session.symbol
        try:
            trial = attempt(plant, shadow)
        except Exception as error:  # the detector goes on, and the selftest says that this one is broken
            self._log.exception("a planted anomaly could not be judged", detector=plant.detector)
            trial = Trial(plant.detector, Outcome.QUIET, note=f"{type(error).__name__}: {error}")
        self.board.note(symbol, trial, self._clock())
        metrics.count(trial)
        if trial.outcome is Outcome.FIRED:
            metrics.show_fired(trial.detector, symbol, self._clock())

    def _tell(self) -> None:
        """Log what has become wrong, and what is right again."""
        problems = self.problems()
        metrics.show_failing(problems)
        for check, reason in problems.items():
            if check not in self._told:
                self._log.error("selftest failed", check=check, reason=reason)
        for check in self._told.keys() - problems.keys():
            self._log.info("selftest passes again", check=check)
        self._told = problems


def expected_hash(profile: str | None) -> str | None:
    """Return the hash of the profile that is meant to run, given as a name, a file or the hash itself.

    Raises
    ------
    TapewatchError
        It is none of these, or the profile is invalid.
    """
    if profile is None or re.fullmatch(r"[0-9a-f]{12}", profile):
        return profile
    return load_profile(profile).hash
