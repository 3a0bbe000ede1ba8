"""Checks that a detector keeps the laws that hold for every detector."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields, replace
from itertools import pairwise
from typing import Any

import numpy as np

from services.contracts.detectors import DETECTORS
from services.detector.engine.batch import BAR, FULLY_ELIGIBLE, SIDE_CODES
from services.detector.engine.columns import TradeColumns, identities
from services.detector.engine.engine import Engine
from services.detector.profiles.profile import Profile

SYMBOLS = ("AAA", "B@B", "ODD")
"""Symbols of the trades that the laws are checked on. Some prices of `ODD` are near 0; some of its sizes
are 0, or have decimals."""
DAYS = 2
TRADES = 120
"""Number of trades of each symbol on each day."""

_OPEN_NS = 14 * 3600 * 1_000_000_000 + 1800 * 1_000_000_000
_DAY_NS = 86_400 * 1_000_000_000
_FIRST_DAY = 20_059  # 2024-12-02
_MIN_FLAGS = 5
_LATE_BY = 3
_ADDED = 1_000_000
"""First number of trades that are added to a tape."""

Results = dict[tuple[str, int, int], tuple[Any, ...]]
"""The detector's complete output for each flagged trade, by symbol, day and number of the trade."""


class LawBrokenError(AssertionError):
    """A detector breaks a law; the message names the law and the trade."""


def check_detector(
    name: str,
    parameters: dict[str, Any] | None = None,
    seed: int = 0,
    usual_day: dict[str, Any] | None = None,
) -> None:
    """Check every law for a registered detector, on generated trades of several symbols and days.

    Parameters
    ----------
    name
        The detector's name in the registry.
    parameters
        Parameters with which it flags some of the trades; its defaults by default.
    seed
        Seed of the trades and of how they are cut into batches.
    usual_day
        What the profile says of a usual day; nothing by default.

    Raises
    ------
    LawBrokenError
        If a law is broken, or too few trades were flagged to check any.
    """
    profile = Profile.model_validate({"detectors": {name: parameters or {}}, "usual_day": usual_day})
    random = np.random.default_rng(seed)
    tape = mixed(
        random,
        [
            session_trades(symbol, day, TRADES, seed + number)
            for number, symbol in enumerate(SYMBOLS)
            for day in range(DAYS)
        ],
    )
    trial = _Trial(name, profile)
    whole = trial.judge(tape)
    if len(whole) < _MIN_FLAGS:
        raise LawBrokenError(
            f"{name} flags {len(whole)} of the trades, too few to check a law. "
            "Give parameters with which it flags more."
        )
    _check_values(name, whole)
    trial.expect(trial.judge(tape), whole, "gives other results when it runs on the same trades again")
    for _ in range(3):
        cuts = np.sort(random.integers(0, len(tape), random.integers(1, 40)))
        trial.expect(trial.judge(tape, cuts), whole, "depends on how trades are cut into batches")
    for symbol in SYMBOLS:
        own = part(tape, [at for at, one in enumerate(tape.symbol) if one == symbol])
        alone = {key: result for key, result in whole.items() if key[0] == symbol}
        trial.expect(trial.judge(own), alone, f"gives other results for {symbol} if other symbols trade too")
    _check_no_look_ahead(trial, tape, whole, random)
    _check_inputs_are_left_alone(trial, tape)
    _check_replay(trial, tape)
    if Engine(profile).checkpointable:
        for share in (0.1, 0.5, 0.9):
            _check_restore(trial, tape, whole, int(share * len(tape)))
    _check_late(trial, tape, random)
    _check_ineligible(trial, tape, whole, random)


@dataclass(frozen=True)
class _Trial:
    name: str
    profile: Profile

    def judge(self, tape: TradeColumns, cuts: Iterable[int] = (), engine: Engine | None = None) -> Results:
        """Return the detector's results for trades that come in batches that end at `cuts`."""
        engine = engine or Engine(self.profile)
        edges = [0, *cuts, len(tape)]
        found: Results = {}
        for start, stop in pairwise(edges):
            batch = part(tape, range(start, stop))
            for flagged in engine.flag(batch):
                flags = flagged.flags.get(self.name)
                if flags is None:  # of late trades, if the state cannot be put back
                    continue
                for row, at in enumerate(flagged.piece.places[flags.at].tolist()):
                    found[batch.symbol[at], int(batch.day[at]), int(batch.sequence[at])] = (
                        flags.score[row],
                        flags.value[row],
                        flags.expected[row],
                        flags.threshold[row],
                        flags.reasons[row],
                        {name: values[row] for name, values in flags.contributions.items()},
                        {name: values[row] for name, values in flags.features.items()},
                        flags.rules[row] if flags.rules else None,
                    )
        return found

    def expect(self, found: Results, expected: Results, fault: str) -> None:
        """Raise LawBrokenError if results differ in any bit."""
        for key in sorted(found.keys() | expected.keys()):
            # repr distinguishes floats to the last bit.
            if repr(found.get(key)) != repr(expected.get(key)):
                raise LawBrokenError(
                    f"{self.name} {fault}: trade {key[2]} of {key[0]} is {found.get(key, 'not flagged')}, "
                    f"and was {expected.get(key, 'not flagged')}"
                )


