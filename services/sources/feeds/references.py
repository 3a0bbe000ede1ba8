"""Which trades a venue's corrections mean, where they name a trade by less than its `trade_id`."""

from collections.abc import Iterable

from services.sources.feeds.messages import Print

MOST_PRINTS = 200_000


class References:
    """The references of the last prints, live ones and those of history.

    Parameters
    ----------
    most
        So many are remembered at most; at least half of them.
    """

    def __init__(self, most: int = MOST_PRINTS) -> None:
        self._half = most // 2
        self._new: dict[str, tuple[str, ...]] = {}
        self._old: dict[str, tuple[str, ...]] = {}

    def see(self, prints: Iterable[Print]) -> None:
        """Remember prints that came."""
        for one in prints:
            if one.reference:
                self.add(one.reference, one.trade_id)

    def add(self, reference: str, trade_id: str) -> None:
        """Remember what a reference means; another trade with the same one makes it ambiguous."""
        known = self.find(reference)
        if trade_id in known:
            return
        self._new[reference] = (*known, trade_id)
        if len(self._new) >= self._half:
            self._old, self._new = self._new, {}

    def find(self, reference: str) -> tuple[str, ...]:
        """Return the `trade_id`s that a reference may mean: none if it is not known."""
        return self._new.get(reference) or self._old.get(reference, ())
