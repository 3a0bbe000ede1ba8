"""Arrays with one place per session slot."""

import numpy as np


def with_room(state: np.ndarray, slot: int) -> np.ndarray:
    """Return an array that has a place for the slot.

    Parameters
    ----------
    state
        A place for each slot along the first axis.
    slot
        At least 0.

    Returns
    -------
    numpy.ndarray
        `state` itself if it is long enough, else a copy at least twice as long, so that opening many sessions
        copies little; new places are 0.
    """
    if slot < len(state):
        return state
    longer = np.zeros((max(2 * len(state), slot + 1), *state.shape[1:]), state.dtype)
    longer[: len(state)] = state
    return longer
