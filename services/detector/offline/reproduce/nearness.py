"""How far a print was from being flagged by each detector.

The answer is the engine's own: prints at other prices, of other sizes, and the same print several times at
once, are judged in its place, each by the state that the session had just before it, which is put back every
time. So it is true of every detector, whatever it measures, and no detector has to know of it. Where a
detector flags within a range and not beyond, the nearest print that it flags among those tried counts.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

import numpy as np

from services.detector.detectors.core.detector import TailDetector
from services.detector.detectors.core.tail import ALERT
from services.detector.detectors.loading import load_detector
from services.detector.engine.batch import PRICE_ELIGIBLE, VOLUME_ELIGIBLE, Batch
from services.detector.engine.columns import TradeColumns
from services.detector.engine.engine import Engine
from services.detector.profiles.profile import Detectors

FARTHEST = 10.0
"""Prices are tried up to so many times the print's own away from it, and down to nothing."""
LARGEST = 100_000
"""Sizes are tried up to so many times the print's own."""
MOST_PRINTS = 500
GROWTH = 1.5
"""Each print that is tried is so many times as far from the real one as the one before."""


@dataclass(frozen=True)
class Nearness:
    """How near one detector was to flagging a print.

    Parameters
    ----------
    detector
        Its name.
    is_flagged
        Whether it flagged it.
    evidence
        What it had against the print, as a share of an alert's evidence: 1 is flagged. Only of detectors that
        measure each print; None of others.
    price_above, price_below
        The nearest prices at which it would have flagged the print; None where it is at none.
    size
        The least size at which it would have.
    prints
        How often the same print would have had to come at once.
    """

    detector: str
    is_flagged: bool
    evidence: float | None
    price_above: float | None
    price_below: float | None
    size: float | None
    prints: int | None

    @property
    def is_out_of_reach(self) -> bool:
        """Whether no print in its place would have been flagged, and nothing was measured of it."""
        return (self.evidence, self.price_above, self.price_below, self.size, self.prints) == (None,) * 5


def find_nearness(before: Engine, columns: TradeColumns, running: Detectors) -> list[Nearness]:
    """Try other prints in the place of one.

    Parameters
    ----------
    before
        An engine in the state that the session had before the print; not to be used afterwards.
    columns
        The print.
    running
        The detectors of its symbol.

    Returns
    -------
    list
        One for each running detector; empty if the print is not judged: a repeat, or too old.
    """
    batch = next((piece.batch for piece in before.sort(columns) if len(piece.batch)), None)
    if batch is None:
        return []
    trial = _Trial(before, batch)
    is_priced = bool(batch.has(PRICE_ELIGIBLE)[0])
    is_sized = bool(batch.has(VOLUME_ELIGIBLE)[0])
    price, size = float(batch.price[0]), float(batch.size[0])
    step = _step(price, trial.measure("price_tick"))
    most_steps = int(FARTHEST * max(abs(price), step) / step)

    def moved(sign: int) -> Callable[[int], Batch]:
        def at(steps: int) -> Batch:
            return replace(
                batch, price=np.array([float(Decimal(repr(price)) + sign * steps * Decimal(repr(step)))])
            )

        return at

    def sized(larger: int) -> Batch:
        return replace(batch, size=np.array([size + larger * unit]))

    def repeated(prints: int) -> Batch:
        return batch[np.zeros(prints + 1, np.int64)]

    unit = 1.0 if size >= 1 and size.is_integer() else size / 100 or 0.01
    none: dict[str, int] = {}
    above = trial.search(moved(1), most_steps) if is_priced else none
    below = trial.search(moved(-1), most_steps) if is_priced else none
    larger = trial.search(sized, int(LARGEST * max(size, 1.0) / unit)) if is_sized else none
    prints = trial.search(repeated, MOST_PRINTS - 1)

    def price_at(name: str, found: dict[str, int], sign: int) -> float | None:
        return float(moved(sign)(found[name]).price[0]) if name in found else None

    return [
        Nearness(
            detector=name,
            is_flagged=name in trial.flagged,
            evidence=trial.evidence(name),
            price_above=price_at(name, above, 1),
            price_below=price_at(name, below, -1),
            size=float(sized(larger[name]).size[0]) if name in larger else None,
            prints=prints[name] + 1 if name in prints else None,
        )
        for name in running.running
    ]


class _Trial:
    """Judges prints in the place of one."""

    def __init__(self, before: Engine, batch: Batch) -> None:
        self._engine = before
        measured, flags = before.judge_apart(batch)
        self._measures = measured.measures
        self.flagged = {name for name, own in flags.items() if len(own.at)}

    def measure(self, name: str) -> float:
        """Return what the calibrated detectors measured of the print itself; 0 where none of them runs."""
        return 0.0 if self._measures is None else float(self._measures[name][0])

    def evidence(self, detector: str) -> float | None:
        """See `Nearness`."""
        kind = load_detector(detector)
        if self._measures is None or not issubclass(kind, TailDetector):
            return None
        return self.measure(kind.evidence) / ALERT

    def search(self, made: Callable[[int], Batch], most: int) -> dict[str, int]:
        """Return the least number of steps after which each detector flags what it did not flag before.

        Parameters
        ----------
        made
            From a number of steps, from 1, to the print that is tried.
        most
            The largest number.
        """
        known: dict[int, set[str]] = {0: self.flagged}

        def flagged_at(steps: int) -> set[str]:
            if steps not in known:
                _, flags = self._engine.judge_apart(made(steps))
                known[steps] = {name for name, own in flags.items() if len(own.at)}
            return known[steps]

        brackets: dict[str, tuple[int, int]] = {}
        last = 0
        for steps in _growing(most):
            for name in flagged_at(steps) - self.flagged - brackets.keys():
                brackets[name] = last, steps
            last = steps
        found = {}
        for name, (low, high) in brackets.items():
            while high - low > max(1, high // 10_000):
                middle = (low + high) // 2
                if name in flagged_at(middle):
                    high = middle
                else:
                    low = middle
            found[name] = high
        return found


def _growing(most: int) -> Sequence[int]:
    numbers, number = [], 1
    while number < most:
        numbers.append(number)
        number = max(number + 1, int(number * GROWTH))
    return [*numbers, most] if most >= 1 else []


def _step(price: float, tick: float) -> float:
    """Return by how much a price is moved: the session's tick, or else a unit of the price's last digit."""
    if tick > 0:
        return float(f"{tick:.9g}")
    exponent = Decimal(repr(price)).normalize().as_tuple().exponent
    digits = -exponent if isinstance(exponent, int) and exponent < 0 else 0
    return float(Decimal(1).scaleb(-max(digits, 2)))
