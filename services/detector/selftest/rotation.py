"""Which symbols are tested next: those that trade, each in its turn."""

from collections.abc import Iterable

MOST_KNOWN = 20_000
"""Symbols whose turn is remembered."""


class Rotation:
    """Chooses symbols; the one whose last turn is longest ago comes first."""

    def __init__(self) -> None:
        self._turns: dict[str, int] = {}  # the earliest first
        self._turn = 0

    def choose(self, active: Iterable[str], count: int) -> list[str]:
        """Return so many of the active symbols, at most, and note that they had their turn.

        Parameters
        ----------
        active
            Symbols that trade, those that should come first first.
        count
            How many.
        """
        chosen = sorted(dict.fromkeys(active), key=lambda symbol: self._turns.get(symbol, 0))[:count]
        for symbol in chosen:
            self._turn += 1
            self._turns.pop(symbol, None)
            self._turns[symbol] = self._turn
        while len(self._turns) > MOST_KNOWN:
            del self._turns[next(iter(self._turns))]
        return chosen
