"""What a stand-in does wrong, and when: a fault strikes with a print of the tape, while somebody listens."""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

FaultKind = Literal[
    "close",  # ends the connection politely
    "reset",  # by a reset
    "silence",  # sends nothing more, but answers pings
    "mute",  # and does not answer them
    "drop",  # leaves prints out
    "double",  # sends a print twice
    "swap",  # sends two prints in the wrong order
    "malformed",  # sends a frame that nobody can read
    "outage",  # ends the connection and refuses others for a while
    "busy",  # its history answers 429 with Retry-After
    "broken",  # its history answers 500, or the half of an answer
    "lagging",  # its history lacks the last seconds for a while
    "forgotten",  # an outage, after which history lacks most of what came before
    "clock",  # the times of some prints are hours off
    "halves",  # a frame comes in two pieces
    "occupied",  # ends the connection and says for a while that another one is open
    "slow_reader",  # holds frames back, says that this reader is too slow, and ends the connection
    "expiry",  # ends the connection, as it is too old
    "shutdown",  # says that it will end the connection, and then does
    "cancel",  # takes a print back that came a while before
    "correct",  # corrects one
    "garbled",  # sends bytes after which nobody knows where a frame begins
    "skipped",  # leaves prints out for a slow reader, and says so
    "slow",  # says that the reader is slow
    "internal",  # reports an error of its own, and ends the connection
    "limit",  # reports too many connections, and ends this one
    "halt",  # halts a symbol, and lets it trade again
]


@dataclass
class Fault:
    """A fault.

    Parameters
    ----------
    kind
        Which.
    at_print
        It strikes with the first print from this number on (of the whole tape, from 0) that has a listener.
    amount
        Seconds, prints or answers, as the kind needs.
    """

    kind: FaultKind
    at_print: int
    amount: float = 1.0
    has_struck: bool = False


def make_faults(seed: int, kinds: Sequence[FaultKind], prints: int, each: int = 1) -> list[Fault]:
    """Return faults of the given kinds, spread over the first prints of a tape.

    Parameters
    ----------
    seed
        Draws order and amounts.
    kinds
        Kinds; each comes `each` times.
    prints
        Number of prints to spread them over.
    each
        How often.
    """
    draw = random.Random(seed)  # noqa: S311 - no secret
    order = [kind for kind in kinds for _ in range(each)]
    draw.shuffle(order)
    amounts: dict[FaultKind, Callable[[], float]] = {
        "drop": lambda: draw.randrange(1, 40),
        "outage": lambda: draw.uniform(0.5, 3.0),
        "forgotten": lambda: draw.uniform(2.0, 4.0),
        "busy": lambda: draw.randrange(1, 3),
        "broken": lambda: draw.randrange(1, 3),
        "lagging": lambda: draw.uniform(0.5, 2.0),
        "occupied": lambda: draw.uniform(0.5, 2.0),
        "slow_reader": lambda: draw.uniform(0.5, 1.5),
        "cancel": lambda: draw.randrange(0, 400),
        "correct": lambda: draw.randrange(0, 400),
        "skipped": lambda: draw.randrange(1, 40),
        "clock": lambda: draw.choice((-7200.0, 3600.0)),
    }
    step = prints / (len(order) + 1)
    return [
        Fault(
            kind,
            int(step * (place + draw.uniform(0.6, 1.2))),
            float(amounts[kind]() if kind in amounts else 1),
        )
        for place, kind in enumerate(order)
    ]
