"""A print after hours without one."""

import numpy as np

from services.contracts.trade import Trade
from services.detector.selftest.plant import NotNowError, Plant, needs
from services.detector.selftest.scene import SECOND_NS, Scene

LEAST_S = 600.0
LEARNT = 120
"""Prints after an auction, each some seconds after the other, from which usual gaps are learnt again."""


class SilencePlant(Plant):
    """See the module. Usual gaps are learnt again after each auction, so it is planted after the next one."""

    detector = "silence"
    is_sure = False

    def prints(self, scene: Scene) -> list[Trade]:
        """See `Plant`."""
        left = [at for at in (scene.opening_ns, scene.closing_ns) if at > scene.now_ns]
        if scene.opening_ns and not left:
            raise NotNowError("no auction is left after which gaps are learnt again")
        prices = scene.price + scene.tick * np.tile([0.0, 1.0], LEARNT // 2)
        sides = ["A", "B"] * (LEARNT // 2)
        start_ns = left[0] if left else scene.now_ns
        learnt = scene.after(61.0 + 2.0 * np.arange(LEARNT), start_ns)
        end_ns = left[1] if len(left) > 1 else scene.end_ns
        gap_s = min((end_ns - int(learnt[-1])) / SECOND_NS - 60.0, 2 * 3600.0)
        needs(gap_s >= LEAST_S, "the day is nearly over")
        if not left:
            usual_s = (scene.now_ns - int(scene.stamps_ns[0])) / SECOND_NS / len(scene.recent)
            longest_s = float(np.diff(np.sort(scene.stamps_ns)).max(initial=0)) / SECOND_NS
            needs(gap_s > max(100 * usual_s, 20 * longest_s), "so long a silence does not fit into the day")
        return scene.prints(
            np.append(learnt, learnt[-1] + int(gap_s * SECOND_NS)),
            np.append(prices, scene.price),
            sides=[*sides, "A"],
        )
