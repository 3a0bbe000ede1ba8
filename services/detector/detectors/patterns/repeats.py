"""Where a print is remembered among equal ones, in a small table by price and size."""

import numpy as np
from numba import njit

KEYS = 64
"""Places of the table. Prints of the same place push each other out when the older one is over."""

_MIX = np.int64(-7046029254386353131)


@njit(cache=True)
def place_of(price: float, size: float) -> int:
    """Return a print's place; the same price and size always have the same."""
    mixed = (np.int64(price * 1e5 + 0.5) * np.int64(1_000_003) + np.int64(size * 1e3 + 0.5)) * _MIX
    return int((mixed >> np.int64(40)) & np.int64(KEYS - 1))