def _check_values(name: str, results: Results) -> None:
    """Check scores (at least 0.5), contributions (shares that add up to 1), numbers and reasons."""
    for key, (score, value, expected, threshold, reason, contributions, features, _) in results.items():
        where = f"of trade {key[2]} of {key[0]}"
        least = 0.0 if DETECTORS[name].is_expected else 0.5
        if not least <= score <= 1.0:
            raise LawBrokenError(f"{name}: the score {score} {where} is not between {least} and 1")
        numbers = [value, expected, threshold, *contributions.values(), *features.values()]
        if not np.isfinite(numbers).all():
            raise LawBrokenError(f"{name}: some numbers {where} are not finite: {numbers}")
        shares = list(contributions.values())
        if min(shares, default=-1.0) < 0.0 or abs(sum(shares) - 1.0) > 1e-9:
            raise LawBrokenError(f"{name}: the contributions {where} do not add up to 1: {contributions}")
        if not reason or reason[0].isupper() or reason.endswith("."):
            raise LawBrokenError(
                f"{name}: the reason {where} is empty, starts with a capital or ends with a dot: {reason!r}"
            )
    scores = [result[0] for result in results.values()]
    if not DETECTORS[name].is_expected and min(scores) > 0.75:
        raise LawBrokenError(
            f"{name}: the lowest score is {min(scores)}, but a trade just at the threshold must score 0.5"
        )


def _check_no_look_ahead(
    trial: _Trial, tape: TradeColumns, whole: Results, random: np.random.Generator
) -> None:
    """Change the later trades of a batch; the results for the earlier ones must not change."""
    middle = len(tape) // 2
    after = part(tape, range(middle, len(tape)))
    other = replace(
        after,
        price=after.price * random.uniform(0.5, 2.0, len(after)),
        size=random.permutation(after.size) * 3,
        side=random.permutation(after.side),
    )
    before = {_key(tape, at) for at in range(middle)}
    changed = trial.judge(joined([part(tape, range(middle)), other]))
    trial.expect(
        {key: result for key, result in changed.items() if key in before},
        {key: result for key, result in whole.items() if key in before},
        "looks ahead",
    )


def _check_inputs_are_left_alone(trial: _Trial, tape: TradeColumns) -> None:
    for flagged in Engine(trial.profile).flag(tape):
        for name in ("event_ns", "price", "size", "side"):
            given, column = getattr(flagged.piece.batch, name), getattr(tape, name)
            if given.tobytes() != column[flagged.piece.places].tobytes():
                raise LawBrokenError(f"{trial.name} changes the {name} of the batch that it is given")


def _check_replay(trial: _Trial, tape: TradeColumns) -> None:
    """Replay all trades; they must not be flagged again, and must not change any state."""
    engine = Engine(trial.profile)
    trial.judge(tape, engine=engine)
    sessions = engine.take_changes().touched
    before = [engine.save(one).detectors for one in sessions] if engine.checkpointable else []
    if trial.judge(tape, engine=engine):
        raise LawBrokenError(f"{trial.name} flags replayed trades again")
    if engine.checkpointable and [engine.save(one).detectors for one in sessions] != before:
        raise LawBrokenError(f"{trial.name} learns from replayed trades")


