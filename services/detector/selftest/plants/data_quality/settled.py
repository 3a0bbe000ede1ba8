"""A calm quarter of an hour before an anomaly, for sessions whose level of prices has just changed."""

import numpy as np

from services.contracts.trade import Trade
from services.detector.selftest.scene import Scene

PRINTS, EVERY_S = 220, 4.0


def after_calm(
    scene: Scene, seconds: np.ndarray, prices: np.ndarray, sides: list[str], is_calm_first: bool
) -> list[Trade]:
    """Return prints, if asked for after a calm time at the market's price.

    Parameters
    ----------
    scene
        The session.
    seconds, prices, sides
        The anomaly's prints, in seconds after what comes before them.
    is_calm_first
        Whether a calm time comes before them.
    """
    if not is_calm_first:
        return scene.prints(scene.after(seconds), prices, sides=sides)
    calm_s = EVERY_S * np.arange(1, PRINTS + 1)
    return scene.prints(
        scene.after(np.concatenate([calm_s, calm_s[-1] + seconds])),
        np.concatenate([scene.price + scene.tick * np.tile([0.0, 1.0], PRINTS // 2), prices]),
        sides=[*(["A", "B"] * (PRINTS // 2)), *sides],
    )
