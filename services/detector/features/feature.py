"""What a feature is: a number of each trade, computed from what was measured of it."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from services.detector.engine.batch import Batch


@dataclass(frozen=True)
class Moments:
    """What was measured of n trades.

    Parameters
    ----------
    batch
        The trades, with their `measures`.
    measured
        `state.MOMENT`, shape (n,).
    """

    batch: Batch
    measured: np.ndarray

    def __getitem__(self, name: str) -> np.ndarray:
        column: np.ndarray = self.measured[name]
        return column

    def window(self, name: str, number: int) -> np.ndarray:
        """Return a field of one of the windows or horizons, float64, shape (n,)."""
        column: np.ndarray = self.measured[name][:, number]
        return column


@dataclass(frozen=True)
class Feature:
    """A number of each trade.

    Parameters
    ----------
    name
        Key in the registry, and column of a table.
    unit
        What it counts; `1` for shares and ratios, `log` for differences of natural logarithms.
    formula
        How it is defined, in the symbols that the documentation explains.
    source
        Where the definition is from.
    values
        Computes it, float64, shape (n,). Only operations that IEEE 754 rounds exactly are allowed (sums,
        products, quotients, roots, comparisons), since others may depend on where in a batch a trade stands.
    """

    name: str
    unit: str
    formula: str
    source: str
    values: Callable[[Moments], np.ndarray]