def _check_late(trial: _Trial, tape: TradeColumns, random: np.random.Generator) -> None:
    """Let some trades come late; what is said of all others must be the same without them."""
    late = random.permutation(len(tape))[: len(tape) // 20]
    rest = np.setdiff1d(np.arange(len(tape)), late)
    places = rest.tolist()
    for one in late.tolist():
        # After two later ones of its session, which agree that the session has moved on.
        after = [
            number
            for number, at in enumerate(places)
            if at > one and tape.symbol[at] == tape.symbol[one] and tape.day[at] == tape.day[one]
        ]
        if len(after) > _LATE_BY:
            places.insert(after[_LATE_BY] + 1, one)
    expected: Results = {}
    engines: list[Engine] = []
    for order in (rest.tolist(), places):
        engines.append(Engine(trial.profile))
        found = trial.judge(part(tape, order), engine=engines[-1])
        own = {_key(tape, at) for at in rest}
        said = {key: one for key, one in found.items() if key in own}
        trial.expect(said, expected or said, "learns from trades that come late")
        expected = said
    if engines[1].out_of_order.late != len(places) - len(rest):
        raise AssertionError("the tape has no late trades, so a law was not tried")
    if engines[0].checkpointable:
        states = [
            [engine.save(one).detectors for one in sorted(engine.take_changes().touched, key=str)]
            for engine in engines
        ]
        if states[0] != states[1]:
            raise LawBrokenError(f"{trial.name} keeps traces of trades that came late")


def _check_ineligible(trial: _Trial, tape: TradeColumns, whole: Results, random: np.random.Generator) -> None:
    """Add trades of which neither price nor size may be used; nothing else must change."""
    after = np.sort(random.permutation(len(tape))[: len(tape) // 10])
    added = replace(
        part(tape, after.tolist()),
        price=tape.price[after] * 3.0 + 1.0,
        size=tape.size[after] * 1_000.0 + 1.0,
        eligible=np.zeros(len(after), np.int64),
        sequence=_ADDED + np.arange(len(after)),
        lane=np.ones(len(after), np.int64),
        identity=identities([f"added-{number}" for number in range(len(after))]),
    )
    order = np.argsort(np.concatenate([np.arange(len(tape)), after]), kind="stable")
    found = trial.judge(part(joined([tape, added]), order.tolist()))
    trial.expect(found, whole, "uses trades of which neither price nor size is eligible")


def _check_restore(trial: _Trial, tape: TradeColumns, whole: Results, cut: int) -> None:
    """Restore what another engine saved; the results must be those of that engine."""
    first = Engine(trial.profile)
    trial.judge(part(tape, range(cut)), engine=first)
    second = Engine(trial.profile)
    for session in first.take_changes().touched:
        second.restore(first.save(session))
    rest = {_key(tape, at) for at in range(cut, len(tape))}
    trial.expect(
        trial.judge(part(tape, range(cut, len(tape))), engine=second),
        {key: result for key, result in whole.items() if key in rest},
        f"gives other results after its state was saved and restored after {cut} trades",
    )


def _key(tape: TradeColumns, at: int) -> tuple[str, int, int]:
    return tape.symbol[at], int(tape.day[at]), int(tape.sequence[at])


def session_trades(symbol: str, day: int, count: int, seed: int) -> TradeColumns:
    """Return a session's trades on day number `day`: slow and hectic stretches, some prices far off.

    `ODD` has trades at one time, at one price, and in equal pairs.

    They start at the opening auction; the 20th is so soon after it that it may be the auction's print. Some
    are of one price and size, from alternating sides.
    """
    generator = np.random.default_rng((seed, day))
    is_hectic = generator.random(-(-count // 25)).repeat(25)[:count] < 0.3
    gaps_ns = np.where(
        is_hectic, generator.integers(0, 200_000, count), generator.integers(0, 2_000_000_000, count)
    )
    if symbol == "ODD":
        gaps_ns[61:75] = 0
    size = np.floor(generator.lognormal(4.5, 1.2, count))
    side = generator.choice(list(SIDE_CODES.values()), count)
    size[20:21] = 50_000
    side[20:21] = SIDE_CODES["N"]
    price = (100 + np.cumsum(generator.normal(0, 0.1, count))).round(2)
    price[45::37] = (price[45::37] * 1.5).round(2)
    if count >= 112:
        price[100:112], size[100:112] = price[100], 100
        side[100:112] = [SIDE_CODES["A"], SIDE_CODES["B"]] * 6
    eligible = np.full(count, FULLY_ELIGIBLE)
    if symbol == "ODD":
        eligible[34::6] = generator.integers(0, FULLY_ELIGIBLE, len(eligible[34::6]))
        eligible[37::29] |= BAR
        price[30::7] = (price[30::7] - 100).round(2)
        price[33::31] = 0.0
        size[30::11] = 0
        size[31::5] = size[31::5] // 100 * 100 + 200
        size[32::13] /= 8
        price[76:90] = price[76]
        for column in (price, size, side):
            column[91:111:2] = column[90:110:2]
    event_ns = (_FIRST_DAY + day) * _DAY_NS + _OPEN_NS + np.cumsum(gaps_ns)
    return TradeColumns(
        symbol=[symbol] * count,
        day=np.full(count, _FIRST_DAY + day),
        event_ns=event_ns,
        price=price,
        size=size,
        side=side,
        eligible=eligible,
        sequence=np.arange(count),
        tape_ns=event_ns,
        lane=np.zeros(count, np.int64),
        identity=identities([f"{symbol}-{day}-{number}" for number in range(count)]),
        recv_ns=event_ns + generator.integers(100_000, 300_000, count),
    )


def part(columns: TradeColumns, places: Iterable[int]) -> TradeColumns:
    """Return the trades at the given positions."""
    at = np.asarray(list(places), np.int64)
    arrays = {name: getattr(columns, name)[at] for name in _arrays()}
    return TradeColumns(symbol=[columns.symbol[place] for place in at], **arrays)


def joined(streams: Sequence[TradeColumns]) -> TradeColumns:
    """Return the concatenation of streams."""
    arrays = {name: np.concatenate([getattr(one, name) for one in streams]) for name in _arrays()}
    return TradeColumns(symbol=[symbol for one in streams for symbol in one.symbol], **arrays)


def mixed(random: np.random.Generator, streams: Sequence[TradeColumns]) -> TradeColumns:
    """Return streams interleaved at random, each in its own order."""
    starts = np.cumsum([0, *map(len, streams)])
    turns = random.permutation(np.repeat(np.arange(len(streams)), [len(one) for one in streams]))
    order = np.empty(len(turns), np.int64)
    for number, start in enumerate(starts[:-1]):
        own = turns == number
        order[own] = start + np.arange(np.count_nonzero(own))
    return part(joined(streams), order.tolist())


def _arrays() -> list[str]:
    return [field.name for field in fields(TradeColumns) if field.name != "symbol"]
