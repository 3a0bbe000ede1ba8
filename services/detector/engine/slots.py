"""Arrays with one element per session slot."""

import numpy as np


def grown(state: np.ndarray, slot: int) -> np.ndarray:
    """Return an array long enough to have an element for the slot.

    Parameters
    ----------
    state
        Array with an element for each slot along the first axis.
    slot
        Number of the slot, at least 0.

    Returns
    -------
    numpy.ndarray
        `state` itself if it is long enough, otherwise a copy at least twice as long, so that opening many
        sessions copies little; new elements are 0.
    """
    if slot < len(state):
        return state
    longer = np.zeros((max(2 * len(state), slot + 1), *state.shape[1:]), state.dtype)
    longer[: len(state)] = state
    return longer
