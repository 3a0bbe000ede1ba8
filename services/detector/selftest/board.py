"""What the planted anomalies of the last rounds say of each detector: whether it works, and since when."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from services.contracts.detectors import DETECTORS
from services.detector.selftest.registry import PLANTS
from services.detector.selftest.trial import Outcome, Trial

FAILURES = 2
"""So many failures in a row are one: a first one may be due to a moment of the market."""

UNSURE_FAILURES = 4
"""So many, where the plant does not fire in every session."""

MOST_SYMBOLS = 64
"""Symbols with failures that are remembered for each detector."""


@dataclass(frozen=True)
class Fired:
    """When a detector fired last, by the clock of the caller, and for which symbol."""

    symbol: str
    at_s: float


@dataclass
class _Known:
    """What is known of a detector."""

    fired: Fired | None = None
    failed_in_a_row: int = 0
    by_symbol: dict[str, int] = field(default_factory=dict)
    """Failures in a row of each symbol that has some."""
    note: str = ""


class Board:
    """Judges detectors by their trials.

    A detector whose plant fires in every session (`Plant.is_sure`) fails when the last `FAILURES` trials
    have, whatever the symbol, or the last `FAILURES` of one symbol; another one when the last
    `UNSURE_FAILURES` have.

    Parameters
    ----------
    running
        Names of the detectors that the profile runs.
    """

    def __init__(self, running: Iterable[str]) -> None:
        self._known = {name: _Known() for name in running}

    def note(self, symbol: str, trial: Trial, now_s: float) -> None:
        """Take a trial into account; one that waits for an occasion says nothing."""
        known = self._known[trial.detector]
        if trial.outcome is Outcome.WAITING:
            return
        if trial.outcome is Outcome.FIRED:
            known.fired = Fired(symbol, now_s)
            known.failed_in_a_row = 0
            known.by_symbol.pop(symbol, None)
            known.note = ""
            return
        known.failed_in_a_row += 1
        known.by_symbol[symbol] = known.by_symbol.pop(symbol, 0) + 1
        if len(known.by_symbol) > MOST_SYMBOLS:
            del known.by_symbol[next(iter(known.by_symbol))]
        known.note = f"{symbol} {trial.outcome}{f': {trial.note}' if trial.note else ''}"

    def fired(self, detector: str) -> Fired | None:
        """Return when a detector fired last; None if it has not yet."""
        return self._known[detector].fired

    def to_repeat(self) -> list[str]:
        """Return the symbols whose last trials failed: they are to be tried again soon."""
        return list(dict.fromkeys(symbol for known in self._known.values() for symbol in known.by_symbol))

    def failing(self) -> dict[str, str]:
        """Return why detectors fail, by their names."""
        found = {}
        for name, known in self._known.items():
            is_sure = PLANTS[name].is_sure
            symbols = [s for s, count in known.by_symbol.items() if count >= FAILURES]
            if known.failed_in_a_row >= (FAILURES if is_sure else UNSURE_FAILURES):
                found[name] = f"{DETECTORS[name].title}: {known.note}"
            elif symbols and is_sure:
                found[name] = f"{DETECTORS[name].title}: {', '.join(symbols[:5])} {Outcome.QUIET}"
        return found
