"""The tutorials' anomaly rules, trade by trade, as a plain program: what the `classic` profile must equal.

Nothing here is meant to be fast. For each trade, in this order:

1. the price is appended to the history, and added to the sum of all prices; the mean is that sum divided by
   the number of trades, the trade included (1 where it would be 0, which cannot divide);
2. High Volume, if the size is above 20,000 shares;
3. Rapid Price Change, if the price differs by more than 5 % from that of the trade before; the first trade
   has none before it, and a price of 0 before it gives no ratio;
4. Isolation Forest Anomaly, if a forest was fitted before and its `predict` says -1 to the price divided by
   the mean; one call for each trade;
5. if the number of trades is a multiple of 1000, a new forest is fitted to the whole history, divided by the
   mean of step 1.
"""

from collections.abc import Callable, Sequence

import numpy as np
from sklearn.ensemble import IsolationForest

from services.contracts.detectors import DETECTORS


class PlainTutorial:
    """Watches one endless session.

    Parameters
    ----------
    seed_of
        Gives the seed of the forest that is fitted after so many trades.
    trees
        Trees of a forest, at least 1.
    """

    HIGH_VOLUME_SHARES = 20_000
    RAPID_CHANGE_RATIO = 0.05
    REFIT_TRADES = 1_000
    CONTAMINATION = 0.01

    def __init__(self, seed_of: Callable[[int], int], trees: int = 1_000) -> None:
        self._seed_of = seed_of
        self._trees = trees
        self._history: list[float] = []
        self._price_sum = 0.0
        self._forest: IsolationForest | None = None

    def labels_of(self, price: float, size: int) -> list[str]:
        """Return the labels of the next trade, those of what it is flagged for."""
        found = []
        self._history.append(price)
        self._price_sum += price
        mean = self._price_sum / len(self._history) or 1.0
        if size > self.HIGH_VOLUME_SHARES:
            found.append(DETECTORS["high_volume"].label)
        if len(self._history) > 1 and self._history[-2] != 0:
            before = self._history[-2]
            if abs((price - before) / abs(before)) > self.RAPID_CHANGE_RATIO:
                found.append(DETECTORS["rapid_price_change"].label)
        if self._forest is not None and self._forest.predict(np.array([[price / mean]]))[0] == -1:
            found.append(DETECTORS["isolation_forest"].label)
        if len(self._history) % self.REFIT_TRADES == 0:
            self._forest = IsolationForest(
                n_estimators=self._trees,
                contamination=self.CONTAMINATION,
                random_state=self._seed_of(len(self._history)),
            )
            self._forest.fit((np.array(self._history) / mean).reshape(-1, 1))
        return found


def plain_labels(
    price: Sequence[float], size: Sequence[int], seed_of: Callable[[int], int], trees: int = 1_000
) -> list[list[str]]:
    """Return the labels of each of a session's trades; see `PlainTutorial`."""
    tutorial = PlainTutorial(seed_of, trees)
    return [tutorial.labels_of(one, shares) for one, shares in zip(price, size, strict=True)]
