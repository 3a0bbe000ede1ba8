"""Chooses where in a day which events happen, and on which of several copies of the day."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from services.detector.offline.evaluation.scenarios.base import WARM_UP_TRADES, Change, Scenario
from services.detector.offline.evaluation.scenarios.styles import Style
from services.detector.offline.evaluation.scenarios.tape import MINUTE_NS, NS_PER_S, Tape

APART_NS = 10 * MINUTE_NS
"""Time after an event in which no other happens: its false alarms are counted there."""

NEXT_TO_EACH_OTHER_NS = 5 * NS_PER_S
TRIES = 60
TRIES_BEFORE_A_NEW_PASS = 12


@dataclass
class Pass:
    """A copy of the day and what is injected into it: changes with the number of their tape."""

    changes: list[tuple[int, Change]] = field(default_factory=list)

    def is_free(self, tape: int, change: Change, apart_ns: int) -> bool:
        """Tell whether no other event of the symbol is near a change."""
        return all(
            at != tape
            or change.start_ns >= other.stop_ns + apart_ns
            or change.stop_ns + apart_ns <= other.start_ns
            for at, other in self.changes
        )


def plan_passes(
    rng: np.random.Generator, tapes: Sequence[Tape], style: Style, scenarios: Sequence[Scenario]
) -> list[Pass]:
    """Distribute each kind's events over as few copies of the day as keep them apart.

    A kind that does not fit into the day, after `TRIES` tries for each event, has fewer events or none.
    """
    passes: list[Pass] = []
    wanted = [
        scenario for scenario in scenarios for _ in range(style.draw(rng, scenario.name).whole("events"))
    ]
    order = rng.permutation(len(wanted))
    # What lasts to the end of the day comes first: the others fit in before it.
    for k in sorted(order, key=lambda k: not wanted[k].lasting):
        for attempt in range(TRIES):
            drawn = _draw(rng, tapes, style, wanted[k])
            if drawn is None:
                continue
            if _placed(passes, drawn, APART_NS):
                break
            if attempt >= TRIES_BEFORE_A_NEW_PASS:
                passes.append(Pass([drawn]))
                break
    return passes


def plan_close(
    rng: np.random.Generator, tapes: Sequence[Tape], style: Style, scenario: Scenario, count: int
) -> Pass:
    """Put a number of events of one kind into one copy of the day, as close to each other as they come."""
    one = Pass()
    for _ in range(count):
        for _ in range(TRIES):
            drawn = _draw(rng, tapes, style, scenario)
            if drawn is not None and _placed([one], drawn, NEXT_TO_EACH_OTHER_NS):
                break
    return one


def _draw(
    rng: np.random.Generator, tapes: Sequence[Tape], style: Style, scenario: Scenario
) -> tuple[int, Change] | None:
    """Draw an event of a symbol, each with a probability as its trades."""
    trades = np.array([len(tape) for tape in tapes])
    at = int(rng.choice(len(tapes), p=trades / trades.sum()))
    tape, draw = tapes[at], style.draw(rng, scenario.name)
    start_ns = scenario.draw_start(rng, tape, draw)
    if start_ns is None or len(tape) <= WARM_UP_TRADES:
        return None
    if tape.first_ns <= start_ns and tape.place_at(start_ns) < WARM_UP_TRADES:
        return None
    change = scenario.change(rng, tape, start_ns, draw)
    return None if change is None else (at, change)


def _placed(passes: Sequence[Pass], drawn: tuple[int, Change], apart_ns: int) -> bool:
    for each in passes:
        if each.is_free(*drawn, apart_ns):
            each.changes.append(drawn)
            return True
    return False
